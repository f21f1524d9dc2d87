"""The table of a cell that is trained."""

from __future__ import annotations

from hypertransfer.execution import train_cell
from hypertransfer.runs.columns import SECONDS


def table_of(cell, store, minutes=5.0):
    """The table of a cell without its timings."""
    table = train_cell.train_cell("g", cell, store, "cpu", minutes)
    return table.drop_columns([*SECONDS])
