"""Numbers of a scorecard as text."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hypertransfer.claims.bars import bar_text
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


@pytest.mark.parametrize(
    ("value", "bar", "unit", "text"),
    [
        (-0.3459, {"min": -0.65, "max": -0.35}, "", "-0.346"),
        (0.50005788, {"max": 0.5}, "octaves", "0.5001"),
        (-0.1537, {"min": -0.15, "max": 0.15}, "", "-0.154"),
        (0.5, {"max": 0.5}, "", "0.50"),
        (0.4999, {"max": 0.5}, "", "0.50"),  # both meet the bar
        (-0.0004, {"min": 0}, "loss", "-0.0004"),
        (0.0052, {"max": 0.0051}, "", "0.0052"),
        (1.0 + 1e-12, {"max": 1}, "", "1.00"),  # met up to rounding
    ],
)
def test_a_number_has_the_digits_that_its_bar_needs(value, bar, unit, text):
    assert numbers.number_text(value, unit, bar) == text


AT_MOST = {"bar_min": math.nan, "bar_max": 1.0}
FINITE = st.floats(-1e6, 1e6, allow_nan=False)
# Bars are typed by hand: decimals of a few digits.
END = st.decimals(-1000, 1000, places=3).map(float)
STEP = st.sampled_from([1e-8, 1e-5, 1e-3, 0.004, 0.3, 7.0])


@given(
    bar=st.one_of(
        st.builds(lambda x: {"max": x}, END),
        st.builds(lambda x: {"min": x}, END),
        st.builds(lambda x, step: {"min": x, "max": round(x + abs(step), 3)}, END, END),
    ),
    beside=st.one_of(FINITE, st.tuples(STEP, st.sampled_from([-1, 0, 1]))),
    unit=st.sampled_from(["loss", "octaves", ""]),
)
@example({"min": -0.65, "max": -0.35}, (0.0041, 1), "")
def test_a_printed_number_is_on_its_side_of_the_printed_bar(bar, beside, unit):
    if isinstance(beside, tuple):  # close to an end of the bar
        step, sign = beside
        beside = [*bar.values()][-1] + sign * step
    shown = float(numbers.number_text(beside, unit, bar))
    for end in bar.values():  # the text of the bar has all its digits
        assert f"{end:.3f}".rstrip("0").rstrip(".") in bar_text(bar, unit)
    # Up to rounding, a printed number meets the ends that the number meets, and no other.
    if "max" in bar and abs(beside - bar["max"]) > 1e-9:
        assert (shown <= bar["max"]) == (beside <= bar["max"])
    if "min" in bar and abs(beside - bar["min"]) > 1e-9:
        assert (shown >= bar["min"]) == (beside >= bar["min"])


def test_a_value_stands_with_its_interval():
    claim = {"value": 0.5, "low": -math.inf, "high": 1.0, "unit": "loss", **AT_MOST}
    assert numbers.value_text(claim) == "0.500 (open … 1.000)"


RATIO = {"value": 1.0, "low": 1.0, "unit": "×", "bar_min": math.nan, "bar_max": 1.5}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"high": 77709.0}, "1.00 (1.00 … > 100)"),
        ({"high": 99.0}, "1.00 (1.00 … 99.00)"),
        ({"high": math.inf}, "1.00 (1.00 … open)"),
        ({"high": 77709.0, "bar_max": 1000.0}, "1.00 (1.00 … 77709.00)"),  # 100 meets this bar
        ({"value": 3.217, "high": 77709.0}, "3.22 (1.00 … > 321)"),
        ({"value": 0.5, "low": 3e-6, "high": 2.0}, "0.50 (< 0.005 … 2.00)"),
        ({"value": math.nan, "high": 77709.0}, "open (1.00 … 77709.00)"),
        ({"high": 77709.0, "unit": "octaves"}, "1.00 (1.00 … 77709.00)"),
    ],
)
def test_an_end_far_from_a_ratio_has_no_digits(changes, text):
    assert numbers.value_text({**RATIO, **changes}) == text


def test_what_is_observed_stands_beside_a_value_that_noise_explains():
    claim = {**RATIO, "high": 2.0, "observed": 3.2}
    assert numbers.value_text(claim) == "1.00 (1.00 … 2.00; the observed 3.20 may be noise)"
    for nothing in (None, math.nan, 1.0001):  # the last is shown as the value is
        assert numbers.value_text({**claim, "observed": nothing}) == "1.00 (1.00 … 2.00)"


def test_a_p_value_stands_alone():
    claim = {"value": 0.0039, "low": 0.0039, "high": 0.0039, "unit": "p", **AT_MOST}
    assert numbers.value_text(claim) == "0.004"
    assert numbers.value_text({**claim, "unit": ""}) == "0.004 (0.004 … 0.004)"


@pytest.mark.parametrize("empty", [None, math.nan])
def test_a_value_has_the_digits_that_the_bar_of_its_row_needs(empty):
    row = {"value": 0.50005788, "unit": "", "bar_min": empty, "bar_max": 0.5}
    assert numbers.measured_text(row) == "0.5001"
    assert numbers.measured_text({**row, "bar_min": 0.5, "bar_max": empty}) == "0.50"


def test_certainty_and_needs_are_empty_where_nothing_is_known():
    nothing = dict.fromkeys(("p_value", "p_holm", "power", "units_needed", "minutes_needed"))
    assert numbers.certainty_text(nothing) == numbers.needed_text(nothing) == ""
    some = {**nothing, "p_value": 0.0312, "power": 0.5, "units_needed": 9.0, "over": "groups"}
    assert numbers.certainty_text(some) == "p 0.031, power 50 %"
    assert numbers.needed_text(some) == "9 groups"
    assert numbers.certainty_text({**some, "p_value": math.nan}) == "power 50 %"
