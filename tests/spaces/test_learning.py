"""Learning a space: its choices, tasks outside, drift, growth."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest

from hypertransfer.spaces.dimensions import Domain
from hypertransfer.spaces.learning import (
    Recipe,
    Space,
    learn,
)
from hypertransfer.spaces.regions import RegionError
from hypertransfer.spaces.tasks.task import Task

DOMAIN = Domain.parse({"lr": {"low": 0, "high": 1}, "decay": {"low": 0, "high": 1}})
MIXED = Domain.parse({"kind": {"choices": ["a", "b", "c", "d"]}, "lr": {"low": 0, "high": 1}})
GRID = np.array(list(itertools.product(np.linspace(0, 1, 21), repeat=2)))


def bowl(name, best, group="", **place):
    return Task(name, group or name, GRID, ((GRID - best) ** 2).sum(axis=1), place)


def points(*rows):
    return np.array(rows, dtype=float)


def test_a_space_keeps_the_choices_that_won():
    tasks = [
        Task(str(i), str(i), points([lr, kind]), np.zeros(1))
        for i, (lr, kind) in enumerate([(0.2, 0), (0.4, 2), (0.3, 2)])
    ]
    space = learn(MIXED, tasks, Recipe("box"))
    assert space.kept == ((0, 2),)
    assert space.volume == pytest.approx(0.2 * 2 / 4)
    assert space.contains(points([0.3, 0], [0.3, 1], [0.5, 2])).tolist() == [True, False, False]
    assert space.gauge(points([0.3, 1]))[0] == math.inf
    for found in (space.draw(50, np.random.default_rng(0)), space.spread(50, 0)):
        assert space.contains(found).all()
        assert set(found[:, 1]) == {0, 2}
    again = Space.from_plain(json.loads(json.dumps(space.plain())))
    assert again.plain() == space.plain()


def test_top_winners_and_whether_there_are_enough():
    tasks = [bowl("a", (0.5, 0.5)), bowl("b", (0.6, 0.5))]
    one, three = (learn(DOMAIN, tasks, Recipe("box", top=top)) for top in (1, 3))
    assert (one.points, one.trusted) == (2, False)
    assert (three.points, three.trusted) == (6, True)
    assert three.volume > one.volume


def test_tasks_outside_a_space_with_slack_are_named():
    tasks = [bowl(f"t{i}", (0.2 + 0.02 * i, 0.3)) for i in range(9)] + [bowl("far", (1, 1))]
    assert learn(DOMAIN, tasks, Recipe("ellipsoid")).excluded == ()
    assert "far" in learn(DOMAIN, tasks, Recipe("ellipsoid", slack=0.2)).excluded


def test_no_task_that_ever_worked():
    with pytest.raises(RegionError, match="no points"):
        learn(DOMAIN, [Task("t", "g", GRID, np.full(len(GRID), math.inf))], Recipe("box"))


def drifting(slope):
    """Winners exactly on a line over log2 of the width, from 0.5 at width 8."""
    return [
        Task(f"w{w}", "g", points([0.5 + slope * math.log2(w / 8), 0.4]), np.zeros(1), {"width": w})
        for w in (8, 16, 32)
    ]


def test_winners_are_carried_along_their_trend():
    recipe = Recipe("box", floor=0.01, drift="width", drifting=("lr",))
    space = learn(DOMAIN, drifting(-0.05), recipe, target_size=256)
    assert space.region.centre == pytest.approx([0.25, 0.4])
    assert space.volume == pytest.approx(0.02**2), "nothing but the floor is left of their spread"
    other = learn(DOMAIN, drifting(-0.05), Recipe("box", floor=0.01))
    assert other.region.high[0] == pytest.approx(0.5)


def test_what_is_carried_out_of_the_range_stops_at_its_border():
    recipe = Recipe("box", floor=0.01, drift="width")
    space = learn(DOMAIN, drifting(-0.2), recipe, target_size=256)
    assert space.region.low[0] == 0.0
    assert space.region.high[0] == pytest.approx(0.02)


def test_one_size_has_no_trend():
    recipe = Recipe("box", floor=0.01, drift="width")
    space = learn(DOMAIN, drifting(-0.05)[:1], recipe, target_size=256)
    assert space.region.centre == pytest.approx([0.5, 0.4])


def test_growth_joins_tightness_and_place():
    space = learn(DOMAIN, [bowl("a", (0.5, 0.5))], Recipe("box", floor=0.1))
    assert space.grown(1) == pytest.approx(0.04, rel=0.05)
    assert space.grown(3) == pytest.approx(0.36, rel=0.05)
    assert space.grown(100) == 1
    assert space.grown(math.inf) == 1


def test_where_no_row_is_inside_the_nearest_is_taken():
    space = learn(DOMAIN, [bowl("a", (0.5, 0.5))], Recipe("box", floor=0.01))
    assert space.rows_inside(points([0.9, 0.9], [0.6, 0.5], [0.1, 0.5])).tolist() == [1]
