"""Probes: quantities of a run measured at its checkpoints, a module and a class `Probe` each."""
