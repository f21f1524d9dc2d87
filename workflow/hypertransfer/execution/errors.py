"""Errors of jobs, and the advice that their messages end with."""

from __future__ import annotations

AGAIN = "call snakemake again; finished runs are taken from the store"


class StalePlan(RuntimeError):
    """The code or data of a job changed after the job was planned."""


class NotReproduced(RuntimeError):
    """A run that was trained again differs from the same run in the store."""
