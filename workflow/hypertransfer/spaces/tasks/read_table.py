"""Tasks from a table of past evaluations; `tables` describes the format."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hypertransfer.spaces.dimensions import Dimension, Domain
from hypertransfer.spaces.tasks import reports, states, table_file, unfinished
from hypertransfer.spaces.tasks.read_losses import losses_of
from hypertransfer.spaces.tasks.select_rows import selected
from hypertransfer.spaces.tasks.tables import TableError
from hypertransfer.spaces.tasks.task import Task
from hypertransfer.spaces.tasks.written_values import number, numbers_if_all, value_in

log = logging.getLogger(__name__)
MOST_SHOWN = 10  # names of tasks in a line


def read(
    path: Path, about: Mapping[str, Any], say: Callable[[str], object] = log.info
) -> tuple[Domain, list[Task]]:
    """The search space and the tasks of a CSV or Parquet file; see `tasks_of`.

    Names of tasks, groups and trials, and choices, are the texts that a CSV file holds.

    Raises:
        TableError: the file cannot be read, or does not match its description.
    """
    dimensions = about["dimensions"].items()
    names = {*about["task"], about.get("group"), *(n for n, d in dimensions if "choices" in d)}
    curves = about["curves"]["columns"] if "curves" in about else []
    loss = about.get("loss", about.get("score"))
    table = table_file.frame(
        path,
        lambda n: n in names or states.name_of(n) == reports.TRIAL,
        {*names, *about.get("where", {}), *about["dimensions"], *curves, loss},
    )
    return tasks_of(table, about, str(path), say)


def tasks_of(
    table: pd.DataFrame,
    about: Mapping[str, Any],
    file: str,
    say: Callable[[str], object] = log.info,
    *,
    keep_order: bool = False,
) -> tuple[Domain, list[Task]]:
    """The search space and the tasks of a table.

    Args:
        table: the rows, with losses as they are in the file.
        about: a valid description.
        file: the file's name, for messages.
        say: is called with lines on rows that are left out, as their trials did not finish, on rows
            that count although their trials may not have finished, on rows that are averaged, and
            on tasks with one evaluation.
        keep_order: whether tasks and evaluations stay in the order of the rows. Otherwise they are
            sorted by their values, so that ties of losses do not depend on the order of the rows.

    Raises:
        TableError: a column is missing, `where` selects no row, a loss cannot be read, a value is
            not in its dimension, a task's rows are of several groups, two tasks have one name, or
            the curves do not end with the loss.
    """
    domain = Domain.parse(about["dimensions"], ("dimensions",))
    loss = about.get("loss", about.get("score"))
    curves = about.get("curves", {"columns": [], "work": [1.0]})
    names = [*about["task"], *([about["group"]] if "group" in about else [])]
    used = [*about["task"], *domain.names, loss, *curves["columns"]]
    rows = selected(_stripped(table, names), about, used, file)
    _check_names(rows, names, file)
    used = [*used, *names]
    rows, notes = unfinished.finished(rows, about, used, file)
    for note in notes:
        say(note)
    diverged = unfinished.diverged(rows, used)
    losses = losses_of(rows, about, diverged, file)
    values = {d.name: _values(rows, d, about, file) for d in domain.dimensions}
    rows = rows.copy()
    for name, column in {**losses, **values}.items():
        rows[name] = column
    columns = [*about["task"], *domain.names]
    if not keep_order:
        rows = _sorted(rows, about["task"], [*columns, *losses])
    attributes = {
        name: dict(zip(rows[name], numbers_if_all(rows[name].tolist()), strict=True))
        for name in about["task"]
    }
    means = _means(rows, columns, [loss, *curves["columns"]])
    if len(means) < len(rows):
        say(_averaged(rows, columns, used, len(means)))
    groups = rows.groupby(about["task"], sort=False, dropna=False)
    parts = {_hashable(key): part for key, part in groups}
    tasks = [
        _task(key, part, parts[_hashable(key)], domain, about, file, loss, curves, attributes)
        for key, part in means.groupby(about["task"], sort=False, dropna=False)
    ]
    _check_tasks(tasks, file, say)
    return domain, tasks


def _check_tasks(tasks: Sequence[Task], file: str, say: Callable[[str], object]) -> None:
    """Check that no two tasks have one name, and `say` which have one evaluation only.

    Such a task may be a name that is misspelt in one row.

    Raises:
        TableError: two tasks have one name.
    """
    names = Counter(task.name for task in tasks)
    if duplicates := [name for name, count in names.items() if count > 1]:
        text = f"two tasks have the name {duplicates[0]!r}: name them by other columns"
        raise TableError(f"{file}: {text}")
    single = [task.name for task in tasks if len(task.losses) == 1]
    if single and len(tasks) > 1:
        shown = ", ".join(map(repr, single[:MOST_SHOWN]))
        more = ", …" if len(single) > MOST_SHOWN else ""
        say(f"{len(single)} of {len(tasks)} tasks have one evaluation each: {shown}{more}")


def _stripped(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The table with columns of names without blanks around the names."""
    strip = {
        name: [value.strip() if isinstance(value, str) else value for value in table[name]]
        for name in names
        if name in table
    }
    return table.assign(**{n: pd.Series(v, table.index, dtype=object) for n, v in strip.items()})


def _averaged(rows: pd.DataFrame, by: Sequence[str], used: Sequence[str], count: int) -> str:
    """A line on rows of one evaluation, which are averaged, and on the columns they differ in.

    A column with no more values than an evaluation has rows is a setting, such as a seed. A column
    with more may be a measurement, a key of rows or a setting: the line says so.
    """
    evaluations = rows.groupby(list(by), sort=False, dropna=False)
    numbers, most = evaluations.ngroup(), int(evaluations.size().max())
    settings, others = [], []
    for name in (name for name in rows if name not in used):
        values = rows[name].map(str)
        if (values.groupby(numbers).nunique() > 1).any():
            (settings if values.nunique() <= most else others).append(str(name))
    text = f"{len(rows)} rows became {count} evaluations; rows of one evaluation "
    text += f"differ in {', '.join(settings)}" if settings else "are averaged"
    if not others:
        return text
    return (
        f"{text}; they also differ in {_listed(others)}, which may be measurements or keys: "
        "name a setting among these in `dimensions` or `task`"
    )


def _listed(names: Sequence[str]) -> str:
    """The first names of columns, and an ellipsis if there are more."""
    return ", ".join(names[:MOST_SHOWN]) + (", …" if len(names) > MOST_SHOWN else "")


def _sorted(rows: pd.DataFrame, task: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """The rows in the order of their values; tasks with sizes as names in that of the sizes."""
    names = [pd.Series(numbers_if_all(rows[name].tolist()), dtype=object) for name in task]
    keys = [_ranks(column) for column in (*names, *(rows[name] for name in columns))]
    return rows.iloc[np.lexsort(keys[::-1])]  # by the first key first


def _ranks(values: pd.Series) -> np.ndarray:
    """Numbers in the order of `_order` of the values; equal for equal values."""
    if values.dtype.kind in "if" and not values.isna().any():
        return values.to_numpy()
    keys = list(map(_order, values))
    ranks = {key: rank for rank, key in enumerate(sorted(set(keys)))}
    return np.array([ranks[key] for key in keys])


def _check_names(rows: pd.DataFrame, names: Sequence[str], file: str) -> None:
    """Check that names of tasks, groups and trials are texts or numbers, and the former not empty.

    Raises:
        TableError: a name is a list or a mapping, or the name of a task or a group is missing.
    """
    trial = states.first(list(rows), [reports.TRIAL])
    for name in (*names, *([] if trial is None else [trial])):
        for index, value in rows[name].items():
            if not isinstance(value, Hashable):
                kind = "list" if isinstance(value, list) else "mapping"
                text = f"{name}: {value!r} in row {index + 1} is a {kind}"
                raise TableError(f"{file}: {text}, and a name has to be a text or a number")
            if name in names and table_file.is_empty(value):
                text = f"{name}: is empty in row {index + 1}"
                raise TableError(f"{file}: {text}: write a name, or leave the row out by `where`")


def _values(
    rows: pd.DataFrame, dimension: Dimension, about: Mapping[str, Any], file: str
) -> list[Any]:
    """The values of a dimension as numbers of its range, or as its choices."""
    values = []
    for index, written in rows[dimension.name].items():
        value = value_in(dimension, written)
        if (wrong := _outside(written, value, dimension)) is not None:
            task = ", ".join(_text(rows.at[index, name]) for name in about["task"])
            wanted, advice = wrong
            fault = f"{written!r} is not {wanted}"
            if table_file.is_empty(written):
                fault, advice = "is empty", "write a value"
            text = f"{dimension.name}: {fault}, in row {index + 1}"
            raise TableError(f"{file}: task {task}: {text}: {advice}, or leave the row out")
        values.append(round(value) if dimension.integer else value)
    return values


def _outside(written: Any, value: Any, dimension: Dimension) -> tuple[str, str] | None:
    """What a dimension takes instead of a value, and an advice; None for a value of its range.

    `value` is what was read of the written value; None if it is no number, or no choice.
    """
    if not dimension.numeric:
        known = ", ".join(map(repr, dimension.choices))
        words = (f"one of {known}", "write it into choices in dimensions")
        return words if value is None else None
    if value is None:
        return "a number", _as_number(written)
    if not dimension.spans(value):
        return dimension.expected, "widen the range in dimensions"
    if not dimension.holds(value):
        return "a whole number", "take integer: true out of dimensions"
    return None


def _as_number(written: Any) -> str:
    """An advice on a value that is no number."""
    with_point = str(written).strip().replace(",", ".")
    if not isinstance(written, str) or number(with_point) is None:
        return "write a number"
    if len(with_point.rpartition(".")[2]) == 3:  # the comma may separate thousands
        return "write a number without a comma"
    return f"write {with_point}"


def _order(value: Any) -> tuple[int, float, str]:
    """A key that sorts values of several types: numbers, then texts, then what is missing."""
    if isinstance(value, int | float | np.number) and value == value:
        return (0, float(value), "")
    return (2, 0.0, "") if value is None or value != value else (1, 0.0, str(value))


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
    attributes: Mapping[str, Mapping[Any, Any]],
) -> Task:
    """The task with a key.

    `part` has one row for each evaluation of the task, and `rows` the rows of the task in the file.
    `attributes` has the values of the columns that name the task, with texts of numbers as numbers.

    Raises:
        TableError: a value lies outside its range, or the rows belong to several groups.
    """
    values = [value.item() if hasattr(value, "item") else value for value in _key(key)]
    name = ", ".join(map(_text, values))
    points = domain.encode({n: part[n].tolist() for n in domain.names})
    return Task(
        name,
        _group(rows, about, name, file),
        points,
        part[loss].to_numpy(float),
        {n: attributes[n].get(v, v) for n, v in zip(about["task"], values, strict=True)},
        part[curves["columns"]].to_numpy(float) if curves["columns"] else None,
        tuple(curves["work"]),
    )


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
