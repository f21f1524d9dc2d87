"""The tables of a study, collected from the tables of its cells."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pyarrow as pa
from tests.support.tables import cell, history

from hypertransfer.analysis.tables import COLLECTED
from hypertransfer.catalogue.cards import probes as cards_probes
from hypertransfer.storage import collect, parquet, schemas


def written(tmp_path, *tables):
    paths = []
    for index, table in enumerate(tables):
        paths.append(str(tmp_path / f"{index}.parquet"))
        parquet.write(table, paths[-1])
    return paths


def collected(cells, probes=()):
    """The collected tables, written beside the first cell and read back."""
    place = Path(cells[0]).parent / "collected"
    paths = {name: str(place / f"{name}.parquet") for name in COLLECTED}
    collect.collect(cells, probes, paths)
    return {name: parquet.read(path) for name, path in paths.items()}


def test_grids_with_different_axes_stack_with_nulls(tmp_path):
    one = [(1, 2.0, 1.0)]
    paths = written(
        tmp_path,
        cell("sweep", [{"lr": 1, "shape.width": 8}], [history(one)]),
        cell("sweep", [{"lr": 0.5, "shape.width": 16}], [history(one)]),
        cell("depth", [{"lr": 2.0, "shape.depth": 3, "order_seed": 7}], [history(one)]),
        cell("depth", [{"lr": 2.0, "shape.depth": 3, "order_seed": None}], [history(one)]),
    )
    runs = collected(paths)["runs"]
    assert runs.column("lr").to_pylist() == [1.0, 0.5, 2.0, 2.0]
    assert runs.column("shape.width").to_pylist() == [8, 16, None, None]
    assert runs.column("shape.depth").to_pylist() == [None, None, 3, 3]
    assert runs.column("order_seed").to_pylist() == [None, None, 7, None]
    assert not [name for name in runs.column_names if name.startswith("history.")]


def test_a_diverged_run_has_an_infinite_final_loss(tmp_path):
    from hypertransfer.execution.train_cell import _summary

    table = parquet.columns(history([(1, 2.0, 3.0)]), schemas.HISTORY)
    record = {
        "status": "diverged",
        "steps_done": 1,
        "seconds": 1.0,
        "optimizer_seconds": 0.1,
        "curvature_seconds": 0.0,
        "flops": 1,
        "final_loss": None,
        "provenance": {"torch": "2", "device": "cpu"},
    }
    row = _summary(record, table)
    assert row["final_loss"] == math.inf
    made = cell("sweep", [{"lr": 9}], [history([(1, 2.0, 3.0)])], "diverged", row["final_loss"])
    (path,) = written(tmp_path, made)
    runs = collected([path])["runs"]
    assert runs.column("final_loss").to_pylist() == [math.inf]
    assert runs.column("status").to_pylist() == ["diverged"]
    assert runs.to_pandas()["final_loss"].notna().all()


def test_history_has_one_row_a_step(tmp_path):
    first, second = [(2, 1.0, 5.0), (4, 0.5, 4.0)], [(2, 3.0, 6.0)]
    paths = written(
        tmp_path,
        cell(
            "a", [{"lr": 1}, {"lr": 2}, {"lr": 3}], [history(first), history([]), history(second)]
        ),
        cell("b", [{"lr": 1}], [history([])]),
    )
    table = collected(paths)["history"]
    assert table.select(["grid", "key", "step", "train_loss"]).to_pylist() == [
        {"grid": "a", "key": "a-0", "step": 2, "train_loss": 1.0},
        {"grid": "a", "key": "a-0", "step": 4, "train_loss": 0.5},
        {"grid": "a", "key": "a-2", "step": 2, "train_loss": 3.0},
    ]
    assert table.column("eval_accuracy").null_count == 3


def test_collecting_holds_a_few_cells_at_a_time(tmp_path, monkeypatch):
    """Peak memory does not grow with the number of cells, though all their rows arrive."""
    monkeypatch.setattr(parquet, "ROW_GROUP", 4000)
    steps = [(step, 1 / (step + 1), 2.0) for step in range(1000)]
    (one,) = written(tmp_path, cell("a", [{"lr": 1}, {"lr": 2}], [history(steps)] * 2))
    paths = {name: str(tmp_path / f"{name}.parquet") for name in COLLECTED}
    standard, peaks = pa.default_memory_pool(), []
    for count in (4, 64):
        pool = pa.proxy_memory_pool(standard)
        pa.set_memory_pool(pool)
        try:
            collect.collect([one] * count, [], paths)
        finally:
            pa.set_memory_pool(standard)
        peaks.append(pool.max_memory())
        assert parquet.read(paths["history"]).num_rows == 2000 * count
    assert peaks[1] < 2 * peaks[0]


def test_probes_stack_and_none_is_an_empty_table(tmp_path):
    (runs,) = written(tmp_path, cell("a", [{"lr": 1}], [history([(1, 1.0, 1.0)])]))
    empty = collected([runs])["probes"]
    assert empty.num_rows == 0
    assert empty.column_names == [
        "grid",
        "key",
        "probe",
        *schemas.probe_schema(*cards_probes.PROBES).names,
    ]
    probe = empty.schema.empty_table().to_pylist() + [
        dict.fromkeys(empty.column_names) | {"grid": "a", "key": "a-0", "step": step}
        for step in (0, 5)
    ]
    path = tmp_path / "probe.parquet"
    parquet.write(pa.Table.from_pylist(probe, schema=empty.schema), path)
    both = collected([runs], [str(path), str(path)])["probes"]
    assert both.column("step").to_pylist() == [0, 5, 0, 5]
    assert both.schema.equals(empty.schema)


def test_frames_are_named_by_their_files(tmp_path):
    path = tmp_path / "runs.parquet"
    parquet.write(parquet.points_table("g", ["k"], [{"lr": 1}]), path)
    assert collect.frames([str(path)])["runs"]["key"].tolist() == ["k"]


def test_verdicts_have_types_that_do_not_depend_on_them(tmp_path):
    rows = {"study": ["s"], "claim": ["c"], "verdict": ["holds"], "value": [1], "low": [None]}
    table = collect.verdict_table(pd.DataFrame(rows))
    assert table.schema.field("value").type == pa.float64()
    assert table.schema.field("low").type == pa.float64()
    first, second = written(tmp_path, table, table)
    assert collect.scorecard([first, second]).num_rows == 2


def test_joined_tables_are_the_collected_ones_and_leave_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    paths = written(tmp_path, cell("sweep", [{"lr": 1}], [history([(1, 2.0, 1.0)])]))
    found = collect.joined(paths, [])
    assert list(found) == ["runs", "history", "probes"]
    own = collected(paths)
    for name, table in found.items():
        pd.testing.assert_frame_equal(table, own[name].to_pandas(), check_dtype=False)
    assert len(list(tmp_path.iterdir())) == 2  # the cell, and what `collected` wrote
