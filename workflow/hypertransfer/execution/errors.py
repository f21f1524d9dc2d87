"""Errors of a job whose plan is no longer true."""

from __future__ import annotations

AGAIN = "call snakemake again; finished runs are taken from the store"


class StalePlan(RuntimeError):
    """Code or data changed between the planning of a job and its start."""


class NotReproduced(RuntimeError):
    """A run that was trained again gave other numbers than the run in the store."""
