"""What benchmarks take from the config is there."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.benchmarks import bench_workflow

from hypertransfer.studies.grid import runs
from hypertransfer.studies.study import load_study

CONFIG = Path(__file__).resolve().parents[2] / "config"


def test_the_learning_rate_that_a_benchmark_adds_is_one_more_of_a_sweep(tmp_path):
    shutil.copytree(CONFIG, tmp_path / "config")
    studies = tmp_path / "config" / "studies"
    before = runs(load_study("super_consistency", "desk", studies).grids["sweep"])
    bench_workflow.add_learning_rate(tmp_path)
    after = runs(load_study("super_consistency", "desk", studies).grids["sweep"])
    known = [run.spec for run in before]
    added = [run for run in after if run.spec not in known]
    assert len(after) == len(before) + len(added)
    assert {run.point["parameterisation"] for run in added} == {"mup"}
    assert len({run.point["lr"] for run in added}) == 1
