"""Figures of searches, on synthetic tables: they show what the tables say."""

import numpy as np
import pytest
from tests.support.figures import figure

from hypertransfer.figures import draw, searches


def test_the_best_so_far_never_rises_and_diverged_trials_stand_at_the_top(searched):
    best, every = draw.draw(figure("search_progress"), searched).axes
    steps = {line.get_label(): list(line.get_ydata()) for line in best.lines}
    assert list(steps.values()) == [[2.0, 1.9, 1.9, 1.9], [2.0, 2.0, 1.7, 1.7]]
    crosses = [list(line.get_xdata()) for line in every.lines if line.get_marker() == "x"]
    assert crosses == [[3], [2]]


def test_a_heat_map_adds_depth_to_modules_in_blocks_alone(searched):
    rates, branches, *_ = draw.draw(figure("multipliers"), searched).axes
    texts = np.array([text.get_text() for text in rates.texts]).reshape(2, searches.NODES)
    # the best trial, the third: query −1 octave with −1 … +1 over the depth, embedding 0.5
    assert [float(t) for t in texts[0]] == [-2.0, -1.5, -1.0, -0.5, 0.0]
    assert {float(t) for t in texts[1]} == {0.5}
    assert {float(t.get_text()) for t in branches.texts} == {0.5}


def test_gains_are_over_the_reference_seed_by_seed(searched):
    for axis in draw.draw(figure("carried"), searched).axes:
        assert [bar.get_height() for bar in axis.patches] == pytest.approx([0.2])
        assert list(axis.lines[0].get_ydata()) == pytest.approx([0.2] * 3)


def test_a_slice_has_its_star_at_the_least_loss(searched):
    axis = draw.draw(figure("slices"), searched).axes[0]
    stars = [line.get_xdata()[0] for line in axis.lines if line.get_marker() == "*"]
    assert stars == [0.5, 0.5]
