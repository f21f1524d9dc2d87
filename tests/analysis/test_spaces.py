"""Learned search spaces: regrets over tasks, regions, and slopes of winners."""

import math

import numpy as np
import pandas as pd
import pytest

from hypertransfer.analysis import spaces
from hypertransfer.analysis.estimate import AnalysisError


def replays():
    """Two tasks of group g and one of h; two repeats, 0.1 around the mean."""
    curves = {"a": ("g", [1.0, 0.5]), "b": ("g", [0.8, 0.3]), "c": ("h", [0.6, 0.2])}
    return pd.DataFrame(
        {
            "replay": "r",
            "task": task,
            "group": group,
            "method": "box",
            "regrets": [regret + sign * 0.1 for regret in curve],
        }
        for task, (group, curve) in curves.items()
        for sign in (-1, 1)
    )


def test_regrets_are_averaged_over_repeats_and_tasks_and_then_over_groups():
    for by in ("task", "group"):
        curves = spaces.regret_curves(replays(), "box", by)
        np.testing.assert_allclose(curves, [[0.9, 0.4], [0.6, 0.2]])
    at = spaces.regrets_at(replays(), ["box"], 2, "task")
    assert at["box"] == pytest.approx([0.4, 0.2])
    with pytest.raises(AnalysisError, match="at: 3 is not among the evaluations 1 to 2 of box"):
        spaces.regrets_at(replays(), ["box"], 3, "task")
    with pytest.raises(AnalysisError, match="no method 'sphere'"):
        spaces.regret_curves(replays(), "sphere")


def test_a_unit_of_several_groups_is_its_own():
    table = pd.DataFrame({"part": ["x", "x", "y", "z"], "group": ["g", "h", "g", "g"]})
    values = pd.Series([1.0, 2.0, 4.0], index=pd.Index(["x", "y", "z"], name="part"))
    assert spaces.over_groups(values, table, "part").to_dict() == {"g": 3.0, "x": 1.0}


def test_the_band_of_equal_tasks_is_their_curve_and_that_of_many_is_normal():
    curve = np.array([[0.5, 0.25]])
    low, high = spaces.regret_band(np.repeat(curve, 4, axis=0))
    assert (low.tolist(), high.tolist()) == ([0.5, 0.25], [0.5, 0.25])
    tasks = np.random.default_rng(1).normal(size=(400, 1))
    low, high = spaces.regret_band(tasks)
    half = 1.96 * tasks.std() / 20
    assert np.isnan(spaces.regret_band(tasks[:2])).all()
    assert (low[0], high[0]) == pytest.approx((tasks.mean() - half, tasks.mean() + half), abs=0.02)


def test_the_first_evaluation_at_a_goal():
    curve = np.array([0.9, 0.5, 0.5, 0.1])
    assert spaces.evaluations_to(curve, 0.5) == 2
    assert spaces.evaluations_to(curve, 0.05) == math.inf


def test_quantities_of_regions_are_averaged_by_group_on_their_scale():
    regions = pd.DataFrame(
        [("g", "a", 1.0), ("g", "a", 4.0), ("g", "b", 16.0), ("h", "c", 8.0)],
        columns=["group", "task", "volume"],
    )
    for by in ("task", "group"):
        assert spaces.per_group(regions, "volume", by).tolist() == [9.25, 8.0]
    logs = spaces.per_group(regions, "volume", "group", np.log2)
    assert logs.tolist() == [2.5, 3.0]  # of a: 1, of b: 4
    means = spaces.geometric_means(pd.DataFrame({"x": [1.0, 4.0], "y": [9.0, 1.0]}))
    assert means.tolist() == pytest.approx([2.0, 3.0])


def test_slopes_of_winners_are_octaves_per_doubling():
    winners = pd.DataFrame(
        [
            (group, width, -slope * math.log2(width))
            for group, slope in (("a", 1.0), ("b", 0.5))
            for width in (16, 64, 256)
        ],
        columns=["group", "width", "winner"],
    )
    assert spaces.winner_slopes(winners, "width", "group") == pytest.approx([-1.0, -0.5])
    with pytest.raises(AnalysisError, match="no group has winners at two values of width"):
        spaces.winner_slopes(winners[winners["width"] == 16], "width", "group")


def test_methods_are_compared_on_the_same_tasks_alone():
    other = replays().assign(replay="s", method="ellipsoid")
    both = pd.concat([replays(), other])
    assert [*spaces.regrets_at(both, ["box", "ellipsoid"], 2, "task")] == ["box", "ellipsoid"]
    for renamed in ({"c": "d"}, {"a": "e"}):  # as many tasks, of which one is another
        mixed = pd.concat([replays(), other.assign(task=other["task"].replace(renamed))])
        (name,) = renamed
        for by in ("task", "group"):
            with pytest.raises(AnalysisError, match=f"searched different tasks, such as {name}"):
                spaces.regrets_at(mixed, ["box", "ellipsoid"], 2, by)
