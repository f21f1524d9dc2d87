"""Figures on synthetic tables: every kind draws, and shows what the tables say."""

from __future__ import annotations

import io
import itertools
import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib import image
from matplotlib.colors import to_rgb

from hypertransfer.catalogue.cards import figures
from hypertransfer.figures import draw, searches

WIDTHS, LRS, SEEDS = (8, 16, 32), (0.125, 0.25, 0.5, 1.0, 2.0), (0, 1, 2)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture
def tables() -> dict[str, pd.DataFrame]:
    """Two parameterisations: the optimum stays at 0.5 under µP, and moves with width under NTP."""
    runs, history, probes = [], [], []
    for name in ("mup", "ntp"):
        for width in WIDTHS:
            best = 0.5 if name == "mup" else 0.5 * width / 16
            for lr in LRS:
                for seed in SEEDS:
                    key = f"{name}-{width}-{lr}-{seed}"
                    gone = name == "ntp" and width == 32 and lr == 0.125
                    loss = 1 + np.log2(lr / best) ** 2 / 10 + seed / 100
                    runs.append({
                        "grid": "sweep", "key": key, "parameterisation": name, "optimizer": "sgd",
                        "shape.width": width, "lr": lr, "seed": seed, "steps": 20,
                        "status": "diverged" if gone else "finished",
                        "final_loss": np.inf if gone else loss,
                    })  # fmt: skip
                    for step in (0, 10, 20):
                        history.append({"grid": "sweep", "key": key, "step": step,
                                        "train_loss": 2 - step / 20})  # fmt: skip
                    for step in (0, 4, 8, 12, 16, 20):
                        # The gap to width 32 is step^2/width at every seed.
                        grown = step**2 * (1 / width - 1 / 32)
                        probes.append({
                            "grid": "sweep", "key": key, "step": step, "probe": "top",
                            "scaled_sharpness": 1.0 + step + grown,
                            "nodes": [0.01, 1.0], "shares": [0.9, 0.1],
                        })  # fmt: skip
    frames = {"runs": runs, "history": history, "probes": probes}
    return {name: pd.DataFrame(rows) for name, rows in frames.items()}


FIGURES = {
    "overview": {"options": {"dynamics": "sweep", "sweep": "sweep"}},
    "sharpness": {"where": {"lr": 0.5}},
    "loss": {"where": {"lr": 0.5}},
    "lr_sweep": {},
    "optimum": {},
    "along": {
        "where": {"lr": 0.5},
        "options": {"quantities": ["scaled_sharpness", "train_loss"], "level": 5, "sweep": True},
    },
    "gaps": {
        "where": {"lr": 0.5, "parameterisation": "mup"},
        "options": {"quantities": ["scaled_sharpness", "train_loss"]},
    },
    "density": {"where": {"lr": 0.5}},
    "levels": {"where": {"lr": 0.5}, "options": {"quantities": ["scaled_sharpness"]}},
    "search_progress": {"where": {"grid": "modules"}},
    "multipliers": {"where": {"grid": "modules", "method": "factored"}},
    "carried": {"where": {"grid": "modules-transfer"}, "options": {"over": "global"}},
    "slices": {"where": {"grid": "modules-transfer", "method": "line"}},
    "law": {},
    "heat_map": {"where": {"parameterisation": "mup"}, "options": {"x": "lr", "y": "shape.width"}},
    "instances": {"where": {"parameterisation": "mup"}},
    "arms": {
        "where": {"lr": 0.5, "shape.width": 8},
        "options": {
            "quantities": ["final_loss", "scaled_sharpness"],
            "column": "parameterisation",
            "rows": "optimizer",
        },
    },
}
FIGURES |= {
    "race": {"options": {"of": "muon", "over": "adamw"}},
    "frontier": {},
    "guidelines": {
        "options": {"parts": [{"title": "optimizer", "grid": "race", "column": "optimizer"}]}
    },
}
OF_RACES = ("race", "frontier", "guidelines")
OF_SEARCHES = ("search_progress", "multipliers", "carried", "slices")


@pytest.fixture
def searched() -> dict[str, pd.DataFrame]:
    """Two methods of four trials; the second finds less, and carries over to both targets."""
    trials = [
        {"grid": "modules", "key": f"{method}{trial}", "method": method, "generation": trial // 2,
         "trial": trial % 2, "seed": 0, "final_loss": loss,
         "proposal": json.dumps({"lr/query": 1.0 - trial, "lr/embedding": 0.5, "lr/depth0": -1.0,
                                 "lr/depth1": 1.0, "residual/attention": 0.25 * trial})}
        for method, losses in (("global", (2.0, 1.9, np.inf, 1.95)),
                               ("factored", (2.0, 2.6, 1.7, 1.8)))
        for trial, loss in enumerate(losses)
    ]  # fmt: skip
    places = [("global", 1.0, 0.0), ("factored", 1.0, -0.2), *(("line", p, (p - 0.5) ** 2)
              for p in (0.0, 0.5, 1.0))]  # fmt: skip
    carried = [
        {"grid": "modules-transfer", "key": f"{method}{place}{target}{seed}", "method": method,
         "place": place, "target": target, "seed": seed, "final_loss": 2.0 + extra + 0.01 * seed}
        for method, place, extra in places for target in ("same", "wider") for seed in range(3)
    ]  # fmt: skip
    empty = pd.DataFrame({"grid": pd.Series(dtype=str), "key": pd.Series(dtype=str)})
    return {"runs": pd.DataFrame(trials + carried), "history": empty, "probes": empty}


@pytest.fixture
def raced() -> dict[str, pd.DataFrame]:
    """Muon falls twice as quickly as AdamW, in runs of 20 and of 40 steps, and in two batches."""
    runs, history = [], []
    for name, rate, batch, steps, lr, seed in itertools.product(
        ("muon", "adamw"), (2.0,), (4, 16), (20, 40), (0.5, 1.0), SEEDS
    ):
        speed = rate if name == "muon" else 1.0
        reached = speed * (1 - 0.05 * lr) * 0.95 + 0.01 * seed
        if (name == "adamw" or batch == 16) and steps == 20:
            continue
        key = f"{name}-{batch}-{steps}-{lr}-{seed}"
        runs.append({
            "grid": "race", "key": key, "parameterisation": "mup", "optimizer": name, "lr": lr,
            "seed": seed, "steps": steps, "batch_size": batch, "status": "finished",
            "final_loss": 4 - reached * steps / 40, "shape.width": 8,
        })  # fmt: skip
        for step in range(0, steps + 1, 2):
            loss = 4 - speed * (1 - 0.05 * lr) * step / 40 - 0.01 * seed
            history.append({"grid": "race", "key": key, "step": step, "train_loss": loss})
    empty = pd.DataFrame({"grid": pd.Series(dtype=str), "key": pd.Series(dtype=str)})
    return {"runs": pd.DataFrame(runs), "history": pd.DataFrame(history), "probes": empty}


def of(kind: str, tables, searched, raced):
    """The tables that a kind of figure is drawn from."""
    if kind in OF_RACES:
        runs = raced["runs"]
        if kind == "race":
            runs = runs[runs["batch_size"] == 4]
        if kind == "guidelines":
            runs = runs[(runs["steps"] == 40) & (runs["batch_size"] == 4)]
        if kind == "frontier":
            runs = runs[runs["steps"] == 40]
        return {**raced, "runs": runs}
    return searched if kind in OF_SEARCHES else tables


# Of learned spaces: test_space_plots.py draws them.
SPACES = ("regrets", "regions", "inflation", "winners")


def figure(kind: str) -> dict:
    return {"id": kind, "kind": kind, "title": "Title", "caption": "", **FIGURES[kind]}


def test_the_kinds_that_configs_may_name_are_those_that_draw():
    assert set(figures.FIGURES) == {*FIGURES, *SPACES}
    assert all(callable(draw.drawing_function(kind)) for kind in figures.FIGURES)


@pytest.mark.parametrize("kind", FIGURES)
def test_every_kind_fills_its_page(kind: str, tables, searched, raced, tmp_path):
    drawn = draw.draw(figure(kind), of(kind, tables, searched, raced))
    path = tmp_path / "figure.png"
    draw.save(drawn, str(path))
    pixels = image.imread(io.BytesIO(path.read_bytes()), format="png")[..., :3]
    ink = (pixels < 0.99).any(axis=2)
    # A panel that collapsed leaves most columns of the page empty.
    assert ink.any(axis=0).mean() > 0.7
    assert ink.any(axis=1).mean() > 0.7


def test_svg_is_the_same_every_time(tables, tmp_path):
    for name in ("a.svg", "b.svg"):
        draw.save(draw.draw(figure("lr_sweep"), tables), str(tmp_path / name))
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


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


def test_the_stability_threshold_is_two_over_the_learning_rate(tables):
    drawn = draw.draw(figure("sharpness"), tables)
    dashed = [line for line in drawn.axes[0].lines if line.get_linestyle() == "--"]
    assert [line.get_ydata()[0] for line in dashed] == [4.0]


def test_optimum_shows_no_shift_for_mup_and_one_octave_a_doubling_for_ntp(tables):
    axis = draw.draw(figure("optimum"), tables).axes[0]
    shown = {c.get_label(): c.lines[0].get_ydata().astype(float) for c in axis.containers}
    np.testing.assert_allclose(shown["µP, SGD"], 0, atol=1e-9)
    np.testing.assert_allclose(shown["NTP, SGD"], [0, 1, 2], atol=1e-6)


def test_sizes_have_colours_of_their_own(tables):
    axis = draw.draw(figure("loss"), tables).axes[0]
    lines = [line for line in axis.lines if line.get_label() in {"8", "16", "32"}]
    assert len({to_rgb(line.get_color()) for line in lines}) == 3


def test_panels_can_be_any_column_with_titles_of_their_own(tables):
    spec = figure("lr_sweep") | {"options": {"panels": "optimizer", "titles": {"sgd": "One arm"}}}
    one = {name: table[table["key"].str.startswith("mup")] for name, table in tables.items()}
    drawn = draw.draw(spec, one)
    assert [axis.get_title() for axis in drawn.axes] == ["One arm"]


def test_gaps_show_the_exponents_that_the_claims_measure(tables):
    drawn = draw.draw(figure("gaps"), tables)
    over_time, over_size = drawn.axes[0], drawn.axes[2]
    # step², of which three records 4 steps apart have the mean t² + 32/3
    t = np.array([4, 8, 12, 16])
    grown = np.polyfit(np.log(t), np.log(t**2 + 32 / 3), 1)[0]
    assert f"{grown:.2f}" in over_time.texts[0].get_text()
    # gaps 3/32 and 1/32 of step² at widths 8 and 16: a factor of 3 a doubling
    assert f"{-np.log2(3):.2f}" in over_size.texts[0].get_text()


def test_the_shares_of_a_density_add_up(tables):
    axis = draw.draw(figure("density"), tables).axes[0]
    (heights, edges, _) = axis.patches[0].get_data()
    assert float((heights * np.diff(edges)).sum()) == pytest.approx(1.0)


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


def test_a_level_is_drawn(tables):
    drawn = draw.draw(figure("along"), tables)
    (sharpness, *_) = [a for a in drawn.axes if "sharpness" in a.get_ylabel()]
    assert 5 in [line.get_ydata()[0] for line in sharpness.lines if line.get_linestyle() == "--"]


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
        given = {**figure("heat_map"), "where": {}, "options": options}
        axis = draw.draw(given, tables).axes[0]
        (star,) = [line for line in axis.lines if line.get_marker() == "*"]
        assert star.get_xdata()[0] == place + 0.5
    rows = [text.get_text() for text in axis.get_yticklabels()]
    assert rows == ["32", "16", "8"]
    assert rows[int(star.get_ydata()[0])] == "32"


def test_a_table_of_instances_names_norms_and_shifts(tables):
    runs = tables["runs"].assign(
        grid=tables["runs"]["parameterisation"],
        optimizer=tables["runs"]["parameterisation"].map({"mup": "scion", "ntp": "adamw"}),
    )
    options = {"titles": {"mup": "Scion", "ntp": "Adam"}}
    drawn = draw.draw({**figure("instances"), "where": {}, "options": options},
                       {**tables, "runs": runs})  # fmt: skip
    cells = {place: cell.get_text().get_text()
             for place, cell in drawn.axes[0].tables[0].get_celld().items()}  # fmt: skip
    assert [cells[1, i] for i in range(4)] == ["Scion", "columns", "spectral", "signs"]
    assert [cells[2, i] for i in range(4)] == ["Adam", "AdamW", "AdamW", "AdamW"]
    assert cells[1, 6].startswith("+0.0")
    assert cells[2, 6].startswith("+2.0")


def test_many_panels_stand_in_two_rows(tables):
    runs = pd.concat([tables["runs"].assign(grid=f"arm{i}", key=tables["runs"]["key"] + str(i))
                      for i in range(7)])  # fmt: skip
    runs = runs[runs["parameterisation"] == "mup"]
    drawn = draw.draw({**figure("lr_sweep"), "where": {}, "options": {"panels": "grid"}},
                       {**tables, "runs": runs})  # fmt: skip
    assert len([axis for axis in drawn.axes if axis.lines]) == 7
    assert drawn.axes[0].get_gridspec().get_geometry() == (2, 4)


def test_arms_show_their_largest_size_at_the_rate_of_their_smallest(tables):
    runs = tables["runs"].assign(grid="sweep")
    options = {"quantities": ["final_loss"], "column": "parameterisation", "rows": "optimizer",
               "tuned_at": "shape.width"}  # fmt: skip
    drawn = draw.draw({**figure("arms"), "where": {}, "options": options},
                       {**tables, "runs": runs})  # fmt: skip
    dots = [line.get_ydata() for line in drawn.axes[0].lines if line.get_marker() == "o"]
    # µP's best is 0.5 at both ends; NTP's is 0.25 at width 8, four times too low at width 32.
    assert dots[0] == pytest.approx([1.0, 1.01, 1.02])
    assert dots[1] == pytest.approx([1.4, 1.41, 1.42])


def test_a_race_shows_where_the_target_is_reached(raced):
    drawn = draw.draw(figure("race"), of("race", {}, {}, raced))
    left, right = drawn.axes
    shares = [text.get_text() for axis in (left, right) for text in axis.texts]
    # Twice as quick; at the end of a run of half the steps, exactly.
    assert [float(text.strip(" ×")) for text in shares] == pytest.approx([0.52, 0.5], abs=0.02)


def test_a_frontier_has_a_point_for_each_batch(raced):
    drawn = draw.draw(figure("frontier"), of("frontier", {}, {}, raced))
    lines = {line.get_label(): line.get_xydata() for line in drawn.axes[0].lines}
    for name, points in lines.items():
        assert len(points) == 2, name
        assert points[1, 1] / points[0, 1] == pytest.approx(4, rel=0.01)  # the same steps


def test_guidelines_name_the_best_and_its_gain(raced):
    drawn = draw.draw(figure("guidelines"), of("guidelines", {}, {}, raced))
    (table,) = drawn.axes[0].tables
    row = [table[1, column].get_text().get_text() for column in range(4)]
    assert row[0] == "optimizer"
    assert row[2] == "muon"
    gain = float(row[3].split()[0])
    runs = raced["runs"].query("steps == 40 and batch_size == 4 and lr == 0.5")
    means = runs.groupby("optimizer")["final_loss"].mean()
    assert gain == pytest.approx(means["adamw"] - means["muon"], abs=1e-3)


def test_arms_at_their_best_rates(tables):
    options = {"quantities": ["final_loss"], "column": "parameterisation", "rows": "optimizer"}
    runs = tables["runs"][tables["runs"]["shape.width"] == 8]
    drawn = draw.draw({"kind": "arms", "title": "", "options": {**options, "best": True}},
                       {**tables, "runs": runs})  # fmt: skip
    dots = [line.get_ydata() for line in drawn.axes[0].lines if line.get_marker() == "o"]
    assert [list(d) for d in dots] == [pytest.approx([1.0, 1.01, 1.02])] * 2
