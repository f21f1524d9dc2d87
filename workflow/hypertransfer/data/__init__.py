"""Data sets as tensors in memory, from files that are checked against their digests."""
