"""Intervals with more units: closed forms, and simulations of what is predicted."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hypertransfer.analysis.estimate import Estimate
from hypertransfer.analysis.intervals import exact, mean_over_seeds, over_seeds, share_of
from hypertransfer.analysis.prospects import (
    FIXED,
    NARROW,
    ON_BAR,
    OPEN_END,
    OPEN_SIDE,
    Bar,
    Precision,
    Side,
    chance,
    obstacle,
    power,
    precision,
    units_needed,
)

INF = math.inf
AT_MOST = Bar(high=1.0)
AT_LEAST = Bar(low=1.0)


def of_mean(values, level=0.95):
    wide, narrow = (mean_over_seeds(values, level=x) for x in (level, NARROW))
    return precision(wide, narrow, level=level)


def plain(value, deviation, count, fixed=0.0):
    side = Side(fixed, deviation)
    return Precision(value, count, side, side)


def test_the_deviation_of_a_mean_is_that_of_its_seeds():
    values = np.array([0.1, 0.5, 0.2, 0.9, 0.4])
    for level in (0.95, 0.99):
        found = of_mean(values, level)
        for side in (found.below, found.above):
            assert side.fixed == 0
            assert side.deviation == pytest.approx(values.std(ddof=1))


def test_a_step_of_the_grid_is_told_from_the_noise():
    values = np.array([0.1, 0.5, 0.2, 0.9])

    def statistic(rows):
        mean = float(values[rows].mean())
        return Estimate(mean, mean - 0.25, mean + 0.5)

    found = precision(*(over_seeds(statistic, 4, level=x) for x in (0.95, NARROW)))
    assert (found.below.fixed, found.above.fixed) == pytest.approx((0.25, 0.5))
    whole = precision(*(over_seeds(statistic, 4, level=x) for x in (0.95, NARROW)), shrinks=True)
    assert whole.below.fixed == whole.above.fixed == 0
    for n in (4, 9):
        t = stats.t.ppf(0.975, [3, n - 1])
        expected = found.above.distance(4, 0.95) * t[1] / t[0] * math.sqrt(4 / n)
        assert whole.above.distance(n, 0.95) == pytest.approx(expected)
    assert found.above.deviation == pytest.approx(values.std(ddof=1))


def test_the_interval_of_a_ratio_is_one_of_its_logarithm():
    logs = np.array([0.1, -0.2, 0.3, 0.05])
    ratio = [
        over_seeds(lambda rows: exact(math.exp(logs[rows].mean())), 4, level=x, log=True)
        for x in (0.95, NARROW)
    ]
    found = precision(*ratio, log=True)
    assert found.value == pytest.approx(logs.mean())
    assert found.above.deviation == pytest.approx(logs.std(ddof=1), rel=1e-6)
    assert found.on_scale(Bar(1.0, math.e)) == pytest.approx((0, 1))
    assert found.on_scale(Bar(0.0)).low == -INF


def test_an_end_on_a_bound_has_the_deviation_of_the_other_side():
    wide, narrow = Estimate(0.2, 0.0, 1.2, 5), Estimate(0.2, 0.0, 0.5, 5)
    found = precision(wide, narrow, bounds=(0.0, INF))
    assert found.below.deviation == found.above.deviation
    assert precision(wide, narrow).below.deviation != found.above.deviation


def test_open_ends_have_no_deviation_and_open_intervals_no_precision():
    wide, narrow = Estimate(0.2, -INF, 1.2, 5), Estimate(0.2, -INF, 0.5, 5)
    assert precision(wide, narrow).below == OPEN_SIDE
    nothing = Estimate(0.2, -INF, INF, 5)
    assert precision(nothing, nothing) is None
    assert precision(Estimate(math.nan, 0, 1, 5), narrow) is None
    assert precision(Estimate(0.2, 0, 1, 2), narrow) is None  # two seeds


def test_units_needed_is_the_first_number_whose_interval_meets_or_violates_the_bar():
    found = plain(0.8, 0.5, 5)
    needed = units_needed(found, AT_MOST, 0.95)
    half = [stats.t.ppf(0.975, n - 1) * 0.5 / math.sqrt(n) for n in (needed - 1, needed)]
    assert half[0] > 0.2 >= half[1]
    assert units_needed(found, AT_LEAST, 0.95) == needed  # by then it fails
    assert units_needed(plain(1.2, 0.5, 5), AT_MOST, 0.95) == needed
    assert units_needed(found, AT_MOST, 0.99) > needed
    assert units_needed(found, Bar(0.75, 1.0), 0.95) > 10 * needed  # the nearer end


def test_no_number_of_units_decides_a_value_on_the_bar_or_within_a_step_of_it():
    assert units_needed(plain(1.0, 0.5, 5), AT_MOST, 0.95) is None
    assert units_needed(plain(0.999, 0.5, 5), AT_MOST, 0.95) is None  # more than 10,000
    assert units_needed(plain(0.8, 0.01, 5, fixed=0.25), AT_MOST, 0.95) is None
    assert units_needed(plain(0.8, 0.01, 5, fixed=0.15), AT_MOST, 0.95) == 6


def test_only_a_known_end_can_decide():
    open_above = Precision(0.8, 5, Side(0.0, 0.5), OPEN_SIDE)
    assert units_needed(open_above, AT_MOST, 0.95) is None  # it could hold, were the end known
    assert units_needed(open_above, AT_LEAST, 0.95) is None
    assert units_needed(open_above, Bar(low=0.5), 0.95) > 5
    found = chance(open_above, AT_MOST, 10, 0.96)
    assert found.holds == 0
    assert found.fails > 0


@pytest.mark.parametrize(
    ("found", "bar", "reason"),
    [
        (plain(0.8, 0.5, 5), AT_MOST, ""),
        (plain(1.0, 0.5, 5), AT_MOST, ON_BAR),
        (plain(0.8, 0.5, 5, fixed=0.3), AT_MOST, FIXED),
        (Precision(0.8, 5, Side(0.0, 0.5), OPEN_SIDE), AT_MOST, OPEN_END),
        (Precision(1.2, 5, Side(0.3, 0.5), OPEN_SIDE), AT_MOST, FIXED),
        (Precision(1.2, 5, OPEN_SIDE, Side(0.0, 0.5)), AT_LEAST, OPEN_END),
    ],
)
def test_an_obstacle_is_why_no_number_of_units_decides(found, bar, reason):
    assert obstacle(found, bar) == reason


def test_the_chance_is_the_closed_form_for_one_end():
    found = chance(plain(0.8, 0.5, 4), AT_MOST, 10, 0.96)
    half = stats.t.ppf(0.98, 9) * 0.5 / math.sqrt(10)
    scale = 0.5 * math.sqrt(1 / 4 - 1 / 10)
    assert found.holds == pytest.approx(stats.t.cdf((0.2 - half) / scale, 3))
    assert found.fails == pytest.approx(stats.t.sf((0.2 + half) / scale, 3))
    assert found.decided == found.holds + found.fails
    other = chance(plain(0.8, 0.5, 4), AT_LEAST, 10, 0.96)
    assert (other.holds, other.fails) == pytest.approx((found.fails, found.holds))


def test_the_chance_of_a_bar_with_two_ends_and_without_noise():
    assert chance(plain(0.8, 0.0, 4), Bar(0.5, 1.0), 10, 0.96) == (1, 0)
    assert chance(plain(0.8, 0.0, 4, fixed=0.25), Bar(0.5, 1.0), 10, 0.96) == (0, 0)
    assert chance(plain(1.8, 0.0, 4), Bar(0.5, 1.0), 10, 0.96) == (0, 1)
    assert chance(plain(0.8, 0.5, 4), AT_MOST, 4, 0.96) == (0, 0)  # no seed more


@pytest.mark.parametrize("count", [4, 8])
def test_predicted_chances_are_as_frequent_as_predicted(count):
    """Sets of seeds with random means: over undecided ones, predictions are right on the mean."""
    rng = np.random.default_rng(count)
    predicted, decided = [], []
    while len(predicted) < 400:
        values = rng.uniform(-1, 3) + rng.normal(size=24)
        found = of_mean(values[:count], 0.99)
        low, high = (found.value + x * found.above.distance(count, 0.99) for x in (-1, 1))
        if low <= 1 <= high:
            predicted.append(chance(found, AT_MOST, 24, 0.96).decided)
            last = mean_over_seeds(values, level=0.96)
            decided.append(last.high <= 1 or last.low > 1)
    apart = np.array(predicted) - np.array(decided)
    assert abs(apart.mean()) < 0.05 + 3 * apart.std() / math.sqrt(len(apart))
    assert np.corrcoef(predicted, decided)[0, 1] > 0.3


@pytest.mark.parametrize(("truth", "count"), [(0.2, 4), (0.7, 4), (0.7, 10), (1.2, 6)])
def test_power_is_that_of_the_noncentral_t_distribution(truth, count):
    t = stats.t.ppf(0.975, count - 1)
    shift = (1 - truth) / 0.5 * math.sqrt(count)
    expected = stats.nct.sf(t, count - 1, shift)
    assert power(plain(99.0, 0.5, count), truth, AT_MOST, 0.95) == pytest.approx(expected, abs=1e-3)
    mirrored = power(plain(99.0, 0.5, count), 2 - truth, AT_LEAST, 0.95)
    assert mirrored == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("bar", [Bar(0.0, 1.0), Bar(high=1.0)])
def test_power_is_as_frequent_as_holding(bar):
    rng, draws, count = np.random.default_rng(0), 2000, 6
    truth, sigma = 0.4, 0.4
    held = 0
    for _ in range(draws):
        found = mean_over_seeds(truth + sigma * rng.normal(size=count))
        held += bar.low <= found.low and found.high <= bar.high
    expected = power(plain(0.3, sigma, count), truth, bar, 0.95)
    assert held / draws == pytest.approx(expected, abs=3.5 * math.sqrt(0.25 / draws))


def test_power_needs_the_ends_that_the_bar_has():
    half_open = Precision(0.8, 5, Side(0.0, 0.5), OPEN_SIDE)
    assert power(half_open, 0.5, AT_MOST, 0.95) is None
    assert 0 < power(half_open, 1.5, AT_LEAST, 0.95) < 1
    logs = Precision(0.0, 5, Side(0.0, 0.5), Side(0.0, 0.5), log=True)
    assert power(logs, 0.0, AT_MOST, 0.95) is None
    assert power(logs, 0.5, AT_MOST, 0.95) == pytest.approx(
        power(plain(0.0, 0.5, 5), math.log(0.5), Bar(high=0.0), 0.95)
    )


def test_power_with_a_fixed_part_or_without_noise():
    assert power(plain(0.0, 0.0, 5), 0.9, AT_MOST, 0.95) == 1
    assert power(plain(0.0, 0.0, 5, fixed=0.2), 0.9, AT_MOST, 0.95) == 0
    assert power(plain(0.0, 0.1, 5, fixed=0.2), 0.5, AT_MOST, 0.95) < power(
        plain(0.0, 0.1, 5), 0.5, AT_MOST, 0.95
    )


def test_a_share_gets_narrower_with_more_groups():
    found = precision(*(share_of(9, 12, level=x) for x in (0.95, NARROW)), bounds=(0.0, 1.0))
    assert 12 < units_needed(found, Bar(low=0.5), 0.95) < 40
