"""Suites over runs of their own study: columns, conditions and ranges are those of planned runs."""

from __future__ import annotations

import pytest
from tests.support.specs import VALID

from hypertransfer.studies import suite_checks
from hypertransfer.studies.grid import Grid, runs
from hypertransfer.studies.replays import Replay, Suite

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
    assert problems(suite(dimensions={"optimizer": {"choices": ["sgd", "adam"]}})) == []
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
    replay = Replay.parse(
        {"suite": "s", "budget": 1, "repeats": 1, "methods": {"r": {"searcher": "random"}}}
        | {key: condition}
    )
    rows = suite_checks.evaluations(suite(), RUNS)
    found = [(p.key, p.text) for p in suite_checks.target_problems(replay, rows)]
    assert found == [(key, "no task has {shape.width: 9}")] * count
    assert list(suite_checks.target_problems(replay, [])) == []
