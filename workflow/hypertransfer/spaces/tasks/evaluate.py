"""Evaluate the tasks of a live suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from hypertransfer.spaces.tasks import sources, suites
from hypertransfer.storage import parquet


def tasks(suite: Mapping[str, Any], names: Sequence[str]) -> pa.Table:
    """The losses of tasks of a live suite at every configuration of the suite's design.

    The table has one row for each task and configuration, and the columns `task`, `loss`, and one
    for each hyperparameter.
    """
    design = sources.design(suite)
    columns = {key: parquet.axis_column([c[key] for c in design]) for key in design[0]}
    parts = []
    for name in names:
        losses = pa.array(suites.evaluations(suite["source"], name, design), pa.float64())
        parts.append(pa.table({"task": [name] * len(design), **columns, "loss": losses}))
    return pa.concat_tables(parts)
