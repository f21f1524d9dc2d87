"""Verdicts, evidence and next sweeps of recommendations, on sweeps with known answers."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from tests.support.recommendation import observed

from hypertransfer.recommendation.advice import DO_NOT, NARROW, TRUST, recommend
from hypertransfer.recommendation.evidence import left_out
from hypertransfer.recommendation.next_runs import next_sweeps
from hypertransfer.recommendation.observations import logs_of
from hypertransfer.recommendation.theory import CARRIED, THEORY, UNKNOWN, Slope
from hypertransfer.recommendation.trend import Prior, trend

SLOPES = {"width": Slope(CARRIED)} | dict.fromkeys(("depth", "batch", "duration"), Slope(UNKNOWN))
OF_SP = SLOPES | {"width": Slope(THEORY, -1.0)}
PRIOR = Prior(carried=0.1, theory=0.2, unknown=0.4, scatter=0.1)
REST = 2, 8, 100  # depth, batch size and steps of the sweeps
NEAR = (128, *REST)


def test_rates_that_stay_are_trusted():
    advice = recommend(observed({16: -4.0, 32: -4.0, 64: -4.0}), NEAR, SLOPES, PRIOR)
    assert advice.verdict == TRUST
    assert advice.lr == pytest.approx(2**-4, rel=0.05)
    low, high = advice.interval
    assert low < 2**-4 < high
    assert advice.extrapolation == {"width": 1, "depth": 0, "batch": 0, "duration": 0}


def test_a_sweep_that_hardly_tells_rates_apart_is_not_trusted():
    """A rate 2 octaves off costs 100 (e^(4 × curvature) − 1) per cent, on both sides."""
    best = {16: -4.0, 32: -4.0, 64: -4.0}
    flat = recommend(observed(best, curvature=0.0022), NEAR, SLOPES, PRIOR)
    assert flat.verdict == NARROW
    (reason,) = flat.reasons
    assert "a rate that is 4 times as high or low costs at most 0.88 %" in reason
    assert recommend(observed(best, curvature=0.0028), NEAR, SLOPES, PRIOR).verdict == TRUST


@pytest.mark.parametrize(("curvature", "verdict"), [(0.002, NARROW), (0.008, TRUST)])
def test_a_narrow_sweep_counts_with_what_its_ends_would_cost_further_off(curvature, verdict):
    """One octave off costs 100 (e^curvature − 1) per cent, and two octaves four times as much."""
    best = {16: -4.0, 32: -4.0, 64: -4.0}
    rates = (-5.0, -4.5, -4.0, -3.5, -3.0)
    tight = Prior(carried=0.02, theory=0.2, unknown=0.4, scatter=0.02)
    found = observed(best, rates=rates, curvature=curvature)
    advice = recommend(found, NEAR, SLOPES, tight)
    assert advice.verdict == verdict
    words = "a rate that is 2 times as high or low costs at most 0.2 %"
    assert any(words in reason for reason in advice.reasons) == (verdict == NARROW)


@pytest.mark.parametrize(("apart", "verdict"), [(0.5, TRUST), (2.0, NARROW)])
def test_rates_on_which_seeds_disagree_are_not_trusted(apart, verdict):
    """The best rates of three seeds lie this far apart; the error is that of their mean."""
    shifts = lambda width: apart * np.array([-1.0, 0.0, 1.0])  # noqa: E731
    found = observed({16: -4.0, 32: -4.0, 64: -4.0}, shifts=shifts)
    advice = recommend(found, NEAR, SLOPES, PRIOR)
    assert advice.verdict == verdict
    assert any("as seeds or forms" in reason for reason in advice.reasons) == (verdict == NARROW)


def test_a_single_size_is_not_trusted_but_swept_nearby():
    advice = recommend(observed({16: -4.0}), NEAR, SLOPES, PRIOR)
    assert advice.verdict == NARROW
    assert any("one size" in reason for reason in advice.reasons)
    assert advice.left_out is None


def test_a_largest_size_that_was_not_predicted_is_a_doubt():
    advice = recommend(observed({16: -4.0, 32: -4.0, 64: -1.5}), NEAR, SLOPES, PRIOR)
    assert advice.verdict != TRUST
    assert not advice.left_out.inside
    assert advice.left_out.octaves == pytest.approx(-2.5, abs=0.1)


def test_a_drift_is_followed_where_the_table_does_not_carry():
    drift = {16: -3.0, 32: -4.0, 64: -5.0, 128: -6.0}
    advice = recommend(observed(drift), (512, *REST), OF_SP, PRIOR)
    assert advice.forecast.log2_lr == pytest.approx(-8, abs=0.4)
    assert advice.fitted.slope("width").log2_lr == pytest.approx(-1, abs=0.1)


def test_far_away_over_what_no_table_carries_nothing_is_recommended():
    advice = recommend(observed({16: -4.0, 32: -4.0}), (16 * 2**12, 2, 512, 100), SLOPES, PRIOR)
    assert advice.verdict == DO_NOT


def test_sweeps_that_bracket_nothing_say_so():
    advice = recommend(observed({16: 9.0, 32: 9.0}), NEAR, SLOPES, PRIOR)
    assert advice.verdict == DO_NOT
    assert advice.forecast is None
    assert "no measured size brackets" in advice.reasons[0]


def test_left_out_is_predicted_from_smaller_sizes_alone():
    found = observed({16: -4.0, 32: -4.0, 64: -3.0, 128: -4.0})
    middle = left_out(found[:3], SLOPES, PRIOR)
    assert middle.smaller == 2
    assert middle.octaves == pytest.approx(-1, abs=0.05)
    assert left_out(found, SLOPES, PRIOR).smaller == 3
    assert left_out(found[:1], SLOPES, PRIOR) is None
    # the excess of the left-out parabola at the rate from the others
    assert middle.regret == pytest.approx(100 * math.expm1(0.05 * 1**2), rel=0.1)


def test_next_sweeps_narrow_and_are_ordered_by_what_they_give_for_their_time():
    advice = recommend(observed({16: -4.0, 32: -4.0}), (256, *REST), SLOPES, PRIOR)
    gains = [
        (advice.forecast.deviation**2 - one.deviation**2) / one.minutes
        for one in advice.next_sweeps
    ]
    assert len(gains) >= 2
    assert gains == sorted(gains, reverse=True)
    assert all(one.deviation < advice.forecast.deviation for one in advice.next_sweeps)
    times = {one.logs[0]: one.minutes for one in advice.next_sweeps}
    assert max(times, key=times.__getitem__) == max(times)


def test_without_several_seeds_nothing_is_trusted():
    advice = recommend(observed({16: -4.0, 32: -4.0, 64: -4.0}, seeds=1), NEAR, SLOPES, PRIOR)
    assert advice.verdict == NARROW
    assert any("one seed" in reason for reason in advice.reasons)


def test_a_dimension_that_was_not_varied_is_a_doubt():
    found = observed({16: -4.0, 32: -4.0, 64: -4.0})
    advice = recommend(found, (128, 4, 8, 100), dict.fromkeys(SLOPES, Slope(CARRIED)), PRIOR)
    assert advice.verdict == NARROW
    assert advice.reasons == ("the target has another depth, which was not varied",)


def test_what_lies_beyond_the_tried_rates_is_a_doubt():
    found = observed({16: -4.0, 32: -4.0, 64: -4.0}, rates=(-4.2, -4.0, -3.8), curvature=0.01)
    advice = recommend(found, (512, *REST), SLOPES, PRIOR)
    assert any("beyond the rates that were tried" in reason for reason in advice.reasons)


def test_further_seeds_at_a_measured_size_leave_the_form_of_the_curve_open():
    found = observed({16: -4.0, 32: -4.0})
    exact = next_sweeps(found, trend(found, SLOPES, PRIOR), logs_of((64, *REST)))
    open_form = [
        dataclasses.replace(
            one,
            optimum=dataclasses.replace(one.optimum, low=-5.0, high=-3.0),
            error=2 / math.sqrt(12),
            seed_deviation=0.0,
        )
        for one in found
    ]
    fitted = trend(open_form, SLOPES, PRIOR)
    suggested = next_sweeps(open_form, fitted, logs_of((64, *REST)))
    assert exact or suggested
    assert not {one.logs for one in suggested} & {one.logs for one in found}
