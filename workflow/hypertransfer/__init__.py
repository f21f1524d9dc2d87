"""hypertransfer: do hyperparameters found on a small network still hold on a large one?"""

__version__ = "0.1.0"
