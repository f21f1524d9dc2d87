"""Verdicts are rarely false where claims are tested again and the rule decides which get seeds."""

from __future__ import annotations

import math

import pytest
from tests.simulations.looks import KINDS, SEEDS, outcome

DRAWS = {"level": 100, "exponent": 40, "spread": 40, "shift": 120}
SIGMAS = 3.1  # one entry in a thousand falls outside by chance


def most(share, name):
    """The largest share that chance explains in all claims of the draws."""
    return share + SIGMAS * math.sqrt(share * (1 - share) / (2 * DRAWS[name]))


@pytest.mark.parametrize("seeds", SEEDS, ids=str)
@pytest.mark.parametrize("name", KINDS)
def test_false_verdicts_on_the_bar_are_as_rare_as_those_of_one_interval(name, seeds):
    found = outcome(name, seeds, near=False, draws=DRAWS[name])
    assert found.holds + found.fails <= most(0.05, name), found
    assert 1 - found.covered <= most(0.05, name), found
    assert found.extended > 0.3  # the rule was at work


@pytest.mark.parametrize("seeds", SEEDS, ids=str)
@pytest.mark.parametrize("name", ["level", "exponent"])
def test_a_true_claim_near_its_bar_holds_more_often_with_seeds_as_needed(name, seeds):
    looked = outcome(name, seeds, near=True, draws=DRAWS[name])
    assert looked.fails <= most(0.025, name), looked
    once = outcome(name, seeds[:1], near=True, draws=DRAWS[name])
    assert once.extended == 0
    assert looked.holds > once.holds


def test_draws_depend_on_their_arguments_alone():
    first, again = (outcome("level", (4, 10), near=True, draws=5) for _ in range(2))
    assert first == again
