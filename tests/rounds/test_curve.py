"""Levels over seeds that differ, noise, and the sides on which a best value is bracketed."""

from __future__ import annotations

import math
import random
from statistics import fmean

import pytest

from hypertransfer.rounds.curve import curve


def test_levels_do_not_depend_on_which_seeds_ran_where():
    heights = {-1: 1.3, 0: 1.0, 1: 1.1}
    effects = {0: 0.0, 1: 5.0, 2: -4.0}
    losses = {(n, 0): h for n, h in heights.items()}
    losses |= {(n, s): heights[n] + effects[s] for n in (0, 1) for s in (1, 2)}
    found = curve(losses, 1)
    assert found.levels == pytest.approx(heights)
    assert found.best == 0
    assert found.noise == pytest.approx(0, abs=1e-12)
    assert found.open_sides == []


def test_the_noise_is_that_of_losses_about_their_levels():
    draw = random.Random(0)
    measured = []
    for _ in range(200):
        effects = [draw.gauss(0, 1) for _ in range(5)]
        losses = {
            (n, s): abs(n) + effects[s] + draw.gauss(0, 0.1) for n in (-1, 0, 1) for s in range(5)
        }
        measured.append(curve(losses, 1).noise ** 2)
    # Seeds' effects are medians, so that the estimate is a little above the variance.
    assert 0.9 * 0.01 < fmean(measured) < 1.35 * 0.01


def test_noise_is_unknown_with_one_seed():
    assert curve({(0, 0): 1.0, (1, 0): 2.0}, 1).noise is None


@pytest.mark.parametrize(
    ("losses", "sides"),
    [
        ([2, 1, 2], []),
        ([3, 2, 1], [1]),
        ([1, 2, 3], [-1]),
        ([1], [-1, 1]),
        ([2, 1, math.inf], []),
        ([math.inf, math.inf], [-1]),
        ([3, 1.00001, 1, 2], []),  # a rise further out brackets
        ([1.00001, 1, 2], [-1]),
    ],
)
def test_open_sides(losses, sides):
    found = curve({(n, 0): float(loss) for n, loss in enumerate(losses)}, 1)
    assert found.open_sides == sides


def test_a_rise_within_the_noise_of_seeds_does_not_bracket():
    noisy = {(0, 0): 2.0, (0, 1): 2.3, (1, 0): 2.0, (1, 1): 1.7, (2, 0): 3.0, (2, 1): 3.1}
    assert curve(noisy, 1).open_sides == [-1]


def test_a_value_at_which_one_seed_diverged_is_worse_than_all_others():
    found = curve({(0, 0): 2.0, (0, 1): 2.0, (1, 0): 1.0, (1, 1): math.inf}, 1)
    assert found.best == 0
    assert found.open_sides == [-1]


@pytest.mark.parametrize(("notch", "missing"), [(8, [6, 4, 2]), (4, [2]), (2, []), (1, [])])
def test_a_rise_beyond_values_that_did_not_run_does_not_bracket(notch, missing):
    # Steps of half an octave, two notches each.
    losses = {(0, 0): 1.5, (-2, 0): 2.0, (notch, 0): 1.0, (notch + 2, 0): 2.0}
    if notch == 1:  # refined: the whole steps next to the best value ran
        losses[2, 0] = 1.2
    found = curve(losses, 2)
    assert found.holes(-1) == missing
    assert found.open_sides == ([-1] if missing else [])
    assert curve(losses, 2, [notch for notch, _ in losses]).open_sides == []
