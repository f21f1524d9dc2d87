"""Study configs: reading, checking, and expanding grids to runs."""
