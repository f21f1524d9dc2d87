"""Claims: measures on tables of runs, the bars that values have to meet, and verdicts."""
