"""Parameterisations as tables: how hyperparameters scale from a base shape to a target shape."""
