"""Curves of losses: power laws, crossings, stable spans."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypertransfer.analysis import curves

SEEDED = settings(derandomize=True, deadline=None)


@SEEDED
@given(
    floor=st.floats(0, 3),
    scale=st.floats(0.5, 20),
    power=st.floats(0.1, 2),
    count=st.integers(4, 8),
)
def test_a_power_law_with_a_floor_is_found_again(floor, scale, power, count):
    x = 100.0 * 2 ** np.arange(count)
    y = floor + scale * x**-power
    found = curves.power_law_with_floor(x, y)
    fitted = found[0] + found[1] * x ** -found[2]
    assert fitted == pytest.approx(y, abs=2e-3 * (y[0] - y[-1]))
    assert found[0] >= 0
    assert found[1] >= 0


def test_the_span_of_a_v_is_its_width_at_the_margin():
    lrs, losses = 2.0 ** np.arange(-3, 4), np.abs(np.arange(-3, 4)) * 0.5
    assert curves.stable_span(lrs, losses, 0.6).value == pytest.approx(2 * 1.2)


def test_a_divergence_ends_the_span_and_an_open_end_leaves_it_open():
    gone = curves.stable_span([0.5, 1.0, 2.0], [1.0, 0.0, math.inf], 0.5)
    assert (gone.value, gone.high) == (0.5, 0.5)
    open_end = curves.stable_span([1.0, 2.0, 4.0], [0.0, 0.1, 0.2], 0.5)
    assert (open_end.low, open_end.high) == (2.0, math.inf)


@SEEDED
@given(st.lists(st.floats(0, 10), min_size=2, max_size=8), st.floats(0, 10))
def test_the_first_step_at_a_target(losses, target):
    steps = np.arange(1.0, len(losses) + 1)
    found = curves.steps_to_loss(steps, np.array(losses), target)
    if min(losses) > target:
        assert found == math.inf
    else:
        assert np.interp(found, steps, losses) == pytest.approx(target, abs=1e-6) or found == 1
        assert all(loss > target for step, loss in zip(steps, losses, strict=True) if step < found)


def test_trailing_means_are_over_whole_windows():
    steps, values = np.array([0.0, 1, 2, 3, 4]), np.array([[9.0, 1, 3, 5, 7]])
    kept, means = curves.trailing_means(steps, values, 0.5)
    assert kept.tolist() == [2, 3, 4]
    assert means.tolist() == [[2.0, 4.0, 6.0]]


@given(exponent=st.floats(-2, 2), scale=st.floats(0.1, 10))
def test_power_laws_are_fitted_and_drawn_through_their_points(exponent, scale):
    x = np.array([8.0, 16, 64])
    y = scale * x**exponent
    assert curves.power_law_exponent(x, y) == pytest.approx(exponent, abs=1e-9)
    assert curves.scaled_to(x**exponent, y) == pytest.approx(y)


def test_a_slope_is_per_doubling():
    assert curves.slope_per_doubling([8, 16, 64], [1.0, 0.5, -0.5]) == pytest.approx(-0.5)


def test_a_crossing_is_open_on_the_side_that_was_not_tried():
    assert curves.crossing([1.0, 2.0], [4.0, 2.0], 3.0).value == 1.5
    assert curves.crossing([1.0, 2.0], [4.0, 2.0], 5.0).low == -math.inf
    never = curves.crossing([1.0, 2.0], [4.0, 2.0], 1.0)
    assert (never.value, never.low) == (math.inf, 2.0)
