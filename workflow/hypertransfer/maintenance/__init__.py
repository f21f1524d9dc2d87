"""Maintenance of the run store: scan, prune, verify, and calibration of the cost model."""
