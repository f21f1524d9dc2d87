"""The rows of a study's tables that a figure is drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from hypertransfer.analysis.tables import Tables
from hypertransfer.runs.conditions import matches


def select(tables: Tables, where: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """The runs that a condition selects, and their rows of the other tables."""
    runs = tables["runs"]
    return rows_of(runs[[matches(where, row) for row in runs.to_dict("records")]], tables)


def rows_of(runs: pd.DataFrame, tables: Tables) -> dict[str, pd.DataFrame]:
    """The given runs, and of the tables that have keys the rows of these runs.

    A run may stand in several grids: the rows are of the grids in which it is given.
    """
    kept = {
        name: table[table["key"].isin(runs["key"]) & table["grid"].isin(runs["grid"])]
        for name, table in tables.items()
        if "key" in table and name != "runs"
    }
    return {**tables, **kept, "runs": runs}
