"""The table of the winners of every task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from hypertransfer.spaces.table_columns import WINNERS
from hypertransfer.spaces.tasks import sources
from hypertransfer.storage import parquet


def winners(suites: Mapping[str, Mapping], files: Mapping[str, Sequence[str]]) -> pa.Table:
    """The winners of all tasks: a table with one row for each task and numeric dimension.

    The column `winner` is the mean over the best `suite["winners"]` evaluations of the task, in
    log₂ for a dimension on a log axis. The attributes of the task are further columns.

    Args:
        suites: suites by name, each with the number `winners`.
        files: the files from which the tasks of each suite are read.
    """
    rows: list[dict[str, Any]] = []
    for name, suite in suites.items():
        domain, tasks = sources.load(suite, files[name])
        for task in tasks:
            means = task.winners(suite["winners"])[:, : len(domain.numeric)].mean(axis=0)
            rows += [
                {
                    **task.attributes,
                    "suite": name,
                    "task": task.name,
                    "group": task.group,
                    "dimension": d.name,
                    "winner": d.on_axis(float(mean)),
                }
                for d, mean in zip(domain.numeric, means, strict=True)
            ]
    names = list(dict.fromkeys([*WINNERS, *(key for row in rows for key in row)]))
    return pa.table({n: parquet.axis_column([row.get(n) for row in rows]) for n in names})
