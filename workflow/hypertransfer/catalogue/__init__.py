"""Networks, optimizers, data sets, probes and figures that a config can name."""
