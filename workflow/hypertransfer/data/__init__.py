"""Data sets as tensors in memory; every file is checked against its digest before use."""
