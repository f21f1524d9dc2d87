"""Rows of tables: series, values at a run's end, means over seeds, densities."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from hypertransfer.analysis import tables
from hypertransfer.analysis.estimate import AnalysisError

RUNS = pd.DataFrame({"grid": "g", "key": ["a", "b"], "seed": [0, 1], "status": "finished"})
PROBES = pd.DataFrame(
    {
        "grid": "g",
        "key": ["a", "a", "b", "b"],
        "step": [0, 10, 10, 0],
        "probe": "hessian",
        "trace": [1.0, 2.0, 4.0, 3.0],
    }
)
HISTORY = pd.DataFrame(
    {"grid": "g", "key": list("aaabbb"), "step": [0, 1, 2] * 2, "train_loss": range(6)}
)
TABLES = {"runs": RUNS, "history": HISTORY, "probes": PROBES}


def test_a_series_is_the_history_or_one_probes_rows():
    assert tables.series_of(TABLES, RUNS, "train_loss")["train_loss"].tolist() == [*range(6)]
    one = tables.series_of(TABLES, RUNS[:1], "trace")
    assert one["trace"].tolist() == [1.0, 2.0]
    with pytest.raises(AnalysisError, match="train_loss needs the table 'history'; given: runs"):
        tables.series_of({"runs": RUNS}, RUNS, "train_loss")


def test_a_run_in_two_grids_has_the_rows_of_the_grid_that_is_given():
    twice = {**TABLES, "probes": pd.concat([PROBES, PROBES.assign(grid="other", trace=9.0)])}
    assert tables.series_of(twice, RUNS, "trace")["trace"].max() == 4.0


def test_what_was_measured_at_the_last_checkpoint_is_a_column_of_the_runs():
    runs = tables.with_measured(TABLES, "trace")
    assert dict(zip(runs["key"], runs["trace"], strict=True)) == {"a": 2.0, "b": 4.0}
    assert tables.last_rows(PROBES).set_index("key")["trace"].to_dict() == {"a": 2.0, "b": 4.0}


def test_axes_of_runs_replace_those_of_a_table():
    table = HISTORY.assign(seed=99)
    assert tables.with_axes(table, RUNS, ["seed"])["seed"].tolist() == [0, 0, 0, 1, 1, 1]


def test_means_and_ranges_across_seeds():
    spread = tables.across_seeds(HISTORY, "step", "train_loss")
    assert spread.loc[1].to_dict() == {"mean": 2.5, "min": 1.0, "max": 4.0}


def test_smoothing_does_not_mix_runs():
    assert tables.smoothed(HISTORY, "train_loss", 2).tolist() == [0, 0.5, 1.5, 3, 3.5, 4.5]


def test_cells_are_means_of_finished_runs_and_the_best_one_is_found():
    runs = pd.DataFrame(
        [
            (8, 0.1, 2.0, "finished"),
            (8, 0.1, 4.0, "finished"),
            (8, 0.2, 1.0, "finished"),
            (8, 0.2, 9.0, "diverged"),
            (16, 0.1, 9.0, "diverged"),
            (16, 0.2, 5.0, "finished"),
        ],
        columns=["width", "lr", "loss", "status"],
    )
    cells = tables.cell_means(runs, "lr", "width", "loss")
    assert cells.index.tolist() == [16, 8]
    assert math.isnan(cells.loc[16, 0.1])
    assert cells.loc[8].tolist() == [3.0, 1.0]
    assert tables.best_cell(cells, highest=False) == (1, 1)
    assert tables.best_cell(cells, highest=True) == (0, 1)
    assert tables.best_cell(cells * math.nan, highest=True) is None
    unsafe = tables.diverged_cells(runs, "lr", "width")
    assert unsafe.to_numpy().tolist() == [[True, False], [False, True]]


def test_a_density_holds_the_share_of_its_positive_nodes():
    probes = pd.DataFrame(
        {
            "nodes": [np.array([0.1, 10.0, -1.0]), np.array([0.1, 10.0])],
            "shares": [np.array([0.5, 0.25, 0.25]), np.array([0.5, 0.5])],
        }
    )
    edges = np.linspace(-2, 2, 9)
    heights = tables.eigenvalue_density(probes, edges)
    assert (heights * np.diff(edges)).sum() == pytest.approx(1 - 0.25 / 2)
    assert heights[2] * 0.5 == pytest.approx(0.5)  # from 10^−1 on
    assert heights[6] * 0.5 == pytest.approx(0.375)  # from 10^1 on


def test_of_a_run_in_two_grids_the_row_of_the_probed_grid_stays():
    bare = RUNS.assign(grid="bare")
    both = {**TABLES, "runs": pd.concat([bare, RUNS], ignore_index=True)}
    kept = tables.unique_runs(both)
    assert kept["key"].tolist() == ["a", "b"]
    assert set(kept["grid"]) == {"g"}
    assert tables.series_of(both, kept, "trace")["trace"].tolist() == PROBES["trace"].tolist()
    assert tables.with_measured(both, "trace")["trace"].tolist() == [2.0, 4.0]


def test_runs_without_probes_keep_their_first_rows():
    twice = pd.concat([RUNS, RUNS.assign(grid="other")], ignore_index=True)
    for found in ({"runs": twice}, {"runs": twice, "probes": PROBES[:0]}):
        assert tables.unique_runs(found).equals(twice[:2])


def grids_of_one_run(order: list[str]) -> dict[str, pd.DataFrame]:
    """The runs of `RUNS` in the grids `order`: of `one` and `two`, other probes measure a trace.

    A probe of the grid `third` has the name of that of `one`, and measures another quantity.
    """
    one, two = (PROBES.assign(grid=g, probe=p) for g, p in (("one", "a"), ("two", "b")))
    third = PROBES.assign(grid="third", probe="a", trace=math.nan, ntk=5.0)
    probes = {"one": one, "two": two.assign(trace=two["trace"] + 10), "third": third}
    runs = pd.concat([RUNS.assign(grid=name) for name in order], ignore_index=True)
    return {"runs": runs, "probes": pd.concat([probes[name] for name in order])}


@pytest.mark.parametrize("order", [*itertools.permutations(["one", "two", "third"])])
def test_any_order_of_grids_that_share_runs_gives_the_same_numbers(order):
    shared = grids_of_one_run(list(order))
    runs = tables.unique_runs(shared)
    for probe, ends in (("a", {"a": 2.0, "b": 4.0}), ("b", {"a": 12.0, "b": 14.0})):
        measured = tables.with_measured(shared, "trace", probe)
        assert dict(zip(measured["key"], measured["trace"], strict=True)) == ends
        for rows in (
            tables.series_of(shared, runs, "trace", probe),
            tables.probed_rows(shared, "trace", probe),
        ):
            last = rows[rows["step"] == 10]
            assert dict(zip(last["key"], last["trace"], strict=True)) == ends
            assert len(rows) == len(PROBES)
    with pytest.raises(AnalysisError, match=r"several probes.*known: a, b"):
        tables.with_measured(shared, "trace")
    assert set(tables.series_of(shared, runs, "ntk")["ntk"]) == {5.0}


def test_of_probes_with_one_name_that_differ_one_is_read_whatever_the_order():
    pair = [PROBES.assign(grid="one"), PROBES.assign(grid="two", trace=9.0)]
    for parts in (pair, pair[::-1]):
        runs = pd.concat([RUNS.assign(grid=part["grid"].iloc[0]) for part in parts])
        found = tables.with_measured({"runs": runs, "probes": pd.concat(parts)}, "trace")
        assert dict(zip(found["key"], found["trace"], strict=True)) == {"a": 2.0, "b": 4.0}
