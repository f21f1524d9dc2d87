"""Measures of learned search spaces."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hypertransfer.analysis import spaces
from hypertransfer.analysis.estimate import Estimate, exact
from hypertransfer.analysis.intervals import median_of, over_seeds, share_of
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import stats
from hypertransfer.analysis.tables import Tables
from hypertransfer.catalogue.options import column
from hypertransfer.claims import group_reach
from hypertransfer.claims.measure import ClaimError, measure
from hypertransfer.claims.reach import Range

# Columns of the table of regions, as `spaces.replay` defines them.
QUANTITIES = (
    "volume", "share", "inflation", "needed", "covered", "coverage", "coverage_nearest", "points",
    "excluded", "planted_out", "seconds",
)  # fmt: skip
SHARES = ("volume", "share", "covered", "coverage", "coverage_nearest", "planted_out")
# Columns of which a claim selects one value, unless `by` tells its values apart.
ONE_OF = {"regions": ("replay", "region"), "winners": ("suite", "dimension")}
METHOD = {"minLength": 1, "value_of": ["replays", "method"]}
SEARCHES: Mapping[str, Mapping[str, Any]] = {
    "of": METHOD,
    "over": METHOD,
    "at": {"minimum": 1, "maximum": 10_000, "within_budget": True},
    "by": column("replays", separator=","),
}
REGIONS: Mapping[str, Mapping[str, Any]] = {
    "quantity": {"enum": list(QUANTITIES)},
    "statistic": {"enum": ["mean", "median"]},
    "column": {"enum": ["replay", "region"]},
    "by": column("regions", separator=","),
}
WINNERS: Mapping[str, Mapping[str, Any]] = {
    "size": column("winners", numbers="positive"),
    "by": column("winners", separator=","),
}


@measure(
    "× the regret",
    table="replays",
    schemas=SEARCHES,
    values=Range(least=0, contrast=True, on_grid=group_reach.mean),
)
def regret_ratio(
    tables: Tables, level: float, *, of: str = "", over: str = "", at: int = 15, by: str = "task"
) -> Estimate:
    """The mean normalised regret of `of` divided by that of `over`, after `at` evaluations.

    The mean is over repeats, then over the tasks of a group, such as those of one data set, and
    then over groups, which are the units of the interval. `by` names the columns, separated by
    commas, whose values distinguish what is averaged within a group: tasks by default. Both methods
    need the same tasks.
    """
    regrets = spaces.regrets_at(tables["replays"], (of, over), at, by)

    def ratio(rows: np.ndarray) -> float:
        own, other = (float(regrets[name][rows].mean()) for name in (of, over))
        return own / other if other else (1.0 if own == other else math.inf)

    return _over_groups(ratio, len(regrets[of]), level, log=True)


@measure(
    "% of groups",
    table="replays",
    schemas=SEARCHES,
    values=Range(0, 100, contrast=True, on_grid=group_reach.percentage),
)
def tasks_improved(
    tables: Tables, level: float, *, of: str = "", over: str = "", at: int = 15, by: str = "task"
) -> Estimate:
    """The percentage of groups of tasks on which the mean regret of `of` is below that of `over`.

    A group holds the tasks of one data set; without groups, each task is one. The interval is that
    of Clopper and Pearson for a share.
    """
    regrets = spaces.regrets_at(tables["replays"], (of, over), at, by)
    better = regrets[of] < regrets[over]
    found = share_of(int(better.sum()), len(better), level=level, over="groups")
    return replace(found, **{end: 100 * getattr(found, end) for end in ("value", "low", "high")})


@measure(
    "p",
    table="replays",
    schemas=SEARCHES,
    values=Range(0, 1, contrast=True, on_grid=group_reach.signed_rank_p),
)
def regret_p_value(
    tables: Tables, level: float, *, of: str = "", over: str = "", at: int = 15, by: str = "task"
) -> Estimate:
    """The p value of a one-sided Wilcoxon signed-rank test that `of` has lower regrets than `over`.

    The pairs are the groups of tasks, with mean regrets after `at` evaluations. A p value has no
    interval.
    """
    regrets = spaces.regrets_at(tables["replays"], (of, over), at, by)
    differences = regrets[of] - regrets[over]
    tied = not differences.any()
    p = 1.0 if tied else float(stats.wilcoxon(differences, alternative="less").pvalue)
    return Estimate(p, p, p, len(differences), "groups")


@measure(
    "evaluations",
    table="replays",
    schemas=SEARCHES,
    values=Range(least=1, contrast=True, on_grid=group_reach.mean),
)
def evaluations_to(
    tables: Tables,
    level: float,
    *,
    of: str = "",
    over: str = "random",
    at: int = 30,
    by: str = "task",
) -> Estimate:
    """The number of evaluations that `of` needs to reach the mean regret of `over` after `at`.

    Infinite if `of` does not reach this regret within the evaluations of the replay.
    """
    curves = spaces.paired_curves(tables["replays"], (of, over), by)
    if at > curves[over].shape[1]:
        raise ClaimError(f"at: {at} is beyond the {curves[over].shape[1]} evaluations of {over}")

    def first(rows: np.ndarray) -> Estimate:
        goal = float(curves[over][rows, at - 1].mean())
        return spaces.evaluations_until(curves[of][rows].mean(axis=0), goal)

    return over_seeds(first, len(curves[of]), level=level, over="groups")


@measure(
    "",
    table="regions",
    schemas=REGIONS,
    values=Range(
        least=0, of_quantity=dict.fromkeys(SHARES, (0, 1)), on_grid=group_reach.mean_or_median
    ),
)
def region_level(
    tables: Tables,
    level: float,
    *,
    quantity: str = "volume",
    statistic: str = "mean",
    by: str = "task",
) -> Estimate:
    """The mean or the median over groups of tasks of a quantity of regions.

    The quantity is averaged over the repeats of a task and the tasks of a group first. Quantities
    are columns of the table `regions`. The interval of a median has the ranks of a sign test, which
    needs six groups for 95 %.
    """
    spaces.check_one(tables["regions"], ONE_OF["regions"], by)
    values = spaces.per_group(tables["regions"], quantity, by).to_numpy(float)
    if statistic == "median":
        return median_of(values, level=level, over="groups")
    return _over_groups(lambda rows: float(values[rows].mean()), len(values), level)


@measure(
    "×",
    table="regions",
    schemas=REGIONS,
    values=Range(least=0, contrast=True, on_grid=group_reach.mean),
)
def region_ratio(
    tables: Tables,
    level: float,
    *,
    of: str = "",
    over: str = "",
    column: str = "replay",
    quantity: str = "volume",
    by: str = "task",
) -> Estimate:
    """The geometric mean over groups of tasks of the ratio of a quantity between two regions.

    `of` and `over` are values of `column`: names of regions, or of the replays that learn them.
    Both need the same tasks; with `by`, the same tasks in each group.
    """
    regions = tables["regions"]
    parts, logarithms = [], []
    for name in (of, over):
        part = regions[regions[column] == name]
        if part.empty:
            known = ", ".join(sorted(set(regions[column])))
            raise ClaimError(f"no region has {column} {name!r}; there is {known}")
        spaces.check_one(part, ONE_OF["regions"], by)
        parts.append(part)
        logarithms.append(spaces.per_group(part, quantity, by, np.log))
    spaces.check_same_tasks((of, over), parts, by)
    first, second = logarithms
    differences = (first - second[first.index]).to_numpy(float)
    return _over_groups(
        lambda rows: float(np.exp(differences[rows].mean())), len(differences), level, log=True
    )


@measure(
    "octaves per doubling",
    table="winners",
    schemas=WINNERS,
    values=Range(unmoved=0, on_grid=group_reach.mean),
)
def winner_slope(
    tables: Tables, level: float, *, size: str = "width", by: str = "group"
) -> Estimate:
    """The mean over groups of the slope of winners over log₂ of a size, by least squares.

    Winners are in octaves. `by` names the columns, separated by commas, whose values distinguish
    what has a slope of its own; the slopes of a group, such as those of one data set, are averaged.
    """
    spaces.check_one(tables["winners"], ONE_OF["winners"], by)
    slopes = spaces.winner_slopes(tables["winners"], size, by)
    return _over_groups(lambda rows: float(slopes[rows].mean()), len(slopes), level)


def _over_groups(
    statistic: Callable[[np.ndarray], float], count: int, level: float, *, log: bool = False
) -> Estimate:
    """A statistic of the row numbers of groups, with its interval over groups."""
    return over_seeds(
        lambda rows: exact(statistic(rows)), count, level=level, over="groups", log=log
    )
