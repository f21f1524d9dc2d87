"""Select the rows of a study's tables from which a figure is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from hypertransfer.analysis.tables import Tables
from hypertransfer.runs.conditions import matches


def select(tables: Tables, where: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """The runs that a condition selects, and the rows of these runs in the other tables."""
    runs = tables["runs"]
    return rows_of(runs[[matches(where, row) for row in runs.to_dict("records")]], tables)


def rows_of(runs: pd.DataFrame, tables: Tables) -> dict[str, pd.DataFrame]:
    """The given runs, and the rows of these runs in the other tables that have keys.

    A run can belong to several grids: only rows of the grids in `runs` are selected.
    """
    kept = {
        name: table[table["key"].isin(runs["key"]) & table["grid"].isin(runs["grid"])]
        for name, table in tables.items()
        if "key" in table and name != "runs"
    }
    return {**tables, **kept, "runs": runs}
