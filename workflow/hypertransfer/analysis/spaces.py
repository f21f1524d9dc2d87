"""Learned search spaces: regrets of searchers over tasks, regions, and drift of winners."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypertransfer.analysis.curves import slope_per_doubling
from hypertransfer.analysis.estimate import AnalysisError
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import pandas as pd
from hypertransfer.analysis.tables import need

DRAWS = 1000  # resamples of tasks for a confidence band


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


def units(by: str) -> str:
    """The plural noun for the units that `by` distinguishes: tasks, or groups of them."""
    return "tasks" if by == "task" else "groups"


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
    shown = {units(by): columns, "tasks": ["task"]}
    for noun, own in shown.items():
        compared = list(dict.fromkeys([*own, *columns]))
        first, second = ({*t[compared].itertuples(index=False, name=None)} for t in tables)
        if apart := sorted(", ".join(map(str, row[: len(own)])) for row in first ^ second):
            text = f"{' and '.join(names)} {verb} different {noun}, such as {apart[0]}"
            raise AnalysisError(f"{text}: choose common {noun} by `where`")


def several(column: str, values: Sequence[str]) -> str:
    """A text on several values of which a condition has to choose one."""
    return (
        f"several values of {column} are selected, {', '.join(values)}: "
        f"add `{column}: {values[0]}` to where"
    )


def regret_curves(replays: pd.DataFrame, method: str, by: str = "task") -> np.ndarray:
    """Mean regrets (unit, evaluation) of a method, units in the order of their names.

    The mean is taken over the repeats of a task, and then over the tasks of a unit. `by` names the
    columns that identify a unit (see `split_columns`).

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

    return np.stack([of_unit(unit) for _, unit in chosen.groupby(columns)])


def paired_curves(
    replays: pd.DataFrame, methods: Sequence[str], by: str = "task"
) -> dict[str, np.ndarray]:
    """The curves of `regret_curves` of several methods, with the same units in the same order.

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
    """Regrets (unit,) of methods on the same tasks, after a number of evaluations.

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
    """Ends of the 95 % percentile interval of the mean of curves (task, evaluation) over tasks."""
    rows = np.random.default_rng(0).integers(len(curves), size=(DRAWS, len(curves)))
    low, high = np.quantile(curves[rows].mean(axis=1), (0.025, 0.975), axis=0)
    return low, high


def evaluations_to(curve: np.ndarray, goal: float) -> float:
    """The first evaluation at which a curve is at or below a goal, up to rounding; else +inf."""
    reached = curve <= goal + 1e-12
    return float(reached.argmax() + 1) if reached.any() else float("inf")


def per_unit(
    regions: pd.DataFrame, quantity: str, by: str, scale: Callable = lambda values: values
) -> pd.Series:
    """The mean of a quantity of regions over repeats, and then over the tasks of a unit.

    `scale` is applied to the values before they are averaged.
    """
    columns = split_columns(by)
    need("regions", regions, (*columns, quantity))
    values = scale(regions[quantity].astype(float))
    tasks = regions.assign(value=values).groupby([*dict.fromkeys([*columns, "task"])])
    return tasks["value"].mean().groupby(level=columns).mean()


def geometric_means(table: pd.DataFrame) -> pd.Series:
    """The geometric mean of each column."""
    return np.exp(np.log(table).mean())


def winner_slopes(winners: pd.DataFrame, size: str, by: str) -> np.ndarray:
    """Octaves by which the winners of each group move per doubling of a size, shape (group,).

    Raises:
        AnalysisError: no group has winners at two sizes.
    """
    columns = split_columns(by)
    need("winners", winners, (size, "winner", *columns))
    slopes = [
        slope_per_doubling(part[size], part["winner"])
        for _, part in winners.groupby(columns)
        if part[size].nunique() > 1
    ]
    if not slopes:
        raise AnalysisError(f"no {by} has winners at two values of {size}")
    return np.array(slopes)
