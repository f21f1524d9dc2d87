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


@pytest.mark.parametrize("kind", [int, float, str])
def test_states_of_optuna_as_numbers(kind):
    """A table of `trial.state` has the numbers of an IntEnum: RUNNING 0 to WAITING 4."""
    columns = {"state": list(map(kind, [1, 2, 3, 1, 0, 4])), "loss": [2, 0.1, None, 3, None, None]}
    found, said = losses(columns)
    assert found == [2.0, 3.0]
    assert said == [
        f"left out: 4 of 6 rows: 1 with state {kind(2)} (PRUNED), 1 with state {kind(3)} (FAIL), "
        f"1 with state {kind(0)} (RUNNING), 1 with state {kind(4)} (WAITING)"
    ]


@pytest.mark.parametrize(
    "columns",
    [{"status": [1, 2]}, {"status": ["1", "2"]}, {"state": [1, 7]}, {"state": [True, False]},
     {"state": [1, "COMPLETE"]}, {"run_state": [0, 1]}],
)  # fmt: skip
def test_numbers_without_a_known_meaning_are_refused(columns):
    (name,) = columns
    words = f"{name} .* in row 1 is a number .* say in `where` which values of {name} count"
    with pytest.raises(TableError, match=words):
        losses({**columns, "loss": [1, 2]})
    about = {**ABOUT, "where": {name: columns[name]}}
    assert losses({**columns, "loss": [1, 2]}, about) == ([1, 2], [])


@pytest.mark.parametrize(
    ("name", "complete", "pruned"),
    [
        (" state", "COMPLETE", "PRUNED"), ("Trial State", "COMPLETE", "PRUNED"),
        ("trial.state", "COMPLETE", "PRUNED "), ("run_state", "finished", "crashed"),
        ("job_status", "SUCCEEDED", "FAILED"), ("state", b"COMPLETE", b"PRUNED"),
        ("state", "<TrialState.COMPLETE: 1>", "<TrialState.PRUNED: 2>"),
    ],
)  # fmt: skip
def test_columns_and_values_that_are_written_differently(name, complete, pruned):
    found, said = losses({name: [complete, pruned], "loss": [2.0, 0.1]})
    assert found == [2.0]
    text = pruned.decode() if isinstance(pruned, bytes) else pruned.strip()
    assert said == [f"left out: 1 of 2 rows: 1 with {name.strip()} {text}"]


def test_trials_of_weights_and_biases():
    states = ["finished", "crashed", "failed", "killed", "running"]
    found, said = losses({"State": states, "loss": [2.0, 0.1, "", 0.2, 0.3]})
    assert found == [2.0]
    assert said[0].startswith("left out: 4 of 5 rows: 1 with State crashed")


# `tuner.fit().get_dataframe()` of Ray Tune 2.60. It logs a report before it knows whether the
# function returns, so that `done` is True only where Ray Tune itself ended the trial.
RAY = {
    "trial_id": ["x", "y", "z"], "training_iteration": [4, 4, 4], "done": [False] * 3,
    "checkpoint_dir_name": [None] * 3, "loss": [0.04, 0.4, 1.2],
}  # fmt: skip
NOT_DONE = "rows with done False, which Ray Tune also writes for trials that returned"


def test_functions_of_ray_tune_that_return():
    found, said = losses(RAY)
    assert found == [0.04, 0.4, 1.2]
    assert len(said) == 1
    assert said[0].startswith(f"counted: 3 of 3 {NOT_DONE}")
    columns = {**RAY, "training_iteration": [95, 87, 95], "done": [False, False, True]}
    found, said = losses(columns)
    assert found == [0.04, 0.4, 1.2], "a function may return after 87 reports"
    assert said[0].startswith(f"counted: 2 of 3 {NOT_DONE}")
    assert said[1:] == [f"counted: 1 of 3 {SHORT}"]


SHORT = (
    "rows whose trial ended before the longest, by training_iteration; leave out trials that were "
    "stopped by `where`"
)
# Three trials of which the first reported twice.
HISTORY = {
    "trial_id": ["x", "x", "y", "z"], "training_iteration": [1, 4, 4, 2], "done": [True] * 4,
    "loss": [9.0, 0.04, 0.4, 1.2],
}  # fmt: skip


def test_trials_of_ray_tune_that_a_scheduler_ended():
    found, said = losses(HISTORY)
    assert found == [0.04, 0.4]
    assert said == [
        "left out: 2 of 4 rows: 1 earlier reports of a trial, 1 that ended before the last "
        "training_iteration"
    ]
    states = ["TERMINATED", "ERROR", "PENDING", "PAUSED", "RUNNING"]
    assert losses({"status": states, "loss": [2.0, 0, 0, 0, 0]})[0] == [2.0]


@pytest.mark.parametrize("flags", [["True", "FALSE"], ["1", "0"], ["1", ""], [1.0, None]])
def test_a_flag_alone_does_not_tell_which_trials_finished(flags):
    """False is of a function that returned, or of a trial that runs; True may be stopped."""
    columns = {"trial_id": ["x", "y"], "done": flags, "loss": [2.0, 0.1]}
    found, said = losses(columns)
    assert found == [2.0, 0.1]
    assert len(said) == 1
    assert said[0].startswith(f"counted: 1 of 2 {NOT_DONE}")


@pytest.mark.parametrize(
    ("name", "tuned"),
    [("epochs", True), ("config/max_epochs", True), ("num_steps", True), ("warmup_steps", False),
     ("step_size", False)],
)  # fmt: skip
def test_trials_are_as_long_as_a_hyperparameter_says(name, tuned):
    dimensions = {**ABOUT["dimensions"], name: {"low": 1, "high": 9, "integer": True}}
    about = {**ABOUT, "dimensions": dimensions}
    found, said = losses({**HISTORY, name: [4, 4, 4, 2]}, about)
    assert sorted(found) == ([0.04, 0.4, 1.2] if tuned else [0.04, 0.4])
    assert (f"counted: 1 of 3 {SHORT}" in said) == tuned


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


def syne(*rows):
    """Columns as Syne Tune's results have them, of rows (trial, iteration, loss, decision, status).

    A status is that of the time at which the report was fetched, before the decision.
    """
    names = ("trial_id", "st_worker_iter", "loss", "st_decision", "st_status")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return {**columns, "lr": [0.1 * (trial + 1) for trial in columns["trial_id"]]}


RUNS, ENDED = "InProgress", "Completed"


def test_syne_tune_stops_trials_that_are_at_the_end():
    """ASHA with max_t 3 stops the trials 0 and 2 at their last epoch; the trial 3 still runs."""
    columns = syne(
        (0, 0, 1.5, "CONTINUE", RUNS), (1, 0, 1.9, "STOP", RUNS), (0, 1, 1.0, "CONTINUE", RUNS),
        (0, 2, 0.8, "STOP", RUNS), (2, 0, 1.4, "CONTINUE", RUNS), (2, 1, 0.9, "CONTINUE", ENDED),
        (2, 2, 0.7, "STOP", ENDED), (3, 0, 0.1, "CONTINUE", RUNS),
    )  # fmt: skip
    found, said = losses(columns)
    assert found == [0.8, 0.7]
    assert said == [
        "left out: 6 of 8 rows: 4 earlier reports of a trial, 1 with st_decision STOP, "
        "1 that ended before the last st_worker_iter"
    ]


PAUSED = syne(
    (0, 0, 0.9, "CONTINUE", RUNS), (0, 1, 0.8, "CONTINUE", RUNS), (0, 2, 0.7, "PAUSE", RUNS),
    (1, 0, 0.1, "PAUSE", RUNS), (0, 0, 0.6, "CONTINUE", ENDED),
)  # fmt: skip


def test_syne_tune_numbers_reports_anew_when_a_trial_resumes():
    found, said = losses(PAUSED)
    assert found == [0.6]
    assert said == ["left out: 4 of 5 rows: 3 earlier reports of a trial, 1 with st_decision PAUSE"]
    times = {**PAUSED, "st_worker_timestamp": [1.0, 2.0, 3.0, 1.5, 4.0]}
    reversed_rows = {name: values[::-1] for name, values in times.items()}
    assert losses(reversed_rows)[0] == [0.6], "times say the order, where there are times"


def test_resumed_trials_are_as_far_as_their_epochs_say():
    """The trial 0 goes on from its checkpoint, the trial 1 from the beginning."""
    columns = syne(
        (0, 0, 0.9, "PAUSE", RUNS), (1, 0, 0.8, "PAUSE", RUNS), (2, 0, 0.1, "STOP", RUNS),
        (0, 0, 0.6, "CONTINUE", RUNS), (0, 1, 0.5, "STOP", RUNS), (1, 0, 0.8, "CONTINUE", RUNS),
        (1, 1, 0.7, "CONTINUE", RUNS), (1, 2, 0.4, "STOP", RUNS),
    )  # fmt: skip
    found, _ = losses({**columns, "epoch": [1, 1, 1, 2, 3, 1, 2, 3]})
    assert found == [0.5, 0.4]


def test_two_experiments_are_no_resumed_trial():
    with pytest.raises(TableError, match="several rows at task a, trial_id 0, st_worker_iter 0"):
        losses(syne((0, 0, 0.9, "CONTINUE", RUNS), (0, 1, 0.8, "STOP", RUNS),
                    (0, 0, 0.9, "CONTINUE", RUNS), (0, 1, 0.8, "STOP", RUNS)))  # fmt: skip


@pytest.mark.parametrize("name", ["_step", "epoch", "step", "training_iteration"])
def test_histories_are_not_averaged_like_seeds(name):
    columns = {name: [1, 2], "lr": [0.1, 0.1], "_runtime": [1.5, 2.5], "loss": [9, 1]}
    with pytest.raises(TableError, match=rf"task a, lr 0\.1 differ in {name}, as reports .*where"):
        losses(columns)
    with pytest.raises(TableError, match=f"differ in {name}"):
        losses({**columns, "seed": [0, 0]})
    assert losses({**columns, "seed": [0, 1]})[0] == [5], "two trainings that ended early"
    assert losses({**columns, name: [2, 2]})[0] == [5]
    about = {**ABOUT, "where": {name: {"min": 0}}}
    assert losses(columns, about)[0] == [5], "a condition on the column decides"


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
    "columns",
    [{"state": ["Texas", "Ohio"]}, {"done": ["yes", "no"]}, {"random_state": [1, 2]},
     {"us_state": ["Ohio", "failed"]}, {"status": [None, None]}],
)  # fmt: skip
def test_other_columns_of_these_names_say_nothing(columns):
    assert losses({**columns, "loss": [1, 2]}) == ([1, 2], [])


def test_a_table_without_a_finished_trial_is_refused():
    words = "no finished trial is left. Left out: 2 of 2 rows: 2 with state PRUNED"
    with pytest.raises(TableError, match=words):
        losses({"state": ["PRUNED", "PRUNED"], "loss": [1, 2]})


def test_columns_after_the_one_that_leaves_all_rows_out_are_read():
    columns = {"state": ["PRUNED"], "user_attrs_a": ["x"], "user_attrs_b": ["y"], "loss": [1]}
    with pytest.raises(TableError, match="no finished trial is left"):
        losses(columns)
