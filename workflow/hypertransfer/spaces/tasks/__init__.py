"""Tasks that search spaces are learned from and tried on."""
