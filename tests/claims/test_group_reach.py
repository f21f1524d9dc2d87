"""The reach of measures of learned spaces follows from the number of planned groups."""

from __future__ import annotations

import pandas as pd
import pytest

from hypertransfer.analysis import spaces
from hypertransfer.analysis.intervals import LEVEL
from hypertransfer.claims import group_reach
from hypertransfer.claims.families import measures
from hypertransfer.claims.reach import OPEN, Reach

OPTIONS = {"of": "box", "over": "random", "by": "task"}


def rows(*groups, **columns):
    return [
        {"method": method, "task": f"t{i}", "group": group, **columns}
        for i, group in enumerate(groups)
        for method in ("box", "random")
    ]


def test_units_are_counted_as_measures_average_them():
    planned = [{**row, "seed": i % 2} for i, row in enumerate(rows(*"aabbc"))]
    for by in ("task", "group", "task, seed", "seed"):
        table = pd.DataFrame(planned)
        table = table[table["method"] == "box"]
        values = table.assign(value=1.0).groupby(spaces.split_columns(by))["value"].mean()
        counted = len(spaces.over_groups(values, table, by))
        assert group_reach.count(planned, {**OPTIONS, "by": by}) == counted, by


def test_the_arm_of_a_comparison_decides_the_count():
    mixed = [*rows("a", "b"), {"method": "other", "task": "t", "group": "c"}]
    assert group_reach.count(mixed, OPTIONS) == 2
    regions = [
        {"replay": "r", "task": "t", "group": "a"},
        {"replay": "s", "task": "u", "group": "b"},
    ]
    assert group_reach.count(regions, {**OPTIONS, "of": "r", "column": "replay"}) == 1


@pytest.mark.parametrize(("count", "found"), [(2, OPEN), (3, Reach())])
def test_a_mean_needs_three_groups(count, found):
    options = {**OPTIONS, "statistic": "mean"}
    planned = rows(*range(count))
    assert group_reach.mean(planned, options) == found
    assert group_reach.mean_or_median(planned, options) == found


@pytest.mark.parametrize(("count", "found"), [(5, OPEN), (6, Reach())])
def test_a_median_needs_six_groups(count, found):
    options = {"by": "task", "statistic": "median"}
    assert group_reach.mean_or_median(rows(*range(count)), options) == found


def replays(better, count):
    """Regrets of a method that is better than random search on so many of the tasks."""
    return {
        "replays": pd.DataFrame(
            [
                {"replay": "r", "task": f"t{i}", "group": f"t{i}", "method": method,
                 "regrets": [0.5 if method == "random" else 0.4 + 0.2 * (i >= better) + i / 1e3]}
                for i in range(count) for method in ("box", "random")
            ]
        )
    }  # fmt: skip


@pytest.mark.parametrize("count", [5, 8, 17])
def test_the_reach_is_that_of_the_extreme_results(count):
    options, planned = {**OPTIONS, "at": 1}, rows(*range(count))
    none, everyone = (
        measures()["tasks_improved"].function(replays(better, count), LEVEL, **options)
        for better in (0, count)
    )
    assert group_reach.percentage(planned, OPTIONS)[:2] == pytest.approx((none.high, everyone.low))
    least = measures()["regret_p_value"].function(replays(count, count), LEVEL, **options).value
    assert group_reach.signed_rank_p(planned, OPTIONS).least_high == pytest.approx(least)


def test_seventeen_groups_can_show_eighty_per_cent():
    found = [group_reach.percentage(rows(*range(n)), OPTIONS).greatest_low for n in (16, 17)]
    assert found[0] < 80 < found[1]


def test_bounds_of_a_quantity_remain():
    region_level = measures()["region_level"]
    options = {**region_level.options, "quantity": "share"}
    assert region_level.values.reach(rows(*"abc"), options) == (0, 1, 0)
    assert region_level.values.reach(rows(*"ab"), options) == OPEN
    assert region_level.values.reach([], options) == (0, 1, 0), "tables that are not known yet"
