"""Configs of studies: read and check them, and expand grids to runs."""
