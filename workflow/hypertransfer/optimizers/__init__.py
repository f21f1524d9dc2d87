"""Optimizers: each module has `make(groups, **options)`, with hyperparameters per group."""
