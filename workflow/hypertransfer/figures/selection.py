"""The rows of a study's tables that a figure is drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from hypertransfer.runs.conditions import matches

Tables = Mapping[str, pd.DataFrame]


def select(tables: Tables, where: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """The runs that a condition selects, and their rows of the other tables."""
    runs = tables["runs"]
    return rows_of(runs[[matches(where, row) for row in runs.to_dict("records")]], tables)


def rows_of(runs: pd.DataFrame, tables: Tables) -> dict[str, pd.DataFrame]:
    """All tables, those that have keys with the rows of the given runs only."""
    with_keys = {name: table for name, table in tables.items() if "key" in table}
    kept = {name: table[table["key"].isin(runs["key"])] for name, table in with_keys.items()}
    # One key can stand in several grids: keep the grids of the given runs.
    kept = {name: table[table["grid"].isin(runs["grid"])] for name, table in kept.items()}
    return {**tables, **kept}
