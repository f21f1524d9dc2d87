"""Errors of jobs, and the advice at the end of their messages."""

from __future__ import annotations

AGAIN = "call snakemake again; finished runs are taken from the store"


class StalePlan(RuntimeError):
    """The code or data of a job changed after the job was planned."""


class NotReproduced(RuntimeError):
    """A run that was trained again differs from the same run in the store."""
