"""Predictions of sizes that were swept, and the prior that is fitted to sweeps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.support.recommendation import observed

from hypertransfer.parameterisation.tables import PARAMETERISATIONS, SCALE_FREE
from hypertransfer.recommendation.hold_out import Sweeps, fitted_prior, predictions
from hypertransfer.recommendation.trend import PRIOR
from hypertransfer.report.forecasts_page import forecasts_page
from hypertransfer.runs.spec import Component

MUP, SP = (PARAMETERISATIONS[name][SCALE_FREE] for name in ("mup", "sp"))


def sweeps(best, table=MUP, study="a", **options):
    return Sweeps(study, "sweep", table, Component("adam"), observed(best, **options))


def test_each_size_is_predicted_from_each_number_of_smaller_ones():
    found = list(predictions(sweeps({16: -4.0, 32: -4.0, 128: -4.0}), PRIOR))
    assert [(one.smaller, one.octaves) for one in found] == [(1, 1), (1, 3), (2, 2)]
    assert all(one.dimensions == ("width",) and one.inside for one in found)
    assert all(abs(error) < 0.01 for one in found for error in one.errors.values())


def test_rules_without_a_fit_are_those_of_their_names():
    (one,) = predictions(sweeps({16: -4.0, 64: -6.0}, SP), PRIOR)
    assert one.errors["same rate"] == pytest.approx(2)
    assert one.errors["µP's rule"] == pytest.approx(0, abs=1e-9)
    assert one.errors["trend"] == pytest.approx(0, abs=1e-2)
    assert one.regrets["same rate"] == pytest.approx(100 * math.expm1(0.05 * 4), rel=1e-3)


def test_a_size_whose_optimum_is_open_is_not_predicted():
    assert not list(predictions(sweeps({16: -4.0, 64: 9.0}), PRIOR))


def test_the_fitted_prior_has_the_spread_of_the_slopes():
    generator = np.random.default_rng(3)
    slopes = generator.normal(0, 0.3, 60)
    arms = [sweeps({16: -4.0, 32: -4.0 + b, 64: -4.0 + 2 * b}) for b in slopes]
    fitted = fitted_prior(arms)
    assert fitted.carried == pytest.approx(0.3, rel=0.25)
    assert fitted.scatter < 0.1
    assert fitted.unknown == PRIOR.unknown


def test_the_page_counts_predictions_by_what_is_known():
    arms = [
        sweeps({16: -4.0, 64: -4.1}),
        sweeps({16: -4.0, 64: -6.1}, SP, "b"),
        sweeps({16: -4.0}, SP, "b"),
    ]
    text = forecasts_page(arms)
    assert "2 sweeps have more than one size. Of 2 predictions 2 are from a single" in text
    assert "| the table scales what grows | 1 | 0.10 | 0.10 | 0.10 |" in text
    assert "| a theory tells how the rate moves | 1 | 0.10 | 2.10 | 0.10 |" in text
    assert "| 4 times as wide, a theory tells how the rate moves | 1 |" in text
    assert "| `b` | 1 |" in text
    assert "| *narrow sweep* |" in text
    assert "| *trust* |" not in text
