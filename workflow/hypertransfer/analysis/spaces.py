"""Learned search spaces: regrets of searchers over tasks, regions, and drift of winners."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from hypertransfer.analysis.curves import slope_per_doubling
from hypertransfer.analysis.estimate import AnalysisError, Estimate
from hypertransfer.analysis.intervals import FEWEST, LEVEL, quantile
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import pandas as pd
from hypertransfer.analysis.tables import need

GROUP = "group"  # the column that tells independent units apart: data sets


def split_columns(by: str) -> list[str]:
    """The columns that identify a unit, from a text of their names separated by commas."""
    return [name.strip() for name in by.split(",")]


def check_one(table: pd.DataFrame, columns: Sequence[str], by: str) -> None:
    """Check that rows have one value in each column that `by` does not name.

    Raises:
        AnalysisError: rows of several values would be averaged.
    """
    for column in columns:
        values = list(dict.fromkeys(table[column])) if column in table else []
        if len(values) > 1 and column not in split_columns(by):
            raise AnalysisError(several(column, values))


def check_same_tasks(
    names: Sequence[str], tables: Sequence[pd.DataFrame], by: str, verb: str = "have"
) -> None:
    """Check that two tables have the same units, and the same tasks in each unit.

    Args:
        names: what the error calls the tables.
        tables: the two tables.
        by: the columns that identify a unit (see `split_columns`).
        verb: what the error says of the names.

    Raises:
        AnalysisError: a unit, or a task of a unit, is in one table only.
    """
    columns = split_columns(by)
    units = {"task": "tasks", GROUP: "groups"}.get(by, f"values of {by}")
    shown = {units: columns, "tasks": ["task"]}
    for noun, own in shown.items():
        compared = list(dict.fromkeys([*own, *columns]))
        first, second = ({*t[compared].itertuples(index=False, name=None)} for t in tables)
        if apart := sorted(", ".join(map(str, row[: len(own)])) for row in first ^ second):
            text = f"{' and '.join(names)} {verb} different {noun}, such as {apart[0]}"
            raise AnalysisError(f"{text}: choose common {noun} by `where`")
    first, second = (set(table[GROUP]) for table in tables)
    if apart := sorted(map(str, first ^ second)):
        text = f"{' and '.join(names)} {verb} different groups, such as {apart[0]}"
        raise AnalysisError(f"{text}: choose common groups by `where`")


def several(column: str, values: Sequence[str]) -> str:
    """A text on several values of which a condition has to choose one."""
    return (
        f"several values of {column} are selected, {', '.join(values)}: "
        f"add `{column}: {values[0]}` to where"
    )


def over_groups(values: pd.Series | pd.DataFrame, table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Means over the units of each group, groups in the order of their names.

    Tasks of one data set, such as those of several seeds, are alike, so they are no independent
    evidence: intervals are over groups. A unit whose rows belong to several groups is its own.

    Args:
        values: a row for each unit, with the columns of `by` as index.
        table: the rows of the units, with the column `group`.
        by: the columns that identify a unit (see `split_columns`).
    """
    columns = split_columns(by)
    need("selected rows", table, (*columns, GROUP))
    groups = table.groupby(columns)[GROUP].agg(["first", "nunique"]).reindex(values.index)
    own = pd.Series([str(unit) for unit in values.index], groups.index)
    labels = groups["first"].where(groups["nunique"] == 1, own)
    return values.groupby(labels.to_numpy()).mean()


def regret_curves(replays: pd.DataFrame, method: str, by: str = "task") -> np.ndarray:
    """Mean regrets (group, evaluation) of a method, groups in the order of their names.

    The mean is taken over the repeats of a task, then over the tasks of a unit, and then over the
    units of a group (see `over_groups`). `by` names the columns that identify a unit (see
    `split_columns`).

    Raises:
        AnalysisError: no replay has the method, or several replays have it.
    """
    columns = split_columns(by)
    need("replays", replays, (*columns, "method", "regrets"))
    chosen = replays[replays["method"] == method]
    if chosen.empty:
        known = ", ".join(dict.fromkeys(replays["method"]))
        raise AnalysisError(f"no method {method!r} in these replays; known: {known}")
    if chosen["replay"].nunique() > 1:
        raise AnalysisError(f"several replays have the method {method!r}: choose one by `where`")

    def of_unit(unit: pd.DataFrame) -> np.ndarray:
        tasks = [np.stack(task["regrets"]).mean(axis=0) for _, task in unit.groupby("task")]
        return np.stack(tasks).mean(axis=0)

    units = {key: of_unit(unit) for key, unit in chosen.groupby(columns)}
    index = pd.MultiIndex.from_tuples(list(units), names=columns)
    index = index if len(columns) > 1 else index.get_level_values(0)
    return over_groups(pd.DataFrame(list(units.values()), index), chosen, by).to_numpy()


def paired_curves(
    replays: pd.DataFrame, methods: Sequence[str], by: str = "task"
) -> dict[str, np.ndarray]:
    """The curves of `regret_curves` of several methods, with the same groups in the same order.

    Raises:
        AnalysisError: the methods searched different units, or different tasks of a unit.
    """
    curves = {name: regret_curves(replays, name, by) for name in methods}
    first, *others = methods
    for name in others:
        tables = [replays[replays["method"] == method] for method in (first, name)]
        check_same_tasks((first, name), tables, by, "searched")
    return curves


def regrets_at(
    replays: pd.DataFrame, methods: Sequence[str], evaluations: int, by: str
) -> dict[str, np.ndarray]:
    """Regrets (group,) of methods on the same tasks, after a number of evaluations.

    Raises:
        AnalysisError: the number is below 1, a method has fewer evaluations, or the methods
            searched different tasks.
    """
    curves = paired_curves(replays, methods, by)
    for name, curve in curves.items():
        if not 1 <= evaluations <= curve.shape[1]:
            raise AnalysisError(
                f"at: {evaluations} is not among the evaluations 1 to {curve.shape[1]} of {name}"
            )
    return {name: curve[:, evaluations - 1] for name, curve in curves.items()}


def regret_band(curves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends of Student's 95 % interval of the mean of curves (group, evaluation) over groups.

    Both are nan for fewer than three groups.
    """
    count = len(curves)
    if count < FEWEST:
        return (np.full(curves.shape[1], np.nan),) * 2
    half = quantile(LEVEL, count - 1) * curves.std(axis=0, ddof=1) / math.sqrt(count)
    return curves.mean(axis=0) - half, curves.mean(axis=0) + half


def evaluations_until(curve: np.ndarray, goal: float) -> Estimate:
    """The evaluation at which a curve of means comes down to a goal, known to one evaluation.

    Without it, the number of evaluations is at least that of the curve, and open above.
    """
    first = evaluations_to(curve, goal)
    return Estimate(first, min(first - 1, len(curve)), first)


def evaluations_to(curve: np.ndarray, goal: float) -> float:
    """The first evaluation at which a curve is at or below a goal, up to rounding; else +inf."""
    reached = curve <= goal + 1e-12
    return float(reached.argmax() + 1) if reached.any() else float("inf")


def per_group(
    regions: pd.DataFrame, quantity: str, by: str, scale: Callable = lambda values: values
) -> pd.Series:
    """The mean of a quantity of regions over repeats, tasks of a unit, and units of a group.

    `scale` is applied to the values before they are averaged. See `over_groups`.
    """
    columns = split_columns(by)
    need("regions", regions, (*columns, quantity))
    values = scale(regions[quantity].astype(float))
    tasks = regions.assign(value=values).groupby([*dict.fromkeys([*columns, "task"])])
    return over_groups(tasks["value"].mean().groupby(level=columns).mean(), regions, by)


def geometric_means(table: pd.DataFrame) -> pd.Series:
    """The geometric mean of each column."""
    return np.exp(np.log(table).mean())


def winner_slopes(winners: pd.DataFrame, size: str, by: str) -> np.ndarray:
    """Octaves by which the winners of each group move per doubling of a size, shape (group,).

    There is one slope for each unit that `by` tells apart, and the slopes of a group are averaged.

    Raises:
        AnalysisError: no unit has winners at two sizes.
    """
    columns = split_columns(by)
    need("winners", winners, (size, "winner", *columns))
    moved = winners.groupby(columns).filter(lambda part: part[size].nunique() > 1)
    if moved.empty:
        raise AnalysisError(f"no {by} has winners at two values of {size}")
    slopes = moved.groupby(columns)[[size, "winner"]].apply(
        lambda part: slope_per_doubling(part[size], part["winner"])
    )
    return over_groups(slopes, moved, by).to_numpy(float)
