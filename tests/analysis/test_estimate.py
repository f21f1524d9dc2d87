"""Estimates: interval arithmetic."""

from tests.support.sweeps import INF

from hypertransfer.analysis import estimate
from hypertransfer.analysis.estimate import Estimate, exact


def test_open_bounds_survive_sums_on_the_right_side():
    edge, known = Estimate(-5, -INF, -4.5), exact(1.0)
    assert estimate.linear([-1, 1], [known, edge]) == Estimate(-6, -INF, -5.5)
    assert estimate.linear([-1, 1], [edge, known]) == Estimate(6, 5.5, INF)
    assert estimate.linear([-1, 0, 1], [known, edge, known]) == exact(0.0)


def test_magnitude_of_bounds_with_two_signs_starts_at_zero():
    assert Estimate(-1, -2, 3).magnitude() == Estimate(1, 0, 3)
    assert Estimate(-2, -INF, -1.5).magnitude() == Estimate(2, 1.5, INF)


def test_flags_of_one_sided_intervals():
    assert Estimate(1, 2, INF, 3).lower_bound_only
    assert Estimate(1, -INF, 2, 3).upper_bound_only
    both = [Estimate(1, -INF, INF, 3), Estimate(1, 0, 2, 3), Estimate(INF, INF, INF, 3)]
    assert not any(m.lower_bound_only or m.upper_bound_only for m in both)
