"""The evaluations of a live suite's tasks, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from hypertransfer.spaces.tasks import sources, suites
from hypertransfer.storage import parquet


def tasks(suite: Mapping[str, Any], names: Sequence[str]) -> pa.Table:
    """The losses of a live suite's tasks at every configuration of its design.

    The table has a row for each task and configuration: `task`, the hyperparameters, `loss`.
    """
    design = sources.design(suite)
    columns = {key: parquet.axis_column([c[key] for c in design]) for key in design[0]}
    parts = []
    for name in names:
        losses = pa.array(suites.evaluations(suite["source"], name, design), pa.float64())
        parts.append(pa.table({"task": [name] * len(design), **columns, "loss": losses}))
    return pa.concat_tables(parts)
