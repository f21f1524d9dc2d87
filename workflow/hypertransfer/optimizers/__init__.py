"""Optimizers: `make(groups, **options)` of a module, with scaled hyperparameters per group."""
