"""Tasks, from which search spaces are learned, and on which search spaces are tested."""
