"""Trials that did not finish, as Optuna, Ray Tune, W&B and Syne Tune export them."""

from __future__ import annotations

import pandas as pd
import pytest

from hypertransfer.spaces.tasks.read_table import tasks_of
from hypertransfer.spaces.tasks.tables import TableError

ABOUT = {
    "task": ["task"],
    "loss": "loss",
    "dimensions": {"lr": {"low": 0.01, "high": 1, "log": True}},
}


def losses(columns, about=ABOUT):
    """The losses of the only task of a table, and the lines on rows that are left out."""
    said = []
    count = len(next(iter(columns.values())))
    table = pd.DataFrame({"task": ["a"] * count, "lr": [0.01 * (i + 1) for i in range(count)],
                          **columns})  # fmt: skip
    _, (task,) = tasks_of(table.astype(object), about, "t.csv", said.append)
    return task.losses.tolist(), said


def test_trials_of_optuna():
    states = ["COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING", "COMPLETE"]
    found, said = losses({"state": states, "loss": [2.0, 0.1, None, 0.2, None, 3.0]})
    assert found == [2.0, 3.0]
    assert said == [
        "left out: 4 of 6 rows: 1 with state PRUNED, 1 with state FAIL, 1 with state RUNNING, "
        "1 with state WAITING"
    ]
    found, _ = losses({"state": ["TrialState.COMPLETE", "TrialState.PRUNED"], "loss": [2.0, 0.1]})
    assert found == [2.0]


def test_trials_of_weights_and_biases():
    states = ["finished", "crashed", "failed", "killed", "running"]
    found, said = losses({"State": states, "loss": [2.0, 0.1, "", 0.2, 0.3]})
    assert found == [2.0]
    assert said[0].startswith("left out: 4 of 5 rows: 1 with State crashed")


def test_trials_of_ray_tune():
    found, said = losses({
        "trial_id": ["x", "y", "z"], "training_iteration": [10, 10, 3], "done": [True, False, True],
        "loss": [2.0, 0.1, 0.2],
    })  # fmt: skip
    assert found == [2.0]
    assert said == [
        "left out: 2 of 3 rows: 1 with done False, 1 that ended before the last training_iteration"
    ]
    states = ["TERMINATED", "ERROR", "PENDING", "PAUSED", "RUNNING"]
    assert losses({"status": states, "loss": [2.0, 0, 0, 0, 0]})[0] == [2.0]


def test_reports_of_syne_tune():
    columns = {
        "trial_id": [0, 0, 0, 1, 1, 2, 2, 2], "st_worker_iter": [0, 1, 2, 0, 1, 2, 0, 1],
        "st_status": ["InProgress"] * 5 + ["Completed"] + ["InProgress"] * 2,
        "st_decision": ["CONTINUE"] * 4 + ["STOP"] + ["CONTINUE"] * 3,
        "loss": [0.1, 0.2, 0.5, 0.1, 0.2, 0.6, 0.1, 0.1],
        "lr": [0.1] * 3 + [0.2] * 2 + [0.3] * 3,
    }  # fmt: skip
    found, said = losses(columns)
    assert found == [0.5, 0.6]
    assert said == ["left out: 6 of 8 rows: 5 earlier reports of a trial, 1 with st_decision STOP"]
    columns["st_decision"] = ["CONTINUE"] * 8
    found, said = losses(columns)
    assert found == [0.5, 0.6]
    assert said[0].endswith("1 that ended before the last st_worker_iter")


def test_reports_that_cannot_be_told_apart_are_refused():
    with pytest.raises(TableError, match="several rows at task a, trial_id 0, st_worker_iter 1"):
        losses({"trial_id": [0, 0], "st_worker_iter": [1, 1], "loss": [1, 2]})
    with pytest.raises(TableError, match="st_worker_iter 'x' is not a number, in row 2"):
        losses({"trial_id": [0, 1], "st_worker_iter": [1, "x"], "loss": [1, 2]})


@pytest.mark.parametrize(
    "state",
    ["EARLY_STOPPED", "ABANDONED", "StatusType.TIMEOUT", "Error", "preempted", "USER_CANCELED"],
)
def test_states_of_other_tools(state):
    assert losses({"status": ["SUCCESS", state], "loss": [2.0, 0.1]})[0] == [2.0]


def test_where_on_a_column_decides_about_its_rows():
    columns = {"state": ["COMPLETE", "PRUNED", "FAIL"], "loss": [2.0, 0.1, None]}
    about = {**ABOUT, "where": {"state": ["COMPLETE", "PRUNED"]}}
    assert losses(columns, about) == ([2.0, 0.1], [])


def test_unknown_states_are_refused():
    with pytest.raises(TableError, match=r"t\.csv: state 'odd' in row 2 is not a state .* `where`"):
        losses({"state": ["COMPLETE", "odd"], "loss": [1, 2]})
    with pytest.raises(TableError, match=r"state (None|nan) in row 2"):
        losses({"state": ["COMPLETE", None], "loss": [1, 2]})


@pytest.mark.parametrize(
    "columns", [{"state": ["Texas", "Ohio"]}, {"done": ["yes", "no"]}, {"status": [1, 2]}]
)
def test_other_columns_of_these_names_say_nothing(columns):
    assert losses({**columns, "loss": [1, 2]}) == ([1, 2], [])


def test_a_table_without_a_finished_trial_is_refused():
    words = "no finished trial is left. Left out: 2 of 2 rows: 2 with state PRUNED"
    with pytest.raises(TableError, match=words):
        losses({"state": ["PRUNED", "PRUNED"], "loss": [1, 2]})
