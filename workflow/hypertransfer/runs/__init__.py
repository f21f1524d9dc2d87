"""A run: one training of one network, described by a frozen value."""
