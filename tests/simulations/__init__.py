"""Simulations of the estimators on synthetic runs whose truth is known.

`python -m tests.simulations [replications]` writes the table of `docs/reference/coverage.md`.
"""
