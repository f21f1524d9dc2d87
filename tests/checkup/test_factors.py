"""Which factors between modules matter, and at which module they are."""

from __future__ import annotations

import pytest

from hypertransfer.checkup.check import over_width
from hypertransfer.checkup.factors import expected_factor
from hypertransfer.checkup.judging import FAIL, Expected, suspects
from hypertransfer.checkup.quantities import Measured
from hypertransfer.parameterisation.algebra import Role


def values(powers):
    """Factors with these powers, by the modules before and behind; a behind with `!` is a norm."""
    return {
        Measured(before, "factor to norm" if "!" in behind else "factor", 0, behind.strip("!")): {
            size: [size**power] * 3 for size in (16, 32, 64, 128)
        }
        for (before, behind), power in powers.items()
    }


def named(powers, roles=None):
    found = over_width(values(powers), roles or {})
    return [(one.module, one.between) for one, _ in suspects(found)]


def test_a_factor_is_one_of_the_module_in_front():
    assert named({("a", "b"): 0.5, ("b", ""): 0}) == [("a", ("a", "b"))]
    assert named({("a", "b"): 0.5, ("a", "c"): 0.5, ("b", "c"): 0}) == [("a", ("a", "b"))]


def test_a_factor_is_one_of_the_module_behind_if_others_of_that_in_front_are_right():
    found = named({("a", "c"): 0, ("a", "b"): 0.5, ("c", "b"): 0.5, ("c", "d"): 0})
    assert [module for module, _ in found] == ["b"]


def test_a_norm_undoes_a_factor_on_its_whole_input():
    assert named({("a", "n!"): 0.5, ("n", "b"): 0}) == []
    assert named({("a", "n!"): 0.5, ("b", "n!"): 0.5}) == []
    assert named({("a", "n!"): 0.5, ("b", "n!"): 0}) == [("a", ("a", "n"))]
    assert named({("a", "n!"): 0.5, ("b", "n!"): -0.5}) != []
    first_of_two = {("a", "n!"): 0.5, ("a", "m!"): 0.5, ("b", "m!"): 0}
    assert named(first_of_two) == [("a", ("a", "m"))]


@pytest.mark.parametrize("power", [-1, -0.5, 0.5])
def test_what_follows_from_a_readout_or_a_router_is_not_judged(power):
    edges = {("r", "b"): power, ("r", ""): 0}
    assert named(edges, {"r": Role.ROUTER}) == []
    assert named({("r", ""): power}, {"r": Role.OUTPUT}) == [("r", ("r", ""))]


def test_attention_may_depend_less_on_queries_of_larger_heads():
    assert expected_factor(Role.HIDDEN, "o", attends=True) == Expected(0.0, low=False)
    attention = {Measured("attn 2", "logits", 0): {16: [1.0], 32: [1.0]}}
    found = over_width(values({("attn.q", "attn.o"): -0.5, ("a", "b"): -0.5}) | attention, {})
    assert [one.module for one in found if one.status == FAIL] == ["a"]


def test_words_say_where_the_factor_is():
    ((_, text),) = suspects(over_width(values({("fc", ""): 0.5}), {}))
    assert text.startswith("fc: what lies between its output and the output of the network multi")
    ((_, text),) = suspects(over_width(values({("a", "c"): 0, ("a", "b"): -0.5}), {}))
    assert text.startswith("b: what lies between the output of a and its input multiplies by less")
    assert text.endswith("shrinks with the size (power -0.50 of the size instead of 0)")
