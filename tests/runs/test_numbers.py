"""Numbers of configs: finite ones are told from infinite ones, and from what is no number."""

import sys

import pytest

from hypertransfer.runs.numbers import is_finite_number


@pytest.mark.parametrize("value", [0, -1.5, 10**308, -(10**308), sys.float_info.max])
def test_finite_numbers(value):
    assert is_finite_number(value)


@pytest.mark.parametrize(
    "value", [10**309, -(10**400), float("inf"), float("nan"), True, "1", None, [1]]
)
def test_what_is_no_finite_number(value):
    assert not is_finite_number(value)
