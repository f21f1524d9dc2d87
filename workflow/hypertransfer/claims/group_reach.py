"""The values that measures of learned spaces can have with the planned number of groups of tasks.

The rows are those of a table of replays that a claim selects, each with every planned task that it
is about: with the columns `task` and `group`, and those that tell the tasks of a suite apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypertransfer.analysis import intervals
from hypertransfer.analysis.spaces import GROUP, split_columns
from hypertransfer.claims.reach import OPEN, Reach, Row

TAIL = (1 - intervals.LEVEL) / 2


def count(rows: Sequence[Row], options: Mapping[str, Any]) -> int:
    """The number of groups over which a measure averages: see `analysis.spaces.over_groups`.

    Of two methods or regions that are compared, which have the same tasks, the first counts.
    """
    if "of" in options:
        named = options.get("column", "method")
        rows = [row for row in rows if row.get(named) == options["of"]]
    groups: dict[tuple, set[str]] = {}
    for row in rows:
        unit = tuple(row.get(column) for column in split_columns(options["by"]))
        groups.setdefault(unit, set()).add(row[GROUP])
    return len({min(own) if len(own) == 1 else unit for unit, own in groups.items()})


def mean(rows: Sequence[Row], options: Mapping[str, Any]) -> Reach:
    """The reach of a mean over groups: an interval over fewer than three is open."""
    return Reach() if count(rows, options) >= intervals.FEWEST else OPEN


def mean_or_median(rows: Sequence[Row], options: Mapping[str, Any]) -> Reach:
    """The reach of a mean or a median: no rank bounds a median unless 2^−n is at most the tail."""
    if options["statistic"] != "median":
        return mean(rows, options)
    return Reach() if 2.0 ** -count(rows, options) <= TAIL else OPEN


def percentage(rows: Sequence[Row], options: Mapping[str, Any]) -> Reach:
    """The reach of the interval of Clopper and Pearson for a percentage of groups."""
    tail = TAIL ** (1 / count(rows, options))
    return Reach(100 * (1 - tail), 100 * tail)


def signed_rank_p(rows: Sequence[Row], options: Mapping[str, Any]) -> Reach:
    """The reach of the p value of a one-sided signed-rank test, whose least value is 2^−n."""
    return Reach(2.0 ** -count(rows, options), 1.0)
