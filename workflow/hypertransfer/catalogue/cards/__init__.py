"""Cards of networks, optimizers, data sets, probes and figures, as data."""
