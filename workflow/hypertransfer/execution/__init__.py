"""The work of a job: training and probing through the run store, searches, provenance."""
