"""The runs that a round or a look allocates to a job, and jobs without runs."""

from __future__ import annotations

import json
import subprocess
import sys

import pyarrow as pa
import pytest

from hypertransfer.execution import allocated_runs
from hypertransfer.storage import collect, parquet


@pytest.fixture
def allocation(tmp_path):
    path = tmp_path / "allocation.json"
    path.write_text(json.dumps({"round": 1, "grids": {"g": ["c", "a", "z", "d"]}}))
    return str(path)


def parts(piece: int, pieces: int) -> dict:
    return {"runs": [{"key": key} for key in "abcd"], "piece": [piece, pieces], "grid": "g"}


def test_pieces_share_the_allocated_runs_of_their_cell(allocation):
    def keys(piece, pieces):
        return [
            run["key"] for run in allocated_runs.allocated(parts(piece, pieces), allocation)["runs"]
        ]

    assert keys(0, 1) == ["a", "c", "d"]
    assert [keys(piece, 2) for piece in range(2)] == [["a", "d"], ["c"]]
    assert keys(3, 4) == []


def test_probes_go_with_their_runs(tmp_path):
    table = str(tmp_path / "t.parquet")
    parquet.write(pa.table({"key": ["b", "x"]}), table)
    probed = {**parts(0, 1), "settings": [1, 2, 3, 4], "probe_keys": ["pa", "pb", "pc", "pd"]}
    chosen = allocated_runs.trained(probed, [table])
    assert (chosen["runs"], chosen["settings"], chosen["probe_keys"]) == (
        [{"key": "b"}],
        [2],
        ["pb"],
    )


def test_tables_without_runs_can_be_collected(tmp_path):
    names = {name: str(tmp_path / f"{name}.parquet") for name in ("cell", "probe")}
    parquet.write(allocated_runs.no_runs(), names["cell"])
    parquet.write(allocated_runs.no_probes(), names["probe"])
    tables = {name: str(tmp_path / f"all-{name}.parquet") for name in ("runs", "history", "probes")}
    collect.collect([names["cell"]], [names["probe"]], tables)
    assert [parquet.read(path).num_rows for path in tables.values()] == [0, 0, 0]


def test_a_job_without_runs_imports_neither_torch_nor_pandas():
    code = "import sys\nfrom hypertransfer.execution import job, allocated_runs\n"
    code += "from hypertransfer.storage import parquet\n"
    code += (
        "parquet.to_bytes(allocated_runs.no_runs())\nparquet.to_bytes(allocated_runs.no_probes())"
    )
    code += "\nassert not {'torch', 'pandas'} & {*sys.modules}"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_look_lists_the_runs_of_each_grid(tmp_path):
    """The grid `g` and another one have the run `a`, which the other one alone is to train."""
    file = tmp_path / "look.json"
    file.write_text(json.dumps({"keys": ["a", "b"], "grids": {"other": ["a"], "g": ["b"]}}))
    parts = {"grid": "g", "piece": [0, 1], "runs": [{"key": key} for key in "abc"]}
    assert allocated_runs.allocated(parts, str(file))["runs"] == [{"key": "b"}]
    third = {**parts, "grid": "third"}
    assert allocated_runs.allocated(third, str(file))["runs"] == []
