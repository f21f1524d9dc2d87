"""Probes of tasks: downstream accuracy, decoding speed, the theory of linear networks."""
