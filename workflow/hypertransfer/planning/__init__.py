"""The plan: jobs with files named by digest, their cost, and their state."""
