"""Claims: a measure on tables of runs, a bar, and a verdict."""
