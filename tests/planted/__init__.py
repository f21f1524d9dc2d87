"""Networks with planted faults, by which the check of modules is judged."""
