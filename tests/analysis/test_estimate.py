"""Estimates: interval arithmetic, and the coverage of intervals over seeds."""

import math

import numpy as np
import pytest
from tests.support.sweeps import INF, near, parabola, parts

from hypertransfer.analysis import estimate
from hypertransfer.analysis import sweeps as analysis_sweeps
from hypertransfer.analysis.estimate import Estimate, exact
from hypertransfer.analysis.sweeps import Sweep


def test_open_bounds_survive_sums_on_the_right_side():
    edge, known = Estimate(-5, -INF, -4.5), exact(1.0)
    assert estimate.linear([-1, 1], [known, edge]) == Estimate(-6, -INF, -5.5)
    assert estimate.linear([-1, 1], [edge, known]) == Estimate(6, 5.5, INF)
    assert estimate.linear([-1, 0, 1], [known, edge, known]) == exact(0.0)


def test_magnitude_of_bounds_with_two_signs_starts_at_zero():
    assert Estimate(-1, -2, 3).magnitude() == Estimate(1, 0, 3)
    assert Estimate(-2, -INF, -1.5).magnitude() == Estimate(2, 1.5, INF)


def of_mean(values):
    return lambda seeds: exact(float(values[seeds].mean()))


def test_the_interval_of_few_seeds_is_their_range_and_of_one_is_itself():
    values = np.array([1.0, 5.0, 2.0])
    assert parts(estimate.bootstrap(of_mean(values), 3)) == near(Estimate(8 / 3, 1, 5))
    assert estimate.bootstrap(of_mean(values), 1) == Estimate(1.0, 1.0, 1.0, count=1)


def test_the_same_generator_seed_gives_the_same_interval():
    values = np.random.default_rng(0).normal(size=9)
    first, again, other = (
        estimate.bootstrap(of_mean(values), 9, generator_seed=s, draws=200) for s in (1, 1, 2)
    )
    assert first == again != other


def test_the_interval_of_many_seeds_is_students():
    values = np.random.default_rng(5).normal(size=40)
    found = estimate.bootstrap(of_mean(values), 40, draws=20_000)
    half = 2.0227 * values.std(ddof=1) / math.sqrt(40)
    assert (found.low, found.high) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=0.1 * half
    )


def test_an_open_end_in_enough_resamples_opens_the_interval():
    def statistic(seeds):
        return Estimate(0.0, 0.0, INF if 0 in seeds else 1.0)

    assert estimate.bootstrap(statistic, 4).high == INF
    whole = estimate.bootstrap(lambda seeds: exact(float(len(set(seeds)) == 8)), 8)
    assert (whole.low, whole.high) == (0, 1)  # all seeds once: rare, and yet the estimate
    rare = estimate.bootstrap(lambda seeds: exact(INF if len(set(seeds)) == 1 else 0.0), 7)
    assert rare.high == 0


@pytest.mark.parametrize(("seeds", "least", "most"), [(3, 0.65, 0.85), (5, 0.87, 0.98)])
def test_intervals_of_a_known_drift_cover_it_as_often_as_stated(seeds, least, most):
    rng = np.random.default_rng(7)
    drift, covered, trials = -0.8, 0, 200
    x = np.arange(-4, 4)
    for _ in range(trials):
        # Seeds move a whole curve; runs have noise of their own.
        wobble = rng.normal(0, 0.1, (2, seeds, 1))
        noise = rng.normal(0, 0.02, (2, seeds, len(x)))
        sweeps = [
            Sweep(n, 2.0**x, parabola(x - w, v) + e)
            for n, v, w, e in zip((16.0, 64.0), (0.3, 0.3 + drift), wobble, noise, strict=True)
        ]
        found = estimate.bootstrap(
            lambda s, sw=sweeps: analysis_sweeps.shift(analysis_sweeps.optima(sw, s)), seeds
        )
        covered += found.low <= drift <= found.high
    assert least <= covered / trials <= most


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_intervals_of_means_cover_no_more_than_the_greatest_coverage(count):
    """The mean 0 of numbers of either sign is left out if all have one sign."""
    numbers = np.random.default_rng(0).choice([-1.0, 1.0], size=(4000, count))
    distinct, copies = np.unique(numbers, axis=0, return_counts=True)
    intervals = [estimate.bootstrap(of_mean(values), count) for values in distinct]
    covered = [interval.low <= 0 <= interval.high for interval in intervals]
    share = copies[covered].sum() / copies.sum()
    assert share == pytest.approx(estimate.greatest_coverage(count), abs=0.03)


def test_flags_of_one_sided_intervals():
    assert Estimate(1, 2, INF, 3).lower_bound_only
    assert Estimate(1, -INF, 2, 3).upper_bound_only
    both = [Estimate(1, -INF, INF, 3), Estimate(1, 0, 2, 3), Estimate(INF, INF, INF, 3)]
    assert not any(m.lower_bound_only or m.upper_bound_only for m in both)
