"""Searching for hyperparameters: how proposals are made, and the runs that try them."""
