"""Targets run the best of the settings that a proxy lists, from the tables of the proxy on."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from tests.support.adaptive import listed_study

from hypertransfer.execution import allocated_runs, train_cell
from hypertransfer.planning import report_template
from hypertransfer.planning.study_plan import StudyPlan
from hypertransfer.rounds.allocation import allocation
from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store
from hypertransfer.studies.study import Study


@pytest.fixture
def plan(tmp_path, monkeypatch) -> StudyPlan:
    path = tmp_path / "micro.ipynb"
    path.write_text('{"cells": []}')
    monkeypatch.setattr(report_template, "notebook", lambda study: path)
    return StudyPlan(Study.parse(listed_study(), "desk"), 3.0)


def trained(parts, tmp_path: Path) -> pd.DataFrame:
    """The table of the runs of a job, also as a file."""
    runs = train_cell.runs_of_job(parts, {}, {})
    table = train_cell.train_cell(parts["grid"], runs, Store(tmp_path / "store"), "cpu", 10)
    parquet.write(table, tmp_path / f"{parts['grid']}.parquet")
    return table.to_pandas()


def test_targets_run_the_setting_of_least_mean_loss_with_all_seeds(plan, tmp_path):
    (job,) = (job for job in plan.train_jobs if job.rule == "train_cell")
    proxy = trained(json.loads(json.dumps(job.parts)), tmp_path)
    means = proxy.groupby(["lr", "weight_decay"])["final_loss"].mean()

    (written,) = plan.rounds.grids["target"].allocations
    made = allocation(json.loads(json.dumps(written.parts)), [str(tmp_path / "proxy.parquet")])
    file = tmp_path / "allocation.json"
    file.write_text(json.dumps(made))
    jobs = [job for job in plan.train_jobs if job.rule == "train_allocated"]
    parts = [allocated_runs.allocated(json.loads(json.dumps(j.parts)), str(file)) for j in jobs]
    target = pd.concat([trained(part, tmp_path) for part in parts if part["runs"]])

    assert len(means) == 3
    assert {*zip(target["lr"], target["weight_decay"], strict=True)} == {means.idxmin()}
    assert sorted(zip(target["shape.width"], target["seed"], strict=True)) == [
        (8, 0), (8, 1), (16, 0), (16, 1),
    ]  # fmt: skip
