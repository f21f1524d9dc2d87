"""Where the winners of every task lie, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from hypertransfer.spaces.tasks import sources
from hypertransfer.storage import parquet

COLUMNS = ("suite", "task", "group", "dimension", "winner")


def winners(suites: Mapping[str, Mapping], files: Mapping[str, Sequence[str]]) -> pa.Table:
    """One row a numeric dimension of a task: the mean place of its winners, in octaves on log axes.

    A suite's `winners` says of how many. What is known of a task's place is in columns of its own.
    """
    rows: list[dict[str, Any]] = []
    for name, suite in suites.items():
        domain, tasks = sources.load(suite, files[name])
        for task in tasks:
            best = task.winners(suite["winners"])[:, : len(domain.numeric)].mean(axis=0)
            rows += [
                {**task.place, "suite": name, "task": task.name, "group": task.group,
                 "dimension": d.name, "winner": d.measured(float(x))}
                for d, x in zip(domain.numeric, best, strict=True)
            ]  # fmt: skip
    names = list(dict.fromkeys([*COLUMNS, *(key for row in rows for key in row)]))
    return pa.table({n: parquet.axis_column([row.get(n) for row in rows]) for n in names})
