"""Text data sets, as windows of tokens."""
