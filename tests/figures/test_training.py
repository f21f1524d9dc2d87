"""Figures of quantities along training, on synthetic tables: they show what the tables say."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from tests.support.figures import figure

from hypertransfer.analysis.estimate import AnalysisError
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


def test_levels_show_every_seed_of_quantities_of_two_probes(tables):
    """The last rows of a run were those of one of its probes."""
    hessian = tables["probes"].assign(probe="hessian", trace=np.nan)
    traces = hessian.assign(probe="trace", trace=7.0, scaled_sharpness=np.nan)
    probes = pd.concat([hessian, traces], ignore_index=True)
    options = {"quantities": ["scaled_sharpness", "trace"]}
    sharp, trace = draw.draw(figure("levels", **options), {**tables, "probes": probes}).axes
    # At step 20 of the fixture, sharpness is 21 + 400·(1/width − 1/32).
    expected = [21 + 400 * (1 / width - 1 / 32) for width in (8, 16, 32)]
    for axis, values in ((sharp, expected), (trace, [7.0] * 3)):
        assert len(axis.lines) == 2
        for line in axis.lines:
            assert line.get_ydata() == pytest.approx(values)


@pytest.mark.parametrize("kind", ["sharpness", "along", "levels", "arms"])
def test_a_figure_shows_the_probe_that_it_names_of_two(tables, kind):
    top = tables["probes"]
    again = top.assign(probe="again", scaled_sharpness=100.0)
    both = {**tables, "probes": pd.concat([top, again], ignore_index=True)}
    with pytest.raises(AnalysisError, match=r"several probes.*known: again, top"):
        draw.draw(figure(kind), both)
    drawn = draw.draw(figure(kind, probe="again"), both)
    heights = [y for a in drawn.axes for line in a.lines for y in np.atleast_1d(line.get_ydata())]
    assert 100.0 in heights
    assert not {21.0, 71 - 12.5} & {*heights}  # the mean of "top" at the last step
