"""Parquet tables: round trips, and the types of columns."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.tables import history

from hypertransfer.storage import parquet, schemas

SEEDED = settings(derandomize=True, deadline=None)  # the same cases on every machine

finite = st.floats(allow_nan=False)


@SEEDED
@given(st.lists(st.tuples(st.integers(0, 2**31 - 1), finite, finite), max_size=20))
def test_histories_read_back(rows):
    table = parquet.columns(history(rows), schemas.HISTORY)
    again = parquet.from_bytes(parquet.to_bytes(table))
    assert again.equals(table)
    assert again.schema.equals(schemas.HISTORY)
    assert again.column("train_loss").to_pylist() == [row[1] for row in rows]


def test_nan_is_null_and_infinity_stays():
    table = parquet.columns(history([(1, math.nan, math.inf)]), schemas.HISTORY)
    assert table.column("train_loss").to_pylist() == [None]
    assert table.column("eval_loss").to_pylist() == [math.inf]
    assert table.column("eval_accuracy").null_count == 1


READS = {
    "a path": "parquet.read(path)",
    "a frame": "parquet.frame(path)",
    "bytes": "parquet.from_bytes(path.read_bytes())",
    "pages": "list(parquet.opened(path).iter_batches(use_threads=False))",
}


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="no /proc that lists threads")
@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_reading_starts_no_thread(tmp_path, read):
    # A thread that holds a buffer when the process ends aborts the process, in 1 of 20 jobs.
    path = tmp_path / "table.parquet"
    parquet.write(parquet.points_table("g", ["k"], [{"lr": 0.5}]), path)
    script = (
        "import os, pathlib, sys\n"
        "from hypertransfer.storage import parquet\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "before = os.listdir('/proc/self/task')\n"
        f"{read}\n"
        "print(sorted(set(os.listdir('/proc/self/task')) - set(before)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_files_are_put_in_place_whole(tmp_path):
    table = parquet.points_table("g", ["k"], [{"lr": 0.5}])
    path = tmp_path / "new" / "table.parquet"
    parquet.write(table, path)
    assert parquet.read(path).equals(table)
    assert parquet.frame(path)["lr"].tolist() == [0.5]
    assert [file.name for file in path.parent.iterdir()] == ["table.parquet"]


@pytest.mark.parametrize(
    ("values", "column", "kind"),
    [
        ([1, 2], [1, 2], pa.int64()),
        ([1, 0.5], [1.0, 0.5], pa.float64()),
        (["mup", "sp"], ["mup", "sp"], pa.string()),
        ([True, False], ["true", "false"], pa.string()),
        ([1, "a"], ["1", "a"], pa.string()),
        ([{"name": "conv"}], ['{"name":"conv"}'], pa.string()),
        ([None, 3], [None, 3], pa.int64()),
        ([None, 0.5], [None, 0.5], pa.float64()),
        ([None], [None], pa.null()),
    ],
)
def test_columns_of_axes(values, column, kind):
    found = parquet.axis_column(values)
    assert found.to_pylist() == column
    assert found.type == kind
