"""Costs of learning rates beside the best one, against parabolas."""

from __future__ import annotations

import math

import pytest
from tests.support.recommendation import base_of, observed, runs_of

from hypertransfer.recommendation.observations import observations
from hypertransfer.recommendation.rate_costs import excess, excess_text, expected_cost
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


def test_levels_of_seeds_have_no_part_in_the_excess():
    """The mean loss has the factors of the seeds, and the excess is relative to it."""
    (one,) = observed({16: -4.0}, levels=(0.5, 1.0, 2.0))
    assert excess(one, 0.0) == pytest.approx(0, abs=1e-6)
    assert excess(one, 0.3) == pytest.approx(100 * math.expm1(0.05 * 0.3**2), rel=0.5)
    assert excess(one, 2.0) == pytest.approx(100 * math.expm1(0.05 * 2**2), rel=1e-3)


def test_steep_losses_keep_their_excess_between_rates():
    (one,) = observed({16: -4.3}, curvature=2.0)
    assert excess(one, 0.0) == pytest.approx(0, abs=1e-6)
    assert excess(one, 0.3) == pytest.approx(100 * math.expm1(2 * 0.3**2), rel=0.1)


def test_without_positive_losses_no_excess_is_defined():
    runs = runs_of({16: -4.0})
    (one,) = observations(runs.assign(final_loss=runs["final_loss"] - 2.0), base_of)
    assert math.isnan(excess(one, 0.3))
    cost = expected_cost(one, Forecast(-4.0, 0.3))
    assert math.isnan(cost.percent)
    assert cost.diverges == 0


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


@pytest.mark.parametrize(
    ("percent", "above", "text"),
    [
        (0.413, math.nan, "0.41 %"),
        (1.002, math.nan, "1 %"),
        (1.002, 1.0, "1.002 %"),
        (1.04, 1.0, "1.04 %"),
        (1.3, 1.0, "1.3 %"),
        (math.nextafter(1.0, 2.0), 1.0, "1.0000000000000002 %"),
        (99.4, 1.0, "99 %"),
        (99.6, 1.0, "> 99 %"),
        (123.0, 1.0, "> 99 %"),
        (math.nan, 1.0, "not defined"),
    ],
)
def test_the_text_shows_that_an_excess_is_above_a_bound(percent, above, text):
    assert excess_text(percent, above) == text
