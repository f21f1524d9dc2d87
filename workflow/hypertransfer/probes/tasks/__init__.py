"""Probes of tasks: downstream accuracy, decoding, memory, exact dynamics of linear networks."""
