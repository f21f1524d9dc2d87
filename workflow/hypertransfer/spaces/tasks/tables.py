"""Descriptions of tables of past evaluations, and their checks.

    task: [data, shape.width]      # columns that together name a task
    group: data                    # column that relates tasks; default: every task is its own group
    loss: final_loss               # column to minimise; or `score`, a column to maximise
    where: {grid: sweep}           # rows to read
    dimensions:
      lr: {low: 1.0e-4, high: 1, log: true}
    curves: {columns: [after_8, final_loss], work: [0.125, 1]}

Rows of one task that agree in all dimensions, such as seeds, are one evaluation with their mean
loss. A missing or infinite loss, or the `status` `diverged`, counts as +inf. Descriptions are
checked when a workflow is planned, so this module imports nothing heavy; `read_table` reads tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hypertransfer.spaces.dimensions import problems as dimension_problems

KEYS = ("task", "group", "loss", "score", "where", "dimensions", "curves")
Fault = tuple[tuple[str, ...], str]


class TableError(ValueError):
    """A table that does not match its description."""


def problems(about: Any) -> Iterator[Fault]:
    """What is wrong with a description: the path in it, and the words."""
    if not isinstance(about, Mapping):
        yield (), f"{about!r} is not a mapping with {', '.join(KEYS)}"
        return
    for key in about:
        if key not in KEYS:
            yield (str(key),), f"unknown key; known: {', '.join(KEYS)}"
    columns = about.get("task")
    if not _names(columns):
        yield ("task",), f"{columns!r} is not a list of the columns that name a task"
    for key in ("group", "loss", "score"):
        if key in about and not isinstance(about[key], str):
            yield (key,), f"{about[key]!r} is not the name of a column"
    if ("loss" in about) == ("score" in about):
        yield ("loss",), "write one of loss, which is minimised, and score, which is maximised"
    if not isinstance(about.get("where", {}), Mapping):
        yield ("where",), f"{about['where']!r} is not a mapping of columns to values"
    yield from (
        (tuple(error.path.split(".", 1)), error.text)
        for error in dimension_problems(about.get("dimensions"), "dimensions")
    )
    if "curves" in about:
        yield from _curve_problems(about["curves"])
    yield from _role_problems(about)


def _role_problems(about: Mapping[str, Any]) -> Iterator[Fault]:
    """Columns that are to mean two things at once."""
    task = about["task"] if _names(about.get("task")) else []
    dimensions = about.get("dimensions")
    dimensions = dimensions if isinstance(dimensions, Mapping) else {}
    for name in dict.fromkeys(task):
        if task.count(name) > 1:
            yield ("task",), f"{name!r} stands twice"
        if name in dimensions:
            yield ("task",), f"{name!r} is a dimension, too: what is tuned does not name a task"
    for key in ("loss", "score"):
        if isinstance(about.get(key), str) and (about[key] in task or about[key] in dimensions):
            yield (key,), f"{about[key]!r} is a column of task or dimensions, too"
    if dimensions and all(isinstance(d, Mapping) and "choices" in d for d in dimensions.values()):
        yield ("dimensions",), "are choices only: a region wants at least one range"


def _names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)


def _curve_problems(curves: Any) -> Iterator[Fault]:
    if not isinstance(curves, Mapping) or set(curves) != {"columns", "work"}:
        yield ("curves",), f"{curves!r} is not {{columns: […], work: […]}}"
    elif not _names(curves["columns"]):
        yield ("curves", "columns"), f"{curves['columns']!r} is not a list of columns"
    else:
        yield from _work_problems(curves["work"], len(curves["columns"]))


def are_shares(work: Any) -> bool:
    """Whether it is a list of rising shares of the whole work, the last of which is 1."""
    numbers = isinstance(work, list) and all(isinstance(x, int | float) and x > 0 for x in work)
    return numbers and sorted(set(work)) == work and work[-1:] == [1]


def _work_problems(work: Any, count: int) -> Iterator[Fault]:
    place = ("curves", "work")
    if not are_shares(work):
        yield place, f"{work!r} is not a list of rising shares of the whole work that ends with 1"
    elif len(work) != count:
        yield place, f"{len(work)} shares for {count} columns: one for each"
