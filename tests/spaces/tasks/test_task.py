"""Tasks: regrets, winners, the rows near the best."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hypertransfer.spaces.tasks.task import Task


def test_regrets_are_of_the_tasks_own_range():
    task = Task("t", "g", np.zeros((4, 1)), np.array([2.0, 4.0, 3.0, math.inf]))
    assert task.regrets.tolist() == [0.0, 1.0, 0.5, 1.0]
    alike = Task("t", "g", np.zeros((3, 1)), np.array([2.0, 2.0, math.inf]))
    assert alike.regrets.tolist() == [0.0, 0.0, 1.0]
    lost = Task("t", "g", np.zeros((2, 1)), np.array([math.inf, math.inf]))
    assert lost.regrets.tolist() == [1.0, 1.0]


def test_winners_are_finite_and_the_best_first():
    task = Task("t", "g", np.arange(4.0)[:, None], np.array([2.0, math.inf, 1.0, 1.0]))
    assert task.winners(1).tolist() == [[2.0]], "of equals the first"
    assert task.winners(4).tolist() == [[2.0], [3.0], [0.0]]
    assert task.best.tolist() == [2.0]


@pytest.mark.parametrize(("share", "count"), [(0.01, 1), (0.1, 1), (0.25, 2), (1.0, 10)])
def test_near_best(share, count):
    losses = np.random.default_rng(0).permutation(10).astype(float)
    chosen = Task("t", "g", np.zeros((10, 1)), losses).near_best(share)
    assert sorted(losses[chosen]) == list(range(count))
