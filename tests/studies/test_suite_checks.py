"""Suites over runs of their own study: columns, conditions and ranges are those of planned runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from tests.support.specs import VALID

from hypertransfer.planning.study_plan import StudyPlan
from hypertransfer.spaces import replay
from hypertransfer.spaces.tasks import sources
from hypertransfer.spaces.tasks.tables import TableError
from hypertransfer.storage import parquet
from hypertransfer.studies import suite_checks
from hypertransfer.studies.grid import Grid, runs
from hypertransfer.studies.replays import Replay, Suite
from hypertransfer.studies.study import Study

RUNS = {
    "sweep": runs(Grid(VALID, {"shape.width": [8, 16], "lr": [0.1, 0.2], "seed": [0, 1]})),
    "other": runs(Grid(VALID, {"weight_decay": [0.1], "seed": [0]})),
}
ABOUT = {
    "task": ["shape.width", "seed"],
    "group": "data",
    "loss": "final_loss",
    "where": {"parameterisation": "mup"},
    "dimensions": {"lr": {"low": 0.1, "high": 0.2}},
}


def suite(grids=("sweep",), **changes) -> Suite:
    return Suite("runs", grids=list(grids), about={**ABOUT, **changes})


def problems(written: Suite):
    return [(p.key, p.text) for p in suite_checks.suite_problems(written, RUNS)]


def test_a_suite_of_planned_runs_is_sound():
    assert problems(suite()) == []
    optimizers = {"optimizer": {"choices": ["sgd", "adam"]}}
    assert problems(suite(where={"lr": 0.1}, dimensions=optimizers)) == []
    assert len(suite_checks.evaluations(suite(where={"shape.width": 8}), RUNS)) == 4


def test_conditions_on_what_training_writes_wait_for_the_runs():
    """Cell tables have these columns, whose values are not known when a study is planned."""
    where = {"status": "finished", "final_loss": {"max": 5}}
    assert problems(suite(where=where)) == []
    assert len(suite_checks.evaluations(suite(where=where), RUNS)) == len(RUNS["sweep"])
    ((key, text),) = problems(suite(where={**where, "shape.width": 9}))
    assert key == "about.where"
    assert text.startswith("no run of the grids sweep has ")


@pytest.mark.parametrize(
    ("changes", "key", "text"),
    [
        ({"task": ["shape.wdith"]}, "about.task", "no column 'shape.wdith'; known: model, data"),
        ({"group": "dat"}, "about.group", "no column 'dat'"),
        ({"loss": "final_los"}, "about.loss", "no numeric column 'final_los'; known: "),
        ({"loss": "status"}, "about.loss", "no numeric column 'status'; known: "),
        ({"where": {"grd": "sweep"}}, "about.where.grd", "no column 'grd'"),
        ({"where": {"parameterisation": "mpu"}}, "about.where",
         "no run of the grids sweep has {parameterisation: mpu}"),
        ({"dimensions": {"lrr": {"low": 0, "high": 1}}}, "about.dimensions.lrr", "no column 'lrr'"),
        ({"dimensions": {"lr": {"low": 0.15, "high": 1}}}, "about.dimensions.lr",
         "0.1, a value of the runs, lies outside"),
        ({"dimensions": {"optimizer": {"choices": ["adam"]}}}, "about.dimensions.optimizer",
         "'sgd', a value of the runs, lies outside"),
    ],
)  # fmt: skip
def test_what_a_suite_names_is_planned(changes, key, text):
    ((first, found),) = problems(suite(**changes))
    assert first == key
    assert found.startswith(text)


@pytest.mark.parametrize(
    ("changes", "columns"),
    [
        ({}, "optimizer, parameterisation"),
        ({"where": {"parameterisation": "mup"}}, "optimizer"),
        ({"task": ["shape.width", "optimizer", "parameterisation"]}, None),
        ({"where": {"parameterisation": "mup", "optimizer": "sgd"}}, None),
        ({"task": ["shape.width"], "where": {"parameterisation": "mup", "optimizer": "sgd"}}, None),
    ],
)
def test_the_mean_is_taken_over_seeds_only(changes, columns):
    """Runs of a task with equal hyperparameters that differ in more are no repetitions."""
    axes = {"parameterisation": ["mup", "sp"], "optimizer": ["sgd", "lion"], "lr": [0.1, 0.2]}
    swept = runs(Grid(VALID, {"shape.width": [8, 16], **axes, "seed": [0, 1]}))
    written = Suite("runs", grids=["g"], about={k: v for k, v in ABOUT.items() if k != "where"})
    written.about.update(changes)
    found = [(p.key, p.text) for p in suite_checks.suite_problems(written, {"g": swept})]
    text = (
        f"runs of one evaluation differ in {columns}, and their mean would be taken: add these "
        "columns to task, or select one value of each by where"
    )
    assert found == ([("about.task", text)] if columns else [])


def test_runs_of_two_grids_are_one_evaluation_if_they_differ_in_seeds_only():
    axes = {"shape.width": [8, 16], "lr": [0.1, 0.2]}
    one, same = (runs(Grid(VALID, {**axes, "seed": [s]})) for s in (0, 1))
    other = runs(Grid({**VALID, "divergence": 7.0}, {**axes, "seed": [0]}))
    written = Suite("runs", grids=["a", "b"], about={**ABOUT, "task": ["shape.width"]})
    assert list(suite_checks.suite_problems(written, {"a": one, "b": same})) == []
    (problem,) = suite_checks.suite_problems(written, {"a": one, "b": other})
    assert problem.text.startswith("runs of one evaluation differ in grid, and")


def test_whole_numbers_are_checked_before_the_runs_are_trained():
    """The job reads such values as tables have them, and refuses 2.5 in integers."""
    swept = runs(Grid(VALID, {"shape.width": [8, 16], "weight_decay": [2, 2.5], "seed": [0]}))
    whole = {"weight_decay": {"low": 1, "high": 4, "integer": True}}
    written = Suite("runs", grids=["g"], about={**ABOUT, "dimensions": whole})
    (problem,) = suite_checks.suite_problems(written, {"g": swept})
    assert problem.key == "about.dimensions.weight_decay"
    assert problem.text == "2.5, a value of the runs, lies outside"


def test_every_grid_of_a_suite_has_its_columns():
    wrong = problems(suite(["sweep", "other"], dimensions={"weight_decay": {"low": 0, "high": 1}}))
    assert [key for key, _ in wrong] == ["about.dimensions.weight_decay"]


def test_runs_of_another_study_are_not_looked_for():
    other = Suite("runs", study="else", grids=["sweep"], about={**ABOUT, "task": ["x"]})
    assert problems(other) == []
    assert suite_checks.evaluations(other, RUNS) == []


@pytest.mark.parametrize(
    ("condition", "count"), [({"shape.width": 8}, 0), ({"shape.width": 9}, 1), ({}, 0)]
)
@pytest.mark.parametrize("key", ["targets", "priors"])
def test_conditions_on_tasks_are_met_by_some_task(key, condition, count):
    parsed = Replay.parse(
        {"suite": "s", "budget": 1, "repeats": 1, "methods": {"r": {"searcher": "random"}}}
        | {key: condition}
    )
    rows = suite_checks.evaluations(suite(), RUNS)
    found = [(p.key, p.text) for p in suite_checks.target_problems(parsed, rows)]
    assert found == [(key, "no task has {shape.width: 9}")] * count
    assert list(suite_checks.target_problems(parsed, [])) == []


ACTS = {"model.act": ["relu", 2, 0.5], "lr": [0.1, 0.2], "seed": [0]}
BASE = {**VALID, "model": "tests.support.own_parts:Frozen"}


def files_of_cells(folder: Path, axes: Mapping) -> list[str]:
    """Files of runs as jobs write them, with losses, for each cell."""
    study = {
        "study": "mine", "title": "t", "question": "q", "paper": {"title": "p", "authors": "a"},
        "grids": {"g": {"base": BASE, "axes": axes}},
    }  # fmt: skip
    files = []
    for index, job in enumerate(StudyPlan(Study.parse(study, "desk"), 3.0).train_jobs):
        runs_of_job = job.parts["runs"]
        keys = [run["key"] for run in runs_of_job]
        table = parquet.points_table("g", keys, [run["point"] for run in runs_of_job])
        losses = pa.array([0.5 + index / 10] * len(keys))
        files.append(str(folder / f"{index}.parquet"))
        parquet.write(table.append_column("final_loss", losses), files[-1])
    return files


@pytest.mark.parametrize(
    ("where", "targets", "fault"),
    [
        ({}, {"model.act": "2"}, ""),
        ({}, {"model.act": 2}, "targets"),  # the column holds texts
        ({}, {"model.act": ["relu", "0.5"]}, ""),
        ({}, {"model.act": "relu"}, ""),
        ({}, {"model.act": "7"}, "targets"),
        ({"model.act": 2}, {}, ""),
        ({"model.act": "2"}, {}, ""),
        ({"model.act": [2, "relu"]}, {"model.act": "2"}, ""),
        ({"model.act": [2, 7]}, {}, "where"),
        ({"model.act": 7}, {}, "where"),
        ({"model.act": {"min": 1}}, {}, "where"),  # relu has no order
        ({"model.act": [2, 0.5]}, {"model.act": 2}, ""),  # all selected values are numbers
        ({"model.act": [2, 0.5]}, {"model.act": "2"}, "targets"),
        ({"model.act": [2, 0.5]}, {"model.act": {"max": 1}}, ""),
    ],
)
def test_planning_and_job_select_the_same_of_numbers_beside_texts(where, targets, fault, tmp_path):
    about = {"task": ["model.act"], "loss": "final_loss", "dimensions": ABOUT["dimensions"]}
    about |= {"where": where} if where else {}
    written = Suite("runs", grids=["g"], about=about)
    swept = {"g": runs(Grid(BASE, ACTS))}
    values = {"suite": "s", "budget": 1, "repeats": 1, "methods": {"r": {"searcher": "random"}}}
    parsed = Replay.parse(values | {"targets": targets})
    found = [p.key for p in suite_checks.suite_problems(written, swept)]
    rows = suite_checks.evaluations(written, swept)
    found += [p.key for p in suite_checks.target_problems(parsed, rows)]
    assert found == {"": [], "where": ["about.where"], "targets": ["targets"]}[fault]

    files = files_of_cells(tmp_path, ACTS)
    if fault == "where":
        with pytest.raises(TableError, match=r"where: model\.act"):
            sources.load(written.complete(), files)
        return
    domain, tasks = sources.load(written.complete(), files)
    chosen = replay.Replay("r", "s", parsed.complete(), domain, tasks).targets
    assert bool(chosen) == (fault != "targets")


@pytest.mark.parametrize(
    ("declared", "sound"),
    [
        ({"choices": ["relu", 2, 0.5]}, True),
        ({"choices": ["relu", "2", "0.5"]}, True),
        ({"choices": ["relu", 2]}, False),
        ({"low": 0, "high": 3}, False),
    ],
)
def test_planning_and_job_read_the_same_choices(declared, sound, tmp_path):
    about = {"task": ["lr"], "loss": "final_loss", "dimensions": {"model.act": declared}}
    written = Suite("runs", grids=["g"], about=about)
    found = [p.key for p in suite_checks.suite_problems(written, {"g": runs(Grid(BASE, ACTS))})]
    assert found == ([] if sound else ["about.dimensions.model.act"])
    files = files_of_cells(tmp_path, ACTS)
    if sound:
        assert len(sources.load(written.complete(), files)[1]) == 2
    else:
        with pytest.raises(TableError, match=r"model\.act: "):
            sources.load(written.complete(), files)
