"""Learning rates for a target size: forecasts from sweeps of smaller sizes, and their evidence."""
