"""Values of runs that tests share."""

VALID = {
    "model": "conv",
    "shape": {"width": 8, "depth": 1},
    "base": {"width": 4, "depth": 1},
    "parameterisation": "mup",
    "optimizer": "sgd",
    "lr": 0.5,
    "data": "digits",
    "batch_size": 32,
    "steps": 10,
    "seed": 0,
    "log_every": 2,
}
