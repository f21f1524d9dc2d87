"""What a value of a table stands for."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from hypertransfer.spaces.tasks import written_values


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("1e3", 1000), (" .5 ", 0.5), ("-1.", -1), (2, 2), (True, None), ("1,2", None),
        ("1_0", None), ("inf", None), ("nan", None), ("", None), (None, None), ("½", None),
        ("1e400", None), ("9" * 400, None),
        (pd.NA, None), ([1], None),
    ],
)  # fmt: skip
def test_numbers(value, number):
    assert written_values.number(value) == number


@pytest.mark.parametrize(
    ("value", "wanted", "met"),
    [
        ("2", 2, True), ("2", "2", True), (2, "2", False), ("007", 7, False), ("true", True, True),
        (1, True, False), (None, None, True), (math.nan, None, True), ("", {"min": 1}, False),
        ("2", {"min": 1}, True), (float(np.float32(0.1)), 0.1, True), (0.1, 0.1, True),
        (0.1001, 0.1, False), (math.inf, 1e300, True),
        ("1e400", {"max": 100}, False), ("1e400", {"min": 100}, True),
    ],
)  # fmt: skip
def test_values_that_a_condition_names(value, wanted, met):
    """Infinity is what a column of single precision holds of a number beyond its range."""
    assert written_values.is_value(value, wanted) == met
