"""Costs of learning rates beside the best one, against parabolas."""

from __future__ import annotations

import math

import pytest
from tests.support.recommendation import observed

from hypertransfer.recommendation.rate_costs import excess, expected_cost
from hypertransfer.recommendation.trend import Forecast


@pytest.fixture(scope="module")
def bowl():
    (one,) = observed({16: -4.0})
    return one


def test_the_excess_at_measured_rates_is_exact_and_between_them_interpolated(bowl):
    assert excess(bowl, 0.0) == pytest.approx(0, abs=1e-9)
    for octaves in (-3, -1, 2):
        assert excess(bowl, octaves) == pytest.approx(100 * math.expm1(0.05 * octaves**2))
    for octaves in (-0.5, 0.5, 1.5):
        assert excess(bowl, octaves) == pytest.approx(100 * math.expm1(0.05 * octaves**2), rel=0.3)


def test_beyond_the_sweep_the_excess_is_that_of_the_last_rate(bowl):
    assert excess(bowl, 50) == excess(bowl, 6)


def test_the_expected_cost_of_a_parabola(bowl):
    """The mean of e^{c·u²} − 1 over a Gaussian is 1/√(1 − 2cσ²) − 1, up to interpolation."""
    cost = expected_cost(bowl, Forecast(-4.0, 1.0))
    assert cost.percent == pytest.approx(100 * (1 / math.sqrt(1 - 2 * 0.05) - 1), rel=0.1)
    assert cost.diverges == 0
    assert cost.beyond < 0.01


def test_runs_diverge_from_the_middle_to_the_first_rate_that_did():
    (one,) = observed({16: -4.0}, diverges=3.0)
    assert excess(one, 2.4) < math.inf
    assert excess(one, 2.6) == math.inf
    cost = expected_cost(one, Forecast(-4.0, 2.5))
    assert cost.diverges == pytest.approx(0.16, abs=0.02)  # beyond one deviation
    assert math.isfinite(cost.percent)


def test_the_probability_of_rates_that_were_not_measured(bowl):
    assert expected_cost(bowl, Forecast(-4.0, 10.0)).beyond == pytest.approx(0.58, abs=0.02)
