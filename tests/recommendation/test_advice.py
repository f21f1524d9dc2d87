"""Verdicts, evidence and next sweeps of recommendations, on sweeps with known answers."""

from __future__ import annotations

import math

import pytest
from tests.support.recommendation import observed

from hypertransfer.recommendation.advice import DO_NOT, NARROW, TRUST, recommend
from hypertransfer.recommendation.evidence import left_out, seeds_needed
from hypertransfer.recommendation.theory import CARRIED, THEORY, UNKNOWN, Slope
from hypertransfer.recommendation.trend import Prior

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
    assert "edge" in advice.reasons[0] or "brackets" in advice.reasons[0]


def test_left_out_is_predicted_from_smaller_sizes_alone():
    found = observed({16: -4.0, 32: -4.0, 64: -3.0, 128: -4.0})
    middle = left_out(found, SLOPES, PRIOR, largest=found[2])
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


def test_seeds_that_are_needed_follow_the_error():
    shifts = {16: [-0.3, 0.3, 0.1], 64: [0.2, -0.2, 0.3]}
    found = observed({16: -4.0, 64: -4.0}, shifts=shifts.__getitem__)
    some, more = seeds_needed(found, 0.1), seeds_needed(found, 0.05)
    assert more == pytest.approx(4 * some, abs=4)
    assert some > 3
