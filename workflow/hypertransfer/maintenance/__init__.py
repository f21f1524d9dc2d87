"""Maintenance of the run store: scan, prune, verify, calibrate."""
