"""Learning a space: winners, what is left outside, drift, and the gain on tasks left out."""

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
    Task,
    expected_best,
    learn,
    leave_one_out,
    rows_inside,
)
from hypertransfer.spaces.regions import RegionError

DOMAIN = Domain.parse({"lr": {"low": 0, "high": 1}, "decay": {"low": 0, "high": 1}})
MIXED = Domain.parse(
    {"kind": {"choices": ["a", "b", "c", "d"]}, "lr": {"low": 0, "high": 1}}
)  # fmt: skip
GRID = np.array(list(itertools.product(np.linspace(0, 1, 21), repeat=2)))


def bowl(name, best, group="", **place):
    return Task(name, group or name, GRID, ((GRID - best) ** 2).sum(axis=1), place)


def points(*rows):
    return np.array(rows, dtype=float)


def test_regrets_are_of_the_tasks_own_range():
    task = Task("t", "g", np.zeros((4, 1)), np.array([2.0, 4.0, 3.0, math.inf]))
    assert task.regrets.tolist() == [0.0, 1.0, 0.5, 1.0]
    alike = Task("t", "g", np.zeros((3, 1)), np.array([2.0, 2.0, math.inf]))
    assert alike.regrets.tolist() == [0.0, 0.0, 1.0]
    lost = Task("t", "g", np.zeros((2, 1)), np.array([math.inf, math.inf]))
    assert lost.regrets.tolist() == [1.0, 1.0]


def test_winners_are_finite_and_the_best_first():
    task = Task("t", "g", points([0], [1], [2], [3]), np.array([2.0, math.inf, 1.0, 1.0]))
    assert task.winners(1).tolist() == [[2.0]], "of equals the first"
    assert task.winners(4).tolist() == [[2.0], [3.0], [0.0]]
    assert task.best.tolist() == [2.0]


@pytest.mark.parametrize(("share", "count"), [(0.01, 1), (0.1, 1), (0.25, 2), (1.0, 10)])
def test_near_best(share, count):
    losses = np.random.default_rng(0).permutation(10).astype(float)
    chosen = Task("t", "g", np.zeros((10, 1)), losses).near_best(share)
    assert sorted(losses[chosen]) == list(range(count))


@pytest.mark.parametrize("n", [1, 2, 5, 7])
def test_the_expected_best_of_draws_without_replacement(n):
    values = np.random.default_rng(n).random(n)
    for k in range(1, n + 1):
        every = [min(chosen) for chosen in itertools.combinations(values, k)]
        assert expected_best(values, [k])[0] == pytest.approx(np.mean(every))
    assert expected_best(values, [n + 5])[0] == pytest.approx(values.min())


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
    space = learn(DOMAIN, drifting(-0.05), recipe, target=256)
    assert space.region.centre == pytest.approx([0.25, 0.4])
    assert space.volume == pytest.approx(0.02**2), "nothing but the floor is left of their spread"
    other = learn(DOMAIN, drifting(-0.05), Recipe("box", floor=0.01))
    assert other.region.high[0] == pytest.approx(0.5)


def test_what_is_carried_out_of_the_range_stops_at_its_border():
    recipe = Recipe("box", floor=0.01, drift="width")
    space = learn(DOMAIN, drifting(-0.2), recipe, target=256)
    assert space.region.low[0] == 0.0
    assert space.region.high[0] == pytest.approx(0.02)


def test_one_size_has_no_trend():
    recipe = Recipe("box", floor=0.01, drift="width")
    space = learn(DOMAIN, drifting(-0.05)[:1], recipe, target=256)
    assert space.region.centre == pytest.approx([0.5, 0.4])


def test_growth_joins_tightness_and_place():
    space = learn(DOMAIN, [bowl("a", (0.5, 0.5))], Recipe("box", floor=0.1))
    assert space.grown(1) == pytest.approx(0.04, rel=0.05)
    assert space.grown(3) == pytest.approx(0.36, rel=0.05)
    assert space.grown(100) == 1
    assert space.grown(math.inf) == 1


def test_tasks_alike_promise_a_gain():
    places = {"a": (0.5, 0.5), "b": (0.55, 0.5), "c": (0.5, 0.45), "d": (0.45, 0.55)}
    tasks = [bowl(name, best) for name, best in places.items()]
    found = list(leave_one_out(DOMAIN, tasks, Recipe("box"), (1, 5)))
    assert [one.task for one in found] == ["a", "b", "c", "d"]
    assert all((one.inside < 0.2 * one.whole).all() for one in found)
    assert all(0 < one.rows < len(GRID) for one in found)
    assert found[0].holds_best


def test_tasks_that_share_nothing_promise_none():
    tasks = [bowl("a", (0, 0)), bowl("b", (1, 1))]
    found = list(leave_one_out(DOMAIN, tasks, Recipe("box"), (5,)))
    assert all(one.inside[0] > 3 * one.whole[0] for one in found)
    assert not any(one.holds_best for one in found)
    assert all(one.coverage == 0 and one.inflation > 10 for one in found)


def test_groups_are_left_out_as_a_whole():
    tasks = [
        bowl("a", (0.1, 0.1), "one"),
        bowl("b", (0.1, 0.1), "one"),
        bowl("c", (0.9, 0.9), "two"),
    ]
    by_task = {one.task: one for one in leave_one_out(DOMAIN, tasks, Recipe("box"))}
    by_group = {one.task: one for one in leave_one_out(DOMAIN, tasks, Recipe("box"), by_group=True)}
    assert by_task["a"].holds_best
    assert not by_group["a"].holds_best
    assert list(leave_one_out(DOMAIN, tasks[:2], Recipe("box"), by_group=True)) == []


def test_where_no_row_is_inside_the_nearest_is_taken():
    space = learn(DOMAIN, [bowl("a", (0.5, 0.5))], Recipe("box", floor=0.01))
    assert rows_inside(space, points([0.9, 0.9], [0.6, 0.5], [0.1, 0.5])).tolist() == [1]
