"""Extremes of several levels: ranges, leads and standardised means."""

import math

import numpy as np
import pytest
from scipy import stats
from tests.support.sweeps import INF, parts

from hypertransfer.analysis import contrasts, intervals
from hypertransfer.analysis.estimate import exact

RNG = np.random.default_rng(0)
SEEDS = RNG.normal(size=(3, 5))


def test_the_range_of_two_levels_is_the_magnitude_of_their_difference():
    values = np.stack([SEEDS[0], SEEDS[1] + 5])
    difference = values[1] - values[0]
    student = intervals.over_seeds(lambda seeds: exact(float(difference[seeds].mean())), 5)
    found = contrasts.level_range(values)
    assert (found.low, found.high) == pytest.approx((student.low, student.high), abs=1e-4)
    assert found.value < student.value, "noise alone makes a range"


def test_a_level_that_varies_more_than_others_has_its_own_error():
    """Student's interval of the difference to the level that varies is part of the interval."""
    values = np.stack([SEEDS[0] / 100, SEEDS[1] / 100 + 1, 3 + 20 * SEEDS[2]])
    found = contrasts.level_range(values)
    difference = values[2] - values[0]
    student = intervals.mean_over_seeds(difference).magnitude()
    assert found.low == 0
    assert found.high >= student.high
    alone = contrasts.level_range(values[:2])
    assert alone.low > 0, "two levels that vary little are told apart"


def test_levels_that_are_apart_for_certain_are_told_apart_beside_one_that_varies():
    values = np.stack([SEEDS[0] / 100, SEEDS[1] / 100 + 9, 4 + 2 * SEEDS[2]])
    assert contrasts.level_range(values).low > 0


def test_what_a_seed_brings_to_all_levels_cancels():
    shared = 100 * RNG.normal(size=5)
    plain, shifted = (contrasts.level_range(SEEDS + s) for s in (0, shared))
    assert parts(plain) == pytest.approx(parts(shifted))


def test_a_range_of_which_noise_leaves_nothing_is_told_as_observed():
    equal = np.array([[0.0, 2.0, 1.0], [2.0, 0.0, 1.5]])  # means 1 and 7/6
    found = contrasts.level_range(equal)
    assert found.value == 0
    assert found.observed == pytest.approx(1 / 6)
    assert contrasts.level_range(equal / 100 + [[0], [1]]).observed is None


def test_a_range_of_few_or_unusable_seeds_is_open():
    assert contrasts.level_range(SEEDS[:, :2]).high == INF
    gone = SEEDS.copy()
    gone[0, 0] = INF
    found = contrasts.level_range(gone)
    assert math.isnan(found.value)
    assert (found.low, found.high) == (0, INF)


def test_the_studentized_range_is_that_of_the_tables():
    assert contrasts.range_quantile(0.95, 3, 10) == pytest.approx(3.877, abs=2e-3)


def test_the_least_lead_is_judged_by_the_nearest_rival():
    near, far = SEEDS[0] + 3, SEEDS[1] + 30
    found = contrasts.least_lead(np.stack([near, far]))
    alone = contrasts.least_lead(near[None])
    assert (found.value, found.low) == (alone.value, alone.low)
    assert found.high > alone.high, "the nearest rival was chosen"
    assert contrasts.least_lead(np.stack([near, np.full(5, INF)])).low == alone.low


def test_a_standardised_mean_has_the_interval_of_a_noncentral_t():
    values = np.array([1.0, 2.0, 3.0, 4.0])
    found = contrasts.standardised_mean(values)
    observed = 2 * values.mean() / values.std(ddof=1)
    assert stats.nct.cdf(observed, 3, 2 * found.low) == pytest.approx(0.975, abs=2e-3)
    assert stats.nct.cdf(observed, 3, 2 * found.high) == pytest.approx(0.025, abs=2e-3)


def test_standardised_means_without_noise_or_with_divergence():
    assert parts(contrasts.standardised_mean(np.zeros(3))) == (0, 0, 0)
    assert parts(contrasts.standardised_mean(np.ones(3))) == (INF, INF, INF)
    assert parts(contrasts.standardised_mean(np.array([1, INF, 2]))) == (INF, 0, INF)
    assert contrasts.standardised_mean(np.ones(2)).high == INF
