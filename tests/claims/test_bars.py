"""Bars as text, and numbers on their side of a bar."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hypertransfer.claims import bars


@pytest.mark.parametrize(
    ("bar", "unit", "text"),
    [
        ({"max": 1}, "octaves", "≤ 1 octave"),
        ({"min": 2}, "octaves", "≥ 2 octaves"),
        ({"max": -1}, "octaves", "≤ -1 octaves"),
        ({"min": 0.5, "max": 2}, "", "0.5 to 2"),
        ({"min": -0.65, "max": -0.35}, "octaves", "-0.65 to -0.35 octaves"),
        ({"max": 1e-5}, "", "≤ 1e-05"),
        ({"min": 80}, "% of tasks", "≥ 80 % of tasks"),
        ({"max": 0.12345678}, "loss", "≤ 0.12345678 loss"),
        ({"max": 0.05}, "p", "p ≤ 0.05"),
    ],
)
def test_bars_are_words(bar, unit, text):
    assert bars.bar_text(bar, unit) == text


@pytest.mark.parametrize(
    ("value", "bar", "met"),
    [
        (1.0, {"max": 1}, True),
        (1.0 + 1e-12, {"max": 1}, True),  # missed by rounding only
        (1.0 - 1e-12, {"min": 1}, True),
        (1.0 + 1e-6, {"max": 1}, False),
        (0.3, {"min": 0.4, "max": 1}, False),
        (math.inf, {"min": 0.4}, True),
        (math.inf, {"max": 1}, False),
        (math.nan, {"max": 1}, False),
        (-3.0, {}, True),
    ],
)
def test_a_value_meets_a_bar_up_to_rounding(value, bar, met):
    assert bars.meets(value, bar) is met


def test_a_number_without_a_fitting_text_is_printed_in_full():
    for value in (0.1 + 0.2, np.float64(0.1 + 0.2)):
        assert bars.text_on_side(value, {"min": 0.1}, ["0.0"]) == "0.30000000000000004"
