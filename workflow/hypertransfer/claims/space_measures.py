"""Measures of learned search spaces."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hypertransfer.analysis.estimate import need
from hypertransfer.claims.measure import ClaimError, Measured, Tables, measure

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


# Numbers of regions; `spaces.replay` says what they are.
QUANTITIES = (
    "volume", "share", "inflation", "needed", "covered", "coverage", "coverage_nearest", "points",
    "excluded", "planted_out", "seconds",
)  # fmt: skip
CHOICES: Mapping[str, tuple[str, ...]] = {
    "quantity": QUANTITIES, "statistic": ("mean", "median"), "column": ("replay", "region"),
}  # fmt: skip


@measure("× the regret", table="replays")
def regret_ratio(
    tables: Tables, seed: int, *, of: str = "", over: str = "", at: int = 15, by: str = "task"
) -> Measured:
    """Mean normalised regret of one method over another's, after so many evaluations."""
    found = _regrets(tables["replays"], (of, over), at, by)

    def ratio(rows: Any) -> float:
        mine, theirs = (float(found[name][rows].mean()) for name in (of, over))
        return mine / theirs if theirs else (1.0 if mine == theirs else math.inf)

    return _over_units(ratio, found[of], seed, by)


@measure("% of tasks", table="replays")
def tasks_improved(
    tables: Tables, seed: int, *, of: str = "", over: str = "", at: int = 15, by: str = "task"
) -> Measured:
    """On how many of the tasks one method's mean regret is below another's, in per cent."""
    found = _regrets(tables["replays"], (of, over), at, by)
    return _over_units(
        lambda rows: 100.0 * float((found[of][rows] < found[over][rows]).mean()),
        found[of], seed, by,
    )  # fmt: skip


@measure("p", table="replays")
def regret_p_value(
    tables: Tables, seed: int, *, of: str = "", over: str = "", at: int = 15, by: str = "task"
) -> Measured:
    """One-sided Wilcoxon signed-rank test over tasks that a method's regret is the lower one."""
    from scipy.stats import wilcoxon

    found = _regrets(tables["replays"], (of, over), at, by)
    away = found[of] - found[over]
    p = float(wilcoxon(away, alternative="less").pvalue) if away.any() else 1.0
    return Measured(p, p, p, len(away), over=_units(by))


@measure("evaluations", table="replays")
def evaluations_to(
    tables: Tables, seed: int, *, of: str = "", over: str = "random", at: int = 30, by: str = "task"
) -> Measured:
    """After how many evaluations a method's mean regret is that of another after `at`.

    Infinite if it never is, so far as was searched.
    """
    curves = {name: _curves(tables["replays"], name, by) for name in (of, over)}
    if at > curves[over].shape[1]:
        raise ClaimError(f"at: {at} is beyond the {curves[over].shape[1]} evaluations of {over}")

    def first(rows: Any) -> float:
        goal = float(curves[over][rows, at - 1].mean())
        there = curves[of][rows].mean(axis=0) <= goal + 1e-12  # but for rounding
        return float(there.argmax() + 1) if there.any() else math.inf

    return _over_units(first, curves[of], seed, by)


@measure("", table="regions", choices=CHOICES)
def region_level(
    tables: Tables, seed: int, *, quantity: str = "volume", statistic: str = "mean",
    by: str = "task",
) -> Measured:  # fmt: skip
    """A number of the regions, as the mean or the median over tasks of the mean over repeats."""
    import numpy as np

    values = _per_unit(tables["regions"], quantity, by).to_numpy(float)
    middle = {"mean": np.mean, "median": np.median}[statistic]
    return _over_units(lambda rows: float(middle(values[rows])), values, seed, by)


@measure("×", table="regions", choices=CHOICES)
def region_ratio(
    tables: Tables, seed: int, *, of: str = "", over: str = "", column: str = "replay",
    quantity: str = "volume", by: str = "task",
) -> Measured:  # fmt: skip
    """A number of one region over another's, task by task: the geometric mean of ratios.

    Regions are told apart by a column, such as their name or the replay that they are learned in.
    """
    import numpy as np

    regions = tables["regions"]
    parts = {}
    for name in (of, over):
        part = regions[regions[column] == name]
        if part.empty:
            known = ", ".join(sorted(set(regions[column])))
            raise ClaimError(f"no region has {column} {name!r}; there is {known}")
        parts[name] = _per_unit(part, quantity, by, np.log)
    paired = parts[of].index.intersection(parts[over].index)
    if paired.empty:
        raise ClaimError(f"{of} and {over} have no task in common")
    away = (parts[of][paired] - parts[over][paired]).to_numpy(float)
    return _over_units(lambda rows: float(np.exp(away[rows].mean())), away, seed, by)


@measure("octaves per doubling", table="winners")
def winner_slope(tables: Tables, seed: int, *, size: str = "width", by: str = "group") -> Measured:
    """How the winners of tasks move with each doubling of a size, by least squares.

    The mean of the slopes of groups; `by` may name several columns, with commas between.
    """
    import numpy as np

    winners, columns = tables["winners"], _columns(by)
    need("winners", winners, (size, "winner", *columns))
    slopes = [
        np.polyfit(np.log2(part[size].astype(float)), part["winner"], 1)[0]
        for _, part in winners.groupby(columns) if part[size].nunique() > 1
    ]  # fmt: skip
    if not slopes:
        raise ClaimError(f"no {by} has winners at two values of {size}")
    values = np.array(slopes)
    return _over_units(lambda rows: float(values[rows].mean()), values, seed, by)


def _columns(by: str) -> list[str]:
    return [name.strip() for name in by.split(",")]


def _units(by: str) -> str:
    return "groups" if by == "group" else "tasks"


def _over_units(
    statistic: Callable[[Any], float], values: Sequence | np.ndarray, seed: int, by: str
) -> Measured:
    from hypertransfer.analysis import estimate

    found = estimate.bootstrap(
        lambda rows: estimate.exact(statistic(rows)), len(values), generator_seed=seed
    )
    return Measured(found.value, found.low, found.high, len(values), over=_units(by))


def _curves(replays: pd.DataFrame, method: str, by: str) -> np.ndarray:
    """Mean regrets (units, evaluations) of a method, units in the order of their names."""
    import numpy as np

    need("replays", replays, (*_columns(by), "method", "regrets"))
    chosen = replays[replays["method"] == method]
    if chosen.empty:
        known = ", ".join(dict.fromkeys(replays["method"]))
        raise ClaimError(f"no method {method!r} in these replays; there is {known}")
    if chosen["replay"].nunique() > 1:
        raise ClaimError(f"several replays have the method {method!r}: choose one by `where`")
    found = [
        np.stack([np.stack(one["regrets"]).mean(axis=0) for _, one in unit.groupby("task")])
        .mean(axis=0)
        for _, unit in chosen.groupby(_columns(by))
    ]  # fmt: skip
    return np.stack(found)


def _regrets(
    replays: pd.DataFrame, methods: Sequence[str], at: int, by: str
) -> Mapping[str, np.ndarray]:
    """Regrets (units,) of methods after so many evaluations."""
    curves = {name: _curves(replays, name, by) for name in methods}
    for name, found in curves.items():
        if not 1 <= at <= found.shape[1]:
            raise ClaimError(f"at: {at} is not within the {found.shape[1]} evaluations of {name}")
    return {name: found[:, at - 1] for name, found in curves.items()}


def _per_unit(
    regions: pd.DataFrame, quantity: str, by: str, scale: Callable = lambda values: values
) -> pd.Series:
    """A quantity of regions, the mean over repeats and then over the tasks of a unit."""
    need("regions", regions, (*_columns(by), quantity))
    values = scale(regions[quantity].astype(float))
    tasks = regions.assign(value=values).groupby([*dict.fromkeys([*_columns(by), "task"])])
    return tasks["value"].mean().groupby(level=_columns(by)).mean()
