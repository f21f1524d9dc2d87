"""Numbers of a scorecard as text."""

from __future__ import annotations

import math

import pytest

from hypertransfer.report import numbers


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.284, "octaves", "0.28"),
        (-12.345, "", "-12.35"),
        (0.0, "octaves", "0.00"),
        (0.01, "", "0.01"),
        (0.0061, "octaves", "0.006"),
        (3e-7, "", "3e-07"),
        (0.0061, "loss", "0.006"),
        (1.23456, "loss", "1.235"),
        (math.inf, "loss", "open"),
        (-math.inf, "", "open"),
        (math.nan, "", "open"),
        (None, "", "open"),
    ],
)
def test_numbers(value, unit, text):
    assert numbers.number_text(value, unit) == text


def test_a_value_stands_with_its_interval():
    claim = {"value": 0.5, "low": -math.inf, "high": 1.0, "unit": "loss"}
    assert numbers.value_text(claim) == "0.500 (open … 1.000)"
