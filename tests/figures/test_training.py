"""Figures of quantities along training, on synthetic tables: they show what the tables say."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from tests.support.figures import figure

from hypertransfer.figures import draw


def test_the_stability_threshold_is_two_over_the_learning_rate(tables):
    drawn = draw.draw(figure("sharpness"), tables)
    dashed = [line for line in drawn.axes[0].lines if line.get_linestyle() == "--"]
    assert [line.get_ydata()[0] for line in dashed] == [4.0]


def test_sizes_have_colours_of_their_own(tables):
    axis = draw.draw(figure("loss"), tables).axes[0]
    lines = [line for line in axis.lines if line.get_label() in {"8", "16", "32"}]
    assert len({to_rgb(line.get_color()) for line in lines}) == 3


def test_the_shares_of_a_density_add_up(tables):
    axis = draw.draw(figure("density"), tables).axes[0]
    (heights, edges, _) = axis.patches[0].get_data()
    assert float((heights * np.diff(edges)).sum()) == pytest.approx(1.0)


def test_a_level_is_drawn(tables):
    drawn = draw.draw(figure("along"), tables)
    (sharpness, *_) = [a for a in drawn.axes if "sharpness" in a.get_ylabel()]
    assert 5 in [line.get_ydata()[0] for line in sharpness.lines if line.get_linestyle() == "--"]
