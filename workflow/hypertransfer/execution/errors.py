"""Errors of jobs, and the advice at the end of their messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

AGAIN = "call snakemake again; finished runs are taken from the store"


class StalePlan(RuntimeError):
    """The code or data of a job changed after the job was planned."""


class NotReproduced(RuntimeError):
    """A run that was trained again differs from the same run in the store."""


@contextmanager
def noted(text: str) -> Iterator[None]:
    """Add a line below the traceback of an exception that the block raises."""
    try:
        yield
    except Exception as error:
        error.add_note(text)
        raise
