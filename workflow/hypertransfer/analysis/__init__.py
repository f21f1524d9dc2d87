"""Statistics of sweeps and trajectories over sizes, each a value with an interval."""
