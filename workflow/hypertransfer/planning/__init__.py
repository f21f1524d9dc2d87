"""The plan: Snakemake jobs with files named by digests, their cost, and their state."""
