"""Descriptions of tables of past evaluations, and their checks.

    task: [data, shape.width]      # columns that together name a task
    group: data                    # column that relates tasks; default: every task is its own group
    loss: final_loss               # column to minimise; or `score`, a column to maximise
    where: {grid: sweep}           # rows to read
    dimensions:
      lr: {low: 1.0e-4, high: 1, log: true}
    curves: {columns: [after_8, final_loss], work: [0.125, 1]}  # the last column is the loss

Rows of one task with equal values in all dimensions, such as seeds, form one evaluation with their
mean loss. An evaluation diverged, and counts as +inf, if its loss is written as inf or nan, or if
its `state` or `status` is `diverged`; a loss that cannot be read is an error. Trials that did not
finish are left out (`unfinished`). Planning checks descriptions, so this module does not import
pandas; `table_file` reads files, and `read_table` makes tasks of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hypertransfer.runs.problem import NO_VALUE, Problem
from hypertransfer.spaces.dimensions import problems as dimension_problems

KEYS = ("task", "group", "loss", "score", "where", "dimensions", "curves")


class TableError(ValueError):
    """A table does not match its description."""


def problems(about: Any) -> Iterator[Problem]:
    """Every problem of the description of a table."""
    if not isinstance(about, Mapping):
        yield Problem((), about, f"a mapping with {', '.join(KEYS)}")
        return
    for key in about:
        if key not in KEYS:
            yield Problem((str(key),), NO_VALUE, f"unknown key; known: {', '.join(KEYS)}")
    columns = about.get("task")
    if not _are_names(columns):
        yield Problem(("task",), columns, "a list of the columns that name a task")
    for key in ("group", "loss", "score"):
        if key in about and not isinstance(about[key], str):
            yield Problem((key,), about[key], "the name of a column")
    if ("loss" in about) == ("score" in about):
        text = "write either loss, which is minimised, or score, which is maximised"
        yield Problem(("loss",), NO_VALUE, text)
    if not isinstance(about.get("where", {}), Mapping):
        yield Problem(("where",), about["where"], "a mapping of columns to values")
    yield from dimension_problems(about.get("dimensions"), ("dimensions",))
    if "curves" in about:
        yield from _curve_problems(about["curves"])
    yield from _role_problems(about)


def _role_problems(about: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of columns that have two roles at once."""
    task = about["task"] if _are_names(about.get("task")) else []
    dimensions = about.get("dimensions")
    dimensions = dimensions if isinstance(dimensions, Mapping) else {}
    for name in dict.fromkeys(task):
        if task.count(name) > 1:
            yield Problem(("task",), NO_VALUE, f"{name!r} occurs twice")
        if name in dimensions:
            text = f"{name!r} is a dimension, too: a tuned hyperparameter cannot name a task"
            yield Problem(("task",), NO_VALUE, text)
    for key in ("loss", "score"):
        if isinstance(about.get(key), str) and (about[key] in task or about[key] in dimensions):
            text = f"{about[key]!r} is a column of task or dimensions, too"
            yield Problem((key,), NO_VALUE, text)
    curves = about.get("curves")
    listed = curves.get("columns") if isinstance(curves, Mapping) else []
    for name in listed if _are_names(listed) else []:
        if name in task or name in dimensions:
            text = f"{name!r} is a column of task or dimensions, too"
            yield Problem(("curves", "columns"), NO_VALUE, text)
    if dimensions and all(isinstance(d, Mapping) and "choices" in d for d in dimensions.values()):
        text = "are choices only: a region needs at least one range"
        yield Problem(("dimensions",), NO_VALUE, text)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)


def _curve_problems(curves: Any) -> Iterator[Problem]:
    if not isinstance(curves, Mapping) or set(curves) != {"columns", "work"}:
        yield Problem(("curves",), curves, "{columns: […], work: […]}")
    elif not _are_names(curves["columns"]):
        yield Problem(("curves", "columns"), curves["columns"], "a list of columns")
    else:
        yield from _work_problems(curves["work"], len(curves["columns"]))


def are_shares(work: Any) -> bool:
    """Whether a value is a list of increasing shares of the whole work that ends with 1."""
    numbers = isinstance(work, list) and all(isinstance(x, int | float) and x > 0 for x in work)
    return numbers and sorted(set(work)) == work and work[-1:] == [1]


def _work_problems(work: Any, count: int) -> Iterator[Problem]:
    path = ("curves", "work")
    if not are_shares(work):
        yield Problem(path, work, "a list of rising shares of the whole work that ends with 1")
    elif len(work) != count:
        text = f"{len(work)} shares for {count} columns: give each column its share"
        yield Problem(path, NO_VALUE, text)
