"""Figures of sweeps over sizes, on synthetic tables: they show what the tables say."""

import numpy as np
import pytest
from tests.support.figures import LRS, SEEDS, WIDTHS, described, figure, texts_of

from hypertransfer.figures import draw


def test_stars_stand_at_the_optima_and_crosses_at_diverged_runs(tables):
    drawn = draw.draw(figure("lr_sweep"), tables)
    mup, ntp = drawn.axes
    stars = [line for line in mup.lines if line.get_marker() == "*"]
    assert len(stars) == len(WIDTHS)
    for star in stars:
        assert float(star.get_xdata()[0]) == pytest.approx(0.5)
    crosses = [line for line in ntp.lines if line.get_marker() == "x"]
    assert [list(line.get_xdata()) for line in crosses] == [[0.125]]
    assert not [line for line in mup.lines if line.get_marker() == "x"]


def test_optimum_shows_no_shift_for_mup_and_one_octave_a_doubling_for_ntp(tables):
    axis = draw.draw(figure("optimum"), tables).axes[0]
    shown = {c.get_label(): c.lines[0].get_ydata().astype(float) for c in axis.containers}
    np.testing.assert_allclose(shown["µP, SGD"], 0, atol=1e-9)
    np.testing.assert_allclose(shown["NTP, SGD"], [0, 1, 2], atol=0.1)


def without_a_common_seed(tables, name):
    """Each seed of one parameterisation has one learning rate, as `exclude` may leave it."""
    runs = tables["runs"]
    kept = [(runs["seed"] == s) & (runs["lr"] == lr) for s, lr in zip(SEEDS, LRS, strict=False)]
    lacking = runs["parameterisation"].eq(name) & ~np.any(kept, axis=0)
    return {**tables, "runs": runs[~lacking]}


SENTENCE = "left out: no seed was run at every shape.width and lr: give them the same seeds"


def test_a_sweep_without_a_common_seed_is_left_out(tables):
    left = without_a_common_seed(tables, "mup")
    mup, ntp = draw.draw(figure("lr_sweep"), left).axes
    assert [text.get_text() for text in mup.texts] == [SENTENCE]
    assert len(ntp.lines) > len(WIDTHS)
    assert not [*mup.lines, *ntp.texts]
    axis = draw.draw(figure("optimum"), left).axes[0]
    assert [c.get_label() for c in axis.containers] == ["NTP, SGD"]
    assert [text.get_text() for text in axis.texts] == [SENTENCE.replace(": ", ": µP, SGD: ", 1)]


@pytest.mark.parametrize("kind", ["lr_sweep", "optimum", "overview", "along", "instances"])
def test_figures_without_a_common_seed_say_so(tables, kind):
    options = {"quantities": ["train_loss"], "sweep": True} if kind == "along" else {}
    entry = {**figure(kind, **options), "where": {"parameterisation": "mup"}}
    drawn = draw.draw(entry, without_a_common_seed(tables, "mup"))
    assert any("no seed was run at every shape.width and lr" in text for text in texts_of(drawn))


def test_a_law_is_drawn_through_four_durations_and_not_through_three(tables):
    runs = tables["runs"][tables["runs"]["status"] == "finished"]
    for count, label in ((3, "µP"), (4, "µP: 1.00 + 5.0·D$^{-0.50}$")):
        steps = 100 * 2 ** (np.arange(len(runs)) % count)
        given = runs.assign(steps=steps, final_loss=1 + 5 * steps**-0.5)
        axis = draw.draw(figure("law"), {**tables, "runs": given}).axes[0]
        assert label in axis.get_legend_handles_labels()[1]


def test_a_heat_map_stars_the_least_loss_or_the_largest_accuracy(tables):
    runs = tables["runs"].assign(eval_accuracy=lambda t: t["lr"] / 4 + t["shape.width"] / 100)
    tables = {**tables, "runs": runs[runs["parameterisation"] == "mup"]}
    for quantity, place in (("final_loss", 2), ("eval_accuracy", 4)):
        options = {"x": "lr", "y": "shape.width", "quantity": quantity}
        axis = draw.draw(described("heat_map", options), tables).axes[0]
        (star,) = [line for line in axis.lines if line.get_marker() == "*"]
        assert star.get_xdata()[0] == place + 0.5
    rows = [text.get_text() for text in axis.get_yticklabels()]
    assert rows == ["32", "16", "8"]
    assert rows[int(star.get_ydata()[0])] == "32"


def test_a_cell_with_a_diverged_seed_has_a_cross_and_never_the_star(tables):
    runs = tables["runs"][tables["runs"]["parameterisation"] == "mup"]
    least = (runs["lr"] == 0.5) & (runs["shape.width"] == 8)  # the star of these tables
    seeds = least & runs["seed"].isin([1, 2])
    gone = runs.assign(status=runs["status"].mask(seeds, "diverged"))
    gone = gone.assign(final_loss=gone["final_loss"].mask(least & ~seeds, 0.5))
    axis = draw.draw(figure("heat_map"), {**tables, "runs": gone}).axes[0]
    marks = {m: [a for a in axis.lines if a.get_marker() == m] for m in "*x"}
    places = {m: [(a.get_xdata()[0], int(a.get_ydata()[0])) for a in marks[m]] for m in marks}
    assert places["x"] == [(2.5, 2)]
    assert places["*"] == [(2.5, 0)]  # the same learning rate at another width
    none = runs.assign(status="diverged")
    axis = draw.draw(figure("heat_map"), {**tables, "runs": none}).axes[0]
    assert {line.get_marker() for line in axis.lines} == {"x"}
