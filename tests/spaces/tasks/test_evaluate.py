"""Evaluations of live suites: a row for each task and configuration, read back as tasks."""

from __future__ import annotations

import pytest

from hypertransfer.spaces.tasks import evaluate, sources, suites
from hypertransfer.storage import parquet
from hypertransfer.studies.replays import Suite

SUITE = Suite("rbf_svm", points=4).complete()


def test_tasks_are_evaluated_at_the_same_design_and_read_back(tmp_path):
    names = ["iris", "wine"]
    table = evaluate.tasks(SUITE, names)
    assert table.column_names == ["task", "C", "gamma", "loss"]
    design = sources.design(SUITE)
    assert table.column("task").to_pylist() == [name for name in names for _ in design]
    losses = suites.evaluations("rbf_svm", "wine", design)
    assert table.column("loss").to_pylist()[len(design) :] == losses
    parquet.write(table, tmp_path / "evaluations.parquet")
    domain, tasks = sources.load(SUITE, [str(tmp_path / "evaluations.parquet")])
    assert [(task.name, task.group) for task in tasks] == [("iris", "iris"), ("wine", "wine")]
    assert tasks[1].losses.tolist() == losses
    for decoded, configuration in zip(domain.decode(tasks[0].points), design, strict=True):
        assert decoded == pytest.approx(configuration)
