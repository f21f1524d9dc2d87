"""Intervals over seeds: closed forms, open ends, forms of a curve, tests and ranks."""

import math

import numpy as np
import pytest
from tests.support.sweeps import INF, parts

from hypertransfer.analysis import intervals
from hypertransfer.analysis.estimate import Estimate, exact


def of_mean(values):
    return lambda seeds: exact(float(values[seeds].mean()))


@pytest.mark.parametrize(("level", "quantile"), [(0.95, 4.3027), (0.9, 2.9200)])
def test_the_interval_of_a_mean_is_students(level, quantile):
    values = np.array([1.0, 5.0, 2.0])
    found = intervals.over_seeds(of_mean(values), 3, level=level, over="tasks")
    half = quantile * values.std(ddof=1) / math.sqrt(3)
    assert parts(found) == pytest.approx((8 / 3, 8 / 3 - half, 8 / 3 + half), abs=1e-3)
    assert (found.count, found.over) == (3, "tasks")


@pytest.mark.parametrize("count", [1, 2])
def test_two_seeds_or_fewer_leave_both_ends_open(count):
    found = intervals.over_seeds(of_mean(np.array([1.0, 1.1])), count)
    assert (found.low, found.high) == (-INF, INF)


def test_an_interval_of_logarithms_is_that_of_a_geometric_mean():
    values = np.array([1.0, 4.0, 2.0])
    found = intervals.over_seeds(
        lambda seeds: exact(float(np.exp(np.log(values[seeds]).mean()))), 3, log=True
    )
    half = 4.3027 * np.log(values).std(ddof=1) / math.sqrt(3)
    assert parts(found) == pytest.approx((2, 2 * math.exp(-half), 2 * math.exp(half)), rel=1e-4)


def test_what_a_grid_leaves_open_is_added_to_the_interval():
    values = np.array([1.0, 2.0, 3.0, 4.0])

    def statistic(seeds):
        mean = float(values[seeds].mean())
        return Estimate(mean, mean - 0.5, mean + 0.25)

    plain, wider = (intervals.over_seeds(s, 4) for s in (of_mean(values), statistic))
    assert (wider.low, wider.high) == pytest.approx((plain.low - 0.5, plain.high + 0.25))


@pytest.mark.parametrize("opened_by", [{0}, {0, 1, 2, 3}])
def test_an_end_that_is_open_without_a_seed_is_open(opened_by):
    def statistic(seeds):
        gone = set(range(4)) - set(seeds.tolist())
        return Estimate(0.0, 0.0, INF if gone & opened_by else 1.0)

    found = intervals.over_seeds(statistic, 4)
    assert (found.low, found.high) == (0.0, INF)


def test_a_value_that_is_infinite_with_every_seed_stays_infinite():
    assert parts(intervals.over_seeds(lambda seeds: exact(INF), 3)) == (INF, INF, INF)
    mixed = intervals.over_seeds(lambda seeds: exact(INF if 0 in seeds else 1.0), 3)
    assert (mixed.low, mixed.high) == (-INF, INF)


def test_forms_that_agree_have_a_two_sided_and_forms_apart_a_one_sided_quantile():
    values = np.array([1.0, 2.0, 4.0, 5.0])
    alone = intervals.over_seeds(of_mean(values), 4)
    same = intervals.over_forms([of_mean(values)] * 3, 4)
    assert parts(same) == pytest.approx(parts(alone), rel=1e-6)
    apart = intervals.over_forms([of_mean(values), of_mean(values + 1000)], 4)
    error = values.std(ddof=1) / 2
    assert apart.low == pytest.approx(3 - 2.3534 * error, rel=1e-3)
    assert apart.high == pytest.approx(1003 + 2.3534 * error, rel=1e-3)
    assert apart.value == 503


def test_candidates_that_a_test_does_not_reject():
    """For a mean, the candidates are those of Student's interval."""
    values = np.array([1.0, 5.0, 2.0])
    candidates = np.linspace(-20, 20, 801)
    found = intervals.by_test(candidates, values - candidates[:, None])
    assert parts(found) == pytest.approx(parts(intervals.over_seeds(of_mean(values), 3)))
    few = intervals.by_test(candidates[400:], values - candidates[400:, None])
    assert (few.low, few.high) == (-INF, found.high)
    none = intervals.by_test(candidates, values[:, None].T - 0 * candidates[:, None] - 2.5)
    assert (none.low, none.high) == (-INF, INF)


def test_scores_of_one_sign_leave_both_ends_open():
    """The truth is beyond the candidates, on a side that the scores do not tell."""
    candidates = np.linspace(0, 1, 11)
    scores = np.array([10.0, 10.1, 9.9]) - candidates[:, None]
    for found in (intervals.by_test(candidates, sign * scores) for sign in (1, -1)):
        assert math.isnan(found.value)
        assert (found.low, found.high) == (-INF, INF)


def test_the_sign_of_scores_does_not_matter():
    values, candidates = np.array([1.0, 5.0, 2.0]), np.linspace(-20, 20, 801)
    scores = values - candidates[:, None]
    assert intervals.by_test(candidates, -scores) == intervals.by_test(candidates, scores)


def test_a_root_between_two_rejected_candidates_is_the_interval():
    candidates = np.array([-2.0, -1.0, 1.0, 2.0])
    for sign in (1, -1):
        found = intervals.by_test(candidates, sign * (0.5 - candidates[:, None]) * np.ones(3))
        assert parts(found) == pytest.approx((0.5, 0.5, 0.5))


def test_an_accepted_set_of_two_parts_has_its_outer_ends():
    """The mean is 0 at −1 and at 1, and rejected between them."""
    candidates = np.linspace(-3, 3, 601)
    scores = (candidates**2 - 1)[:, None] + np.array([-0.01, 0.0, 0.01])
    found = intervals.by_test(candidates, scores)
    reach = 4.3027 * 0.01 / math.sqrt(3)
    assert found.value == pytest.approx(-1, abs=1e-4)
    end = math.sqrt(1 + reach)
    assert (found.low, found.high) == pytest.approx((-end, end), abs=1e-4)


def test_the_interval_of_a_share_is_that_of_clopper_and_pearson():
    assert parts(intervals.share_of(6, 6)) == pytest.approx((1, 0.5407, 1), abs=1e-4)
    assert parts(intervals.share_of(0, 6)) == pytest.approx((0, 0, 0.4593), abs=1e-4)
    assert parts(intervals.share_of(8, 10)) == pytest.approx((0.8, 0.4439, 0.9748), abs=1e-4)


def test_the_interval_of_a_median_is_between_two_values():
    values = np.array([3.0, 1, 2, 6, 5, 4])
    assert parts(intervals.median_of(values)) == (3.5, 1, 6)
    assert intervals.median_of(values[:5]).high == INF
    assert parts(intervals.median_of(np.arange(9.0))) == (4, 1, 7)
