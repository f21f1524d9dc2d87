"""Searchers on rows of a task: what they may choose, what they spend, and that they find."""

from __future__ import annotations

import inspect
from functools import partial
from itertools import permutations

import numpy as np
import pytest

from hypertransfer.spaces import searchers
from hypertransfer.spaces.cross_validation import expected_best
from hypertransfer.spaces.searchers import TaskSearch, random, search
from hypertransfer.spaces.tasks.task import Task
from hypertransfer.studies import replays

bayesian = partial(searchers.bayesian, start=3)
halving = partial(searchers.halving, brackets=1)


def test_options_of_searchers_are_those_that_configs_may_give_and_have_no_defaults():
    assert replays.SEARCHERS.keys() == searchers.SEARCHERS.keys()
    for name, function in searchers.SEARCHERS.items():
        _, *options = inspect.signature(function).parameters.values()
        assert {option.name for option in options} == {*replays.SEARCHERS[name]}
        assert all(option.default is option.empty for option in options)


def bowl(side=15, seed=0, noise=0.0):
    """A quadratic on a square grid, with its least value at a grid point off the middle."""
    grid = np.linspace(0, 1, side)
    points = np.array([(a, b) for a in grid for b in grid])
    losses = ((points - (grid[3], grid[10])) ** 2).sum(axis=1)
    losses = losses + noise * np.random.default_rng(seed).standard_normal(len(losses))
    return Task("bowl", "bowls", points, losses)


def problem(task, budget, seed=0, rows=None, warm=(), axes=None):
    generator = np.random.default_rng(seed)
    rows = generator.permutation(len(task.losses)) if rows is None else np.asarray(rows)
    axes = task.points.shape[1] if axes is None else axes
    return TaskSearch(task, axes, rows, budget, generator, warm)


def test_random_search_takes_rows_in_their_order():
    task = Task("t", "g", np.zeros((4, 1)), np.array([3.0, 1.0, 2.0, 0.0]))
    found = random(problem(task, 4, rows=[0, 2, 1, 3]))
    assert found.tolist() == [1.0, 2 / 3, 1 / 3, 0.0]


def test_random_search_begins_with_what_it_is_given_and_takes_nothing_twice():
    task = Task("t", "g", np.zeros((4, 1)), np.array([3.0, 1.0, 2.0, 0.0]))
    found = random(problem(task, 3, rows=[3, 2, 1, 0], warm=[0, 2]))
    assert found.tolist() == [1.0, 2 / 3, 0.0]


def test_rows_that_run_out_leave_the_regret_where_it_was():
    task = Task("t", "g", np.zeros((3, 1)), np.array([2.0, 1.0, 0.0]))
    assert random(problem(task, 5, rows=[0, 1])).tolist() == [1.0, 0.5, 0.5, 0.5, 0.5]
    assert bayesian(problem(task, 5, rows=[0, 1])).tolist() == [1.0, 0.5, 0.5, 0.5, 0.5]


def test_the_mean_over_all_orders_is_the_expected_one():
    losses = np.array([0.0, 0.2, 0.5, 0.9, 1.0])
    task = Task("t", "g", np.zeros((5, 1)), losses)
    found = [random(problem(task, 5, rows=order)) for order in permutations(range(5))]
    assert np.mean(found, axis=0) == pytest.approx(expected_best(losses, range(1, 6)))


def test_bayesian_optimisation_finds_what_random_search_does_not():
    task = bowl()
    ours = [bayesian(problem(task, 20, seed)) for seed in range(6)]
    theirs = [random(problem(task, 20, seed)) for seed in range(6)]
    assert np.mean([one[-1] for one in ours]) < 0.2 * np.mean([one[-1] for one in theirs])
    assert sum(one[-1] == 0 for one in ours) >= 4, "it ends at the least point of the grid"


def test_no_fit_of_a_search_begins_where_the_last_one_ended(monkeypatch):
    """A length scale that is at its bound would stay there, since its gradient vanishes."""
    starts, ends = [], []
    fit = searchers.gaussian_process

    def recorded(kernel, points, values, iterations):
        starts.append(kernel.theta)
        process = fit(kernel, points, values, iterations)
        ends.append(process.kernel_.k1.k2.length_scale)
        return process

    monkeypatch.setattr(searchers, "gaussian_process", recorded)
    bayesian(problem(bowl(noise=0.01), 12))
    np.testing.assert_array_equal(starts, np.tile(starts[0], (9, 1)))
    low, high = searchers.LENGTHS
    assert (np.array(ends) >= low * (1 - 1e-9)).all()
    assert (np.array(ends) <= high * (1 + 1e-9)).all()
    assert np.ptp(ends, axis=0).min() > 0  # the fits differ


def test_bayesian_optimisation_keeps_to_its_rows():
    task = bowl()
    allowed = np.flatnonzero(task.points[:, 0] > 0.5)
    found = bayesian(problem(task, 15, rows=np.random.default_rng(0).permutation(allowed)))
    assert found[-1] == pytest.approx(task.regrets[allowed].min(), abs=0.02)
    assert found[-1] >= task.regrets[allowed].min()


def test_diverged_rows_are_the_worst_and_break_nothing():
    task = bowl()
    losses = np.where(task.points[:, 1] < 0.4, np.inf, task.losses)
    task = Task("t", "g", task.points, losses)
    start = np.flatnonzero(np.isinf(losses))[:3]
    rest = np.setdiff1d(np.arange(len(losses)), start)
    found = bayesian(problem(task, 20, rows=np.concatenate([start, rest])))
    assert found[0] == 1.0
    assert found[-1] < 0.05


def test_the_order_of_choices_means_nothing():
    """Three choices, the middle one by index good: a GP over indices would see a slope."""
    points = np.array([(x, c) for x in np.linspace(0, 1, 8) for c in (0.0, 1.0, 2.0)])
    losses = (points[:, 0] - 0.5) ** 2 + np.array([0.5, 0.0, 0.5])[points[:, 1].astype(int)]
    swapped = points.copy()
    swapped[:, 1] = np.array([2.0, 0.0, 1.0])[points[:, 1].astype(int)]
    one = bayesian(problem(Task("t", "g", points, losses), 12, axes=1))
    other = bayesian(problem(Task("t", "g", swapped, losses), 12, axes=1))
    assert one == pytest.approx(other, abs=1e-6)


CURVES = np.array(
    [
        [4.0, 3.0, 0.0],  # slow to start, the best in the end
        [1.0, 0.9, 0.8],
        [2.0, 1.5, 1.0],
        [3.0, 2.5, 2.0],
    ]
)


def curved():
    return Task("t", "g", np.zeros((4, 1)), CURVES[:, -1], curves=CURVES, work=(0.25, 0.5, 1.0))


def test_halving_by_hand():
    """Four at a quarter: 1 unit. Two on to a half: 1.5. One to the end: 2. The rest go on after."""
    found = halving(problem(curved(), 5, rows=[0, 1, 2, 3]), factor=2)
    regrets = curved().regrets
    assert found[0] == regrets[1], "after a unit the row that led at a quarter"
    assert found[1] == regrets[1], "which is done after two"
    # Row 2 was stopped at a half, and is finished next (2.5); then 3, which led 0 at a quarter.
    assert found[2] == regrets[1]
    assert found[3] == 0.0, "2.5 + 0.75 + 0.75 = 4: all are done, and row 0 is the best"
    assert found[4] == 0.0


def test_hyperband_starts_rounds_further_on():
    found = halving(problem(curved(), 5, rows=[1, 0, 2, 3]), factor=2, brackets=3)
    assert found[-1] == 0.0
    assert (np.diff(found) <= 0).all()


def test_halving_spends_no_more_than_its_budget():
    for budget in range(1, 6):
        assert len(halving(problem(curved(), budget, rows=[0, 1, 2, 3]), factor=2)) == budget


def test_halving_wants_curves():
    with pytest.raises(ValueError, match="bowl has no learning curves"):
        search("halving", problem(bowl(), 3), {"factor": 3, "brackets": 1})
