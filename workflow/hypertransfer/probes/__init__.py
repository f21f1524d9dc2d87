"""Probes: measurements at the checkpoints of a run, each in a module with a class `Probe`."""
