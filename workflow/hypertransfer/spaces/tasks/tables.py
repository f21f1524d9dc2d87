"""Any table of past evaluations as tasks: a CSV or Parquet file, and what its columns mean.

    task: [data, shape.width]      # columns that together name a task
    group: data                    # a column that relates tasks (the task itself, if left out)
    loss: final_loss               # what is minimised; or `score`, which is maximised
    where: {grid: sweep}           # rows that are meant
    dimensions:
      lr: {low: 1.0e-4, high: 1, log: true}
    curves: {columns: [after_8, final_loss], work: [0.125, 1]}

Rows of one task that agree in all dimensions, such as seeds, are one evaluation with their mean
loss. A loss that is missing or not finite, or a `status` of `diverged`, counts as +inf. The
description is checked when a workflow is planned: pandas is imported only to read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypertransfer.runs.conditions import matches
from hypertransfer.runs.problem import NO_VALUE, Problem, ProblemError
from hypertransfer.spaces.dimensions import Domain
from hypertransfer.spaces.dimensions import problems as dimension_problems

if TYPE_CHECKING:
    import pandas as pd

    from hypertransfer.spaces.learning import Task

KEYS = ("task", "group", "loss", "score", "where", "dimensions", "curves")


class TableError(ValueError):
    """A table that is not as it was described: names file, column and what to do."""


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
            yield Problem(("task",), NO_VALUE, f"{name!r} stands twice")
        if name in dimensions:
            text = f"{name!r} is a dimension, too: a tuned hyperparameter cannot name a task"
            yield Problem(("task",), NO_VALUE, text)
    for key in ("loss", "score"):
        if isinstance(about.get(key), str) and (about[key] in task or about[key] in dimensions):
            text = f"{about[key]!r} is a column of task or dimensions, too"
            yield Problem((key,), NO_VALUE, text)
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
    """Whether a value is a list of rising shares of the whole work, the last of which is 1."""
    numbers = isinstance(work, list) and all(isinstance(x, int | float) and x > 0 for x in work)
    return numbers and sorted(set(work)) == work and work[-1:] == [1]


def _work_problems(work: Any, count: int) -> Iterator[Problem]:
    path = ("curves", "work")
    if not are_shares(work):
        yield Problem(path, work, "a list of rising shares of the whole work that ends with 1")
    elif len(work) != count:
        text = f"{len(work)} shares for {count} columns: give each column its share"
        yield Problem(path, NO_VALUE, text)


def frame(path: Path) -> pd.DataFrame:
    """The rows of a CSV or Parquet file.

    Raises:
        TableError: it cannot be read as what its name says.
    """
    import pandas as pd
    import pyarrow as pa

    from hypertransfer.storage import parquet

    readers = {".csv": pd.read_csv, ".parquet": parquet.frame, ".pq": parquet.frame}
    if path.suffix not in readers:
        raise TableError(f"{path}: give a file that ends with {', '.join(readers)}")
    try:
        return readers[path.suffix](path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise TableError(f"{path}: cannot be read: {error}") from error


def tasks_of(table: pd.DataFrame, about: Mapping[str, Any], file: str) -> tuple[Domain, list[Task]]:
    """The space and the tasks of a table, for a sound description; `file` is for messages.

    Raises:
        TableError: columns are missing, no row is meant, or a value is outside its range.
    """
    import numpy as np

    domain = Domain.parse(about["dimensions"], ("dimensions",))
    loss = about.get("loss", about.get("score"))
    curves = about.get("curves", {"columns": [], "work": [1.0]})
    columns = [*about["task"], *domain.names, loss, *curves["columns"]]
    wanted = [*columns, *about.get("where", {}), *([about["group"]] if "group" in about else [])]
    if absent := [name for name in wanted if name not in table]:
        known = ", ".join(map(str, table))
        raise TableError(f"{file}: no column {', '.join(map(repr, absent))}; there is {known}")
    where = about.get("where", {})
    try:
        rows = table[[matches(where, row) for row in table[[*where]].to_dict("records")]]
    except TypeError as error:  # bounds of numbers on text
        raise TableError(f"{file}: where: {dict(where)!r} cannot be compared: {error}") from error
    if rows.empty:
        raise TableError(f"{file}: no row is selected by where: {dict(where)!r}")
    rows = rows.assign(**_lower_is_better(rows, loss, curves["columns"], "score" in about))
    by = [*about["task"], *domain.names]
    keep = [loss, *(c for c in curves["columns"] if c != loss)]
    with np.errstate(invalid="ignore"):
        means = rows.groupby(by, sort=False, dropna=False)[keep].mean().reset_index()
    means[keep] = means[keep].fillna(math.inf)
    groups = rows.groupby(about["task"], sort=False, dropna=False)
    parts = {_known(key): part for key, part in groups}
    tasks = [
        _task(key, part, parts[_known(key)], domain, about, file, loss, curves)
        for key, part in means.groupby(about["task"], sort=False, dropna=False)
    ]
    names = [task.name for task in tasks]
    if twice := [name for name in names if names.count(name) > 1]:
        text = f"two tasks have the name {twice[0]!r}: name them by other columns"
        raise TableError(f"{file}: {text}")
    return domain, tasks


def _key(key: Any) -> tuple:
    return key if isinstance(key, tuple) else (key,)


def _known(key: Any) -> tuple:
    """A key that can be looked up: NaN is not equal to itself."""
    return tuple(None if value != value else value for value in _key(key))


def _lower_is_better(
    rows: pd.DataFrame, loss: str, curves: Sequence[str], higher: bool
) -> dict[str, pd.Series]:
    """Losses and curves from the columns as they are in the file: each is turned round once."""
    out = {name: _finite(rows[name], higher) for name in (*curves, loss)}
    if "status" in rows:
        out[loss] = out[loss].mask(rows["status"] == "diverged", math.inf)
    return {**out, curves[-1]: out[loss]} if curves else out


def _finite(values: pd.Series, higher: bool) -> pd.Series:
    import numpy as np
    import pandas as pd

    numbers = pd.to_numeric(values, errors="coerce").astype(float) * (-1 if higher else 1)
    return numbers.where(np.isfinite(numbers), math.inf)


def _task(
    key: Any, part: pd.DataFrame, rows: pd.DataFrame, domain: Domain, about: Mapping[str, Any],
    file: str, loss: str, curves: Mapping[str, Sequence],
) -> Task:  # fmt: skip
    from hypertransfer.spaces.learning import Task

    values = [one.item() if hasattr(one, "item") else one for one in _key(key)]
    name = ", ".join(map(_text, values))
    try:
        points = domain.encode({n: part[n].tolist() for n in domain.names})
    except ProblemError as error:
        row = _first_outside(rows, domain)
        text = f"{file}: task {name}: {error}, in row {row}"
        raise TableError(f"{text}: widen the range in dimensions, or leave the row out") from error
    return Task(
        name, _group(rows, about, name, file), points, part[loss].to_numpy(float),
        dict(zip(about["task"], values, strict=True)),
        part[curves["columns"]].to_numpy(float) if curves["columns"] else None,
        tuple(curves["work"]),
    )  # fmt: skip


def _first_outside(rows: pd.DataFrame, domain: Domain) -> Any:
    """The first row whose values are not in the domain, the first of the table being row 1."""
    for index, *values in rows[domain.names].itertuples(name=None):
        try:
            domain.encode({n: [v] for n, v in zip(domain.names, values, strict=True)})
        except ProblemError:
            return index + 1
    return "?"


def _group(rows: pd.DataFrame, about: Mapping[str, Any], name: str, file: str) -> str:
    """What a task is related by.

    Raises:
        TableError: its rows do not agree.
    """
    if "group" not in about:
        return name
    found = list(dict.fromkeys(map(_text, rows[about["group"]].tolist())))
    if len(found) > 1:
        both = f"{found[0]!r} and {found[1]!r}"
        raise TableError(f"{file}: task {name}: group {about['group']!r} is both {both}")
    return found[0]


def _text(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value or math.isnan(value) else repr(value)
