"""Leaving tasks out: the gain that related tasks promise, and others do not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hypertransfer.spaces.cross_validation import expected_best, leave_one_out
from hypertransfer.spaces.dimensions import Domain
from hypertransfer.spaces.learning import Recipe
from hypertransfer.spaces.tasks.task import Task

DOMAIN = Domain.parse({"lr": {"low": 0, "high": 1}, "decay": {"low": 0, "high": 1}})


GRID = np.array(list(itertools.product(np.linspace(0, 1, 21), repeat=2)))


def bowl(name, best, group="", **place):
    return Task(name, group or name, GRID, ((GRID - best) ** 2).sum(axis=1), place)


@pytest.mark.parametrize("n", [1, 2, 5, 7])
def test_the_expected_best_of_draws_without_replacement(n):
    values = np.random.default_rng(n).random(n)
    for k in range(1, n + 1):
        every = [min(chosen) for chosen in itertools.combinations(values, k)]
        assert expected_best(values, [k])[0] == pytest.approx(np.mean(every))
    assert expected_best(values, [n + 5])[0] == pytest.approx(values.min())


def test_tasks_alike_promise_a_gain():
    places = {"a": (0.5, 0.5), "b": (0.55, 0.5), "c": (0.5, 0.45), "d": (0.45, 0.55)}
    tasks = [bowl(name, best) for name, best in places.items()]
    results = list(leave_one_out(DOMAIN, tasks, Recipe("box"), (1, 5)))
    assert [left.task for left in results] == ["a", "b", "c", "d"]
    assert all((left.inside < 0.2 * left.whole).all() for left in results)
    assert all(0 < left.rows < len(GRID) for left in results)
    assert results[0].holds_best


def test_tasks_that_share_nothing_promise_none():
    tasks = [bowl("a", (0, 0)), bowl("b", (1, 1))]
    results = list(leave_one_out(DOMAIN, tasks, Recipe("box"), (5,)))
    assert all(left.inside[0] > 3 * left.whole[0] for left in results)
    assert not any(left.holds_best for left in results)
    assert all(left.coverage == 0 and left.inflation > 10 for left in results)


def test_groups_are_left_out_as_a_whole():
    tasks = [
        bowl("a", (0.1, 0.1), "one"),
        bowl("b", (0.1, 0.1), "one"),
        bowl("c", (0.9, 0.9), "two"),
    ]
    by_task = {left.task: left for left in leave_one_out(DOMAIN, tasks, Recipe("box"))}
    by_group = {
        left.task: left for left in leave_one_out(DOMAIN, tasks, Recipe("box"), by_group=True)
    }
    assert by_task["a"].holds_best
    assert not by_group["a"].holds_best
    assert list(leave_one_out(DOMAIN, tasks[:2], Recipe("box"), by_group=True)) == []
