"""Tasks from a table of past evaluations, a CSV or Parquet file; `tables` describes the format."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from hypertransfer.runs.conditions import matches
from hypertransfer.runs.problem import ProblemError
from hypertransfer.spaces.dimensions import Domain
from hypertransfer.spaces.tasks.tables import TableError
from hypertransfer.spaces.tasks.task import Task
from hypertransfer.storage import parquet

READERS = {".csv": pd.read_csv, ".parquet": parquet.frame, ".pq": parquet.frame}


def frame(path: Path) -> pd.DataFrame:
    """The rows of a CSV or Parquet file.

    Raises:
        TableError: the file's suffix is not known, or the file cannot be read.
    """
    if path.suffix not in READERS:
        raise TableError(f"{path}: give a file that ends with {', '.join(READERS)}")
    try:
        return READERS[path.suffix](path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise TableError(f"{path}: cannot be read: {error}") from error


def tasks_of(table: pd.DataFrame, about: Mapping[str, Any], file: str) -> tuple[Domain, list[Task]]:
    """The search space and the tasks of a table.

    Args:
        table: the rows of the file.
        about: a description in which `tables.problems` finds no problem.
        file: the name of the file, for messages.

    Raises:
        TableError: a column is missing, `where` selects no row, a value lies outside its range, a
            task has rows of several groups, or two tasks have the same name.
    """
    domain = Domain.parse(about["dimensions"], ("dimensions",))
    loss = about.get("loss", about.get("score"))
    curves = about.get("curves", {"columns": [], "work": [1.0]})
    rows = _selected(table, about, [*domain.names, loss, *curves["columns"]], file)
    rows = rows.assign(**_lower_is_better(rows, loss, curves["columns"], "score" in about))
    means = _means(rows, [*about["task"], *domain.names], [loss, *curves["columns"]])
    groups = rows.groupby(about["task"], sort=False, dropna=False)
    parts = {_hashable(key): part for key, part in groups}
    tasks = [
        _task(key, part, parts[_hashable(key)], domain, about, file, loss, curves)
        for key, part in means.groupby(about["task"], sort=False, dropna=False)
    ]
    names = [task.name for task in tasks]
    if duplicates := [name for name in names if names.count(name) > 1]:
        text = f"two tasks have the name {duplicates[0]!r}: name them by other columns"
        raise TableError(f"{file}: {text}")
    return domain, tasks


def _selected(
    table: pd.DataFrame, about: Mapping[str, Any], columns: Sequence[str], file: str
) -> pd.DataFrame:
    """The rows that `where` selects.

    Raises:
        TableError: a column is missing, values cannot be compared, or no row is selected.
    """
    where = about.get("where", {})
    wanted = [*about["task"], *columns, *where, *([about["group"]] if "group" in about else [])]
    if absent := [name for name in wanted if name not in table]:
        known = ", ".join(map(str, table))
        text = f"no column {', '.join(map(repr, absent))}; the columns are {known}"
        raise TableError(f"{file}: {text}")
    try:
        rows = table[[matches(where, row) for row in table[[*where]].to_dict("records")]]
    except TypeError as error:  # numeric bounds for a column of text
        raise TableError(f"{file}: where: {dict(where)!r} cannot be compared: {error}") from error
    if rows.empty:
        raise TableError(f"{file}: no row is selected by where: {dict(where)!r}")
    return rows


def _lower_is_better(
    rows: pd.DataFrame, loss: str, curves: Sequence[str], higher: bool
) -> dict[str, pd.Series]:
    """The columns of the loss and the curves, such that lower is better, and +inf if diverged.

    The last column of the curves is replaced by the loss.
    """
    columns = {name: _finite_or_inf(rows[name], higher) for name in (*curves, loss)}
    if "status" in rows:
        columns[loss] = columns[loss].mask(rows["status"] == "diverged", math.inf)
    return {**columns, curves[-1]: columns[loss]} if curves else columns


def _finite_or_inf(values: pd.Series, higher: bool) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce").astype(float) * (-1 if higher else 1)
    return numbers.where(np.isfinite(numbers), math.inf)


def _means(rows: pd.DataFrame, by: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """The means of columns over rows with equal values in `by`, e.g. over seeds; inf stays inf."""
    columns = list(dict.fromkeys(columns))
    with np.errstate(invalid="ignore"):
        means = rows.groupby(list(by), sort=False, dropna=False)[columns].mean().reset_index()
    means[columns] = means[columns].fillna(math.inf)
    return means


def _key(key: Any) -> tuple:
    return key if isinstance(key, tuple) else (key,)


def _hashable(key: Any) -> tuple:
    """The key of a group, with None in place of NaN, which does not equal itself."""
    return tuple(None if value != value else value for value in _key(key))


def _task(
    key: Any,
    part: pd.DataFrame,
    rows: pd.DataFrame,
    domain: Domain,
    about: Mapping[str, Any],
    file: str,
    loss: str,
    curves: Mapping[str, Sequence],
) -> Task:
    """The task with a key.

    `part` has one row for each evaluation of the task, and `rows` the rows of the task in the file.

    Raises:
        TableError: a value lies outside its range, or the rows belong to several groups.
    """
    values = [value.item() if hasattr(value, "item") else value for value in _key(key)]
    name = ", ".join(map(_text, values))
    try:
        points = domain.encode({n: part[n].tolist() for n in domain.names})
    except ProblemError as error:
        row = _first_outside(rows, domain)
        text = f"{file}: task {name}: {error}, in row {row}"
        raise TableError(f"{text}: widen the range in dimensions, or leave the row out") from error
    return Task(
        name,
        _group(rows, about, name, file),
        points,
        part[loss].to_numpy(float),
        dict(zip(about["task"], values, strict=True)),
        part[curves["columns"]].to_numpy(float) if curves["columns"] else None,
        tuple(curves["work"]),
    )


def _first_outside(rows: pd.DataFrame, domain: Domain) -> Any:
    """The number, counted from 1, of the first row with a value outside the domain."""
    for index, *values in rows[domain.names].itertuples(name=None):
        try:
            domain.encode({n: [v] for n, v in zip(domain.names, values, strict=True)})
        except ProblemError:
            return index + 1
    return "?"


def _group(rows: pd.DataFrame, about: Mapping[str, Any], name: str, file: str) -> str:
    """The group of a task; the name of the task if the description has no `group`.

    Raises:
        TableError: the rows of the task belong to several groups.
    """
    if "group" not in about:
        return name
    groups = list(dict.fromkeys(map(_text, rows[about["group"]].tolist())))
    if len(groups) > 1:
        both = f"{groups[0]!r} and {groups[1]!r}"
        raise TableError(f"{file}: task {name}: group {about['group']!r} is both {both}")
    return groups[0]


def _text(value: Any) -> str:
    """A value as text; a float has six digits if these are exact, else all digits."""
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value or math.isnan(value) else repr(value)
