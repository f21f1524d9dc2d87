"""Verdicts on slopes, the order of suspects, and their words."""

from __future__ import annotations

import pytest

from hypertransfer.checkup.judging import (
    FAIL,
    PASS,
    WARN,
    Expected,
    Finding,
    expected,
    expected_over_depth,
    status,
    suspects,
)
from hypertransfer.checkup.slopes import Slope
from hypertransfer.parameterisation.algebra import Role


@pytest.mark.parametrize(
    ("slope", "wanted", "result"),
    [
        ((0.1, 0.0, 0.2), Expected(0.0), PASS),
        ((0.5, 0.4, 0.6), Expected(0.0), FAIL),
        ((0.5, 0.1, 0.9), Expected(0.0), WARN),
        ((-0.5, -0.6, -0.4), Expected(0.0), FAIL),
        ((-0.5, -0.6, -0.4), Expected(0.0, low=False), PASS),
        ((0.0, -0.1, 0.1), Expected(-0.5, low=False), FAIL),
        ((-1.0, -1.1, -0.9), Expected(-0.5, low=False), PASS),
        ((-0.49, -0.494, -0.487), Expected(0.0, fall=0.45), FAIL),
        ((-0.46, -0.6, -0.3), Expected(0.0, fall=0.45), FAIL),
        ((-0.49, -0.8, -0.2), Expected(0.0, fall=0.45), WARN),
        ((-0.38, -0.51, -0.26), Expected(0.0, fall=0.45), WARN),
        ((0.4, 0.3, 0.49), Expected(0.0, fall=0.45), FAIL),
    ],
)
def test_a_slope_fails_if_its_whole_interval_is_off(slope, wanted, result):
    assert status(Slope(*slope), None, wanted) == result
    assert status(Slope(*slope), Slope(*slope), wanted) == result


def test_a_slope_of_the_narrowest_networks_alone_is_no_failure():
    over_all, larger = Slope(-0.35, -0.4, -0.3), Slope(-0.2, -0.3, -0.1)
    assert status(over_all, None, Expected(0.0)) == FAIL
    assert status(over_all, larger, Expected(0.0)) == WARN
    assert status(over_all, Slope(-0.4, -0.5, -0.2), Expected(0.0)) == WARN  # not sure enough
    assert status(over_all, Slope(-0.4, -0.5, -0.3), Expected(0.0)) == FAIL


def test_what_is_expected_over_the_width():
    assert expected(Role.HIDDEN, "gain") == Expected(0.0)
    assert expected(Role.OUTPUT, "gain") == Expected(0.0, low=False)
    assert expected(Role.VECTOR, "gain") is None
    assert expected(Role.OUTPUT, "update") == Expected(0.0, fall=0.45)
    assert expected(Role.OUTPUT, "bias update") == Expected(0.0)
    assert expected(None, "logit change") == Expected(0.0, low=False)
    assert expected(None, "logits") == Expected(0.0, low=False)
    assert expected(None, "logits", heads_grow=True) == Expected(-0.5, low=False)
    assert expected(None, "logit change", heads_grow=True) == Expected(0.0, low=False)
    assert expected(Role.HIDDEN, "change") is None
    assert expected_over_depth("branch") == Expected(-0.5, low=False)
    assert expected_over_depth("update") is None


def finding(module, quantity, value, result=FAIL):
    slope = Slope(value, value - 0.05, value + 0.05)
    return Finding(module, "hidden", quantity, 1, slope, Expected(0.0), result)


def test_causes_come_before_their_effects_and_the_largest_first():
    found = [
        finding("a", "update", 0.9),
        finding("b", "update", -1.0),
        finding("c", "gain", 0.5),
        finding("d", "update", 2.0, PASS),
    ]
    ordered = suspects(found)
    assert [one.module for one, _ in ordered] == ["c", "b", "a"]
    text = ordered[2][1]
    assert text.startswith("a (hidden): an update changes its output more")
    assert "+0.90" in text


def test_a_quantity_of_a_module_is_one_suspect_after_any_number_of_steps():
    ordered = suspects([finding("a", "update", 0.9), finding("a", "update", -1.2)])
    assert [one.slope.value for one, _ in ordered] == [-1.2]


def test_a_bias_that_learns_less_need_not_have_a_rate_that_falls():
    ((_, text),) = suspects([finding("a", "bias update", -0.5)])
    assert "its learning rate, or under SGD its gradient, falls" in text
