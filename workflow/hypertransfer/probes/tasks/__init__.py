"""Probes of tasks: downstream accuracy, decoding speed, the exact dynamics of linear networks."""
