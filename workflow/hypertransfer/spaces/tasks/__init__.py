"""Tasks, from which search spaces are learned and on which these are tested."""
