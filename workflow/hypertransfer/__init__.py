"""hypertransfer: do hyperparameters found on a small network still hold on a large one?"""
