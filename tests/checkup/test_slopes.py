"""Slopes of power laws: exact without noise, and intervals that cover as often as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypertransfer.checkup.slopes import slope


@given(st.floats(-2, 2), st.floats(-5, 5))
def test_a_power_law_has_its_power(power, log_factor):
    values = {size: [2**log_factor * size**power] * 3 for size in (16, 32, 128)}
    found = slope(values)
    assert found.value == pytest.approx(power, abs=1e-9)
    assert found.high - found.low < 1e-6


def test_intervals_of_noisy_power_laws_cover():
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(1000):
        values = {
            size: (size**0.5 * np.exp(generator.normal(0, 0.2, 3))).tolist()
            for size in (16, 32, 64, 128)
        }
        found = slope(values)
        covered += found.low <= 0.5 <= found.high
    assert covered / 1000 == pytest.approx(0.95, abs=0.025)


def test_zeros_and_what_is_not_finite_are_left_out():
    values = {16: [1.0, 0.0], 32: [2.0, math.nan], 64: [4.0, math.inf]}
    assert slope(values).value == pytest.approx(1)


@pytest.mark.parametrize("values", [{}, {16: [1.0, 2.0]}, {16: [1.0], 32: [0.0]}])
def test_one_size_has_no_slope(values):
    assert slope(values) is None


def test_two_points_have_a_slope_and_no_interval():
    found = slope({16: [1.0], 32: [2.0]})
    assert found.value == pytest.approx(1)
    assert (found.low, found.high) == (-math.inf, math.inf)
