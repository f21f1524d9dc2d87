"""Proposals of searches: random, trust region, Bayesian."""

from __future__ import annotations

import numpy as np
import pytest

from hypertransfer.execution.proposals import KINDS, SearchBox, Trials, bayesian, propose


def bowl(points):
    """Least at (1, −1, 1, …); diverges far up the first coordinate."""
    target = np.where(np.arange(points.shape[1]) % 2 == 0, 1.0, -1.0)
    losses = ((points - target) ** 2).sum(axis=1)
    return np.where(points[:, 0] > 2.5, np.inf, losses)


def searched(kind, dimension=2, generations=8, number=8, seed=0, **options):
    box, found = SearchBox([f"x{i}" for i in range(dimension)], 3.0), []
    for generation in range(generations):
        points = propose(kind, options, box, number, Trials(found), [seed, generation])
        found.append((points, bowl(points)))
    return Trials(found)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_trial_is_the_start_and_all_lie_in_the_box(kind):
    found = searched(kind, dimension=3, generations=3)
    assert not found.points[0].any()
    assert np.abs(found.points).max() <= 3.0
    assert found.points.shape == (24, 3)
    assert len(np.unique(found.points, axis=0)) == 24


@pytest.mark.parametrize("kind", KINDS)
def test_a_generation_made_again_is_the_same(kind):
    first, again, other = (searched(kind, generations=2, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.points, again.points)
    assert not np.array_equal(first.points, other.points)


@pytest.mark.parametrize(("kind", "within"), [("trust_region", 0.1), ("bayesian", 0.1)])
def test_searches_that_learn_find_the_bottom_of_a_bowl(kind, within):
    assert searched(kind, generations=6).losses.min() < within


def test_trust_regions_beat_a_box_in_many_dimensions():
    kinds = {
        k: [searched(k, 12, seed=s).losses.min() for s in range(5)]
        for k in ("trust_region", "random")
    }
    assert max(kinds["trust_region"]) < min(kinds["random"])


def test_a_trust_region_shrinks_only_after_a_generation_without_a_better_point():
    box = SearchBox(["x"], 9.0)
    start = np.zeros((1, 1))

    def reach(*losses):
        before = Trials([(start, np.array([loss])) for loss in losses])
        points = propose("trust_region", {"shrink": 0.5, "least": 0.1}, box, 500, before, [0])
        return np.abs(points).max()

    assert reach(3.0, 2.0, 1.0) == pytest.approx(1.0, rel=0.02)
    assert reach(1.0, 2.0) == pytest.approx(0.5, rel=0.02)
    assert reach(1.0, 2.0, 0.5) == pytest.approx(0.5, rel=0.02)
    assert reach(*([1.0] * 9)) == pytest.approx(0.1, rel=0.02)


def test_a_search_that_has_only_diverged_starts_again_from_the_start():
    gone = Trials([(np.ones((2, 2)), np.full(2, np.inf))])
    assert not gone.best.any()
    points = bayesian(gone, SearchBox(["a", "b"], 3.0), 4, np.random.default_rng(0))
    assert points.shape == (4, 2)
