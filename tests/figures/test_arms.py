"""Figures of arms, on synthetic tables: they show what the tables say."""

import pytest
from tests.support.figures import described, figure, tables_of, texts_of

from hypertransfer.figures import draw


def test_a_table_of_instances_names_norms_and_shifts(tables):
    runs = tables["runs"].assign(
        grid=tables["runs"]["parameterisation"],
        optimizer=tables["runs"]["parameterisation"].map({"mup": "scion", "ntp": "adamw"}),
    )
    options = {"titles": {"mup": "Scion", "ntp": "Adam"}}
    drawn = draw.draw(described("instances", options), {**tables, "runs": runs})
    cells = {place: cell.get_text().get_text()
             for place, cell in drawn.axes[0].tables[0].get_celld().items()}  # fmt: skip
    assert [cells[1, i] for i in range(4)] == ["Scion", "columns", "spectral", "signs"]
    assert [cells[2, i] for i in range(4)] == ["Adam", "AdamW", "AdamW", "AdamW"]
    assert cells[1, 6].startswith("+0.0")
    assert cells[2, 6].startswith("+2.1")


def test_arms_show_their_largest_size_at_the_rate_of_their_smallest(tables):
    runs = tables["runs"].assign(grid="sweep")
    options = {"quantities": ["final_loss"], "column": "parameterisation", "rows": "optimizer",
               "tuned_at": "shape.width"}  # fmt: skip
    drawn = draw.draw(described("arms", options), {**tables, "runs": runs})
    dots = [line.get_ydata() for line in drawn.axes[0].lines if line.get_marker() == "o"]
    # µP's best is 0.5 at both ends; NTP's is 0.25 at width 8, four times too low at width 32.
    assert dots[0] == pytest.approx([1.0, 1.01, 1.02])
    assert dots[1] == pytest.approx([1.4, 1.41, 1.42])


def test_a_race_shows_where_the_target_is_reached(raced):
    drawn = draw.draw(figure("race"), tables_of("race", {}, {}, raced))
    left, right = drawn.axes
    shares = [text.get_text() for axis in (left, right) for text in axis.texts]
    # Twice as quick; at the end of a run of half the steps, exactly.
    assert [float(text.strip(" ×")) for text in shares] == pytest.approx([0.5, 0.5], abs=0.02)


def test_a_frontier_has_a_point_for_each_batch(raced):
    drawn = draw.draw(figure("frontier"), tables_of("frontier", {}, {}, raced))
    lines = {line.get_label(): line.get_xydata() for line in drawn.axes[0].lines}
    for name, points in lines.items():
        assert len(points) == 2, name
        assert points[1, 1] / points[0, 1] == pytest.approx(4, rel=0.01)  # the same steps


def test_guidelines_name_the_best_and_its_gain(raced):
    drawn = draw.draw(figure("guidelines"), tables_of("guidelines", {}, {}, raced))
    (table,) = drawn.axes[0].tables
    row = [table[1, column].get_text().get_text() for column in range(4)]
    assert row[0] == "optimizer"
    assert row[2] == "muon"
    gain = float(row[3].split()[0])
    runs = raced["runs"].query("steps == 40 and batch_size == 4 and lr == 0.5")
    means = runs.groupby("optimizer")["final_loss"].mean()
    assert gain == pytest.approx(means["adamw"] - means["muon"], abs=1e-3)


@pytest.mark.parametrize("kind", ["race", "guidelines", "frontier"])
def test_comparisons_without_a_common_seed_say_so(raced, kind):
    tables = tables_of(kind, None, None, raced)
    runs = tables["runs"]
    rate = runs["seed"].map({0: runs["lr"].min()}).fillna(runs["lr"].max())
    drawn = draw.draw(figure(kind), {**tables, "runs": runs[runs["lr"] != rate]})
    assert any(text.startswith("left out: no seed was run at every ") for text in texts_of(drawn))


def test_arms_at_their_best_rates(tables):
    options = {"quantities": ["final_loss"], "column": "parameterisation", "rows": "optimizer"}
    runs = tables["runs"][tables["runs"]["shape.width"] == 8]
    drawn = draw.draw(described("arms", {**options, "best": True}), {**tables, "runs": runs})
    dots = [line.get_ydata() for line in drawn.axes[0].lines if line.get_marker() == "o"]
    assert [list(d) for d in dots] == [pytest.approx([1.0, 1.01, 1.02])] * 2


def test_a_race_leaves_out_a_seed_that_lacks_a_shorter_run(raced):
    tables = tables_of("race", None, None, raced)
    runs = tables["runs"]
    gone = runs["steps"].eq(20) & runs["seed"].eq(2) & runs["lr"].eq(runs["lr"].max())
    assert gone.any()
    _, right = draw.draw(figure("race"), {**tables, "runs": runs[~gone]}).axes
    assert right.lines
