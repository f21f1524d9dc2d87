"""Several rows of one trial: which is the last report, and how far the trial had come.

Ray Tune numbers the reports of a trial in `training_iteration`. Syne Tune numbers them in
`st_worker_iter`, from 0 again whenever a paused trial resumes. A table of reports that has no
column for its trials is refused, since its rows would be averaged like seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from hypertransfer.spaces.tasks import states
from hypertransfer.spaces.tasks.tables import TableError
from hypertransfer.spaces.tasks.written_values import number

TRIAL = "trial_id"
OF_RAY, OF_SYNE = "training_iteration", "st_worker_iter"
# Columns that count the steps of one training, without regard to case and signs.
STEPS = ("epoch", "step", "global_step", "trainer_global_step", "iteration")
TIMES = ("st_worker_timestamp", "st_tuner_time")
# Columns that tell trainings with equal hyperparameters apart.
RUNS = frozenset({
    TRIAL, "trial", "number", "run_id", "run_name", "run", "id", "name", "uuid", "job_id", "logdir",
    "seed", "random_seed", "random_state", "fold", "split", "repeat", "replicate",
})  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """The columns of a table of reports: those that name a trial, and the number of a report."""

    trial: list[str]
    number: str

    @property
    def of_syne(self) -> bool:
        """Whether Syne Tune wrote the table."""
        return states.name_of(self.number) == OF_SYNE


def columns(rows: pd.DataFrame, judged: Sequence[str], task: Sequence[str]) -> Columns | None:
    """The columns of a table of reports; None for other tables.

    `judged` are the columns that the description does not use; `task` are the columns of the task.
    """
    trial = states.first(list(rows), [TRIAL])
    progress = states.first(judged, [OF_RAY, OF_SYNE])
    if trial is None or progress is None:
        return None
    return Columns(list(dict.fromkeys([*task, trial])), progress)


def last_reports(
    rows: pd.DataFrame, known: Columns, judged: Sequence[str], file: str
) -> tuple[pd.DataFrame, pd.Series]:
    """The last report of each trial, and how far each trial had come.

    Raises:
        TableError: a report has no number, or reports of a trial have the same number.
    """
    numbers = _numbers(rows, known.number, file)
    order, progress = numbers, numbers
    again = rows[known.trial].assign(**{"": numbers}).duplicated(keep=False)
    if known.of_syne and again.any():
        order = _order_of_resumed(rows, known, numbers, again, file)
        counted = states.first(judged, STEPS)  # goes on where `st_worker_iter` begins again
        progress = order if counted is None else _numbers(rows, counted, file)
    greatest = order.groupby([rows[name] for name in known.trial], dropna=False).transform("max")
    last = rows.loc[order == greatest]
    if (doubles := last.duplicated(known.trial, keep=False)).any():
        raise _several(last.loc[doubles].iloc[0], known, file)
    return last, progress[last.index]


def check_no_histories(
    rows: pd.DataFrame, judged: Sequence[str], task: Sequence[str], tuned: Sequence[str], file: str
) -> None:
    """Check that rows which would be averaged are not reports of one training.

    Raises:
        TableError: rows of one training, with equal hyperparameters, differ in a number of steps.
    """
    runs = [name for name in judged if states.name_of(name) in RUNS]
    keys = [rows[name].map(str) for name in (*task, *tuned, *runs)]
    for name in judged:
        if states.name_of(name) not in (OF_RAY, OF_SYNE, *STEPS):
            continue
        steps = rows[name].map(number)
        different = steps.groupby(keys).transform("nunique") > 1
        if different.any():
            row = rows.loc[different].iloc[0]
            text = ", ".join(f"{key} {row[key]}" for key in (*task, *tuned))
            raise TableError(
                f"{file}: several rows at {text} differ in {name}, as reports of one training do: "
                f"keep the last row of each training, or select rows by `where`, in which "
                f"{name}: {{min: 0}} takes all"
            )


def _numbers(rows: pd.DataFrame, column: str, file: str) -> pd.Series:
    numbers = rows[column].map(number)
    if (wrong := numbers[numbers.isna()]).size:
        row, value = wrong.index[0] + 1, rows[column][wrong.index[0]]
        raise TableError(f"{file}: {column} {value!r} is not a number, in row {row}")
    return numbers


def _order_of_resumed(
    rows: pd.DataFrame, known: Columns, numbers: pd.Series, again: pd.Series, file: str
) -> pd.Series:
    """Numbers of reports that go on where a paused trial resumes.

    Only a trial with a number twice has resumed; its reports are in the order of their times, or of
    the rows.
    """
    time = states.first(list(rows), TIMES)
    times = pd.Series(range(len(rows)), rows.index) if time is None else rows[time].map(number)
    decision = states.first(list(rows), [states.DECISION])
    order = numbers.copy()
    keys = [rows[name] for name in known.trial]
    resumed = rows.loc[again.groupby(keys, dropna=False).transform("any")]
    for _, part in resumed.groupby(known.trial, sort=False, dropna=False):
        before, previous = 0.0, None
        for index in times[part.index].sort_values(kind="stable").index:
            if previous is not None and numbers[index] <= numbers[previous]:
                paused = decision is not None and states.word(rows.at[previous, decision])
                if numbers[index] != 0 or paused != "pause":
                    raise _several(rows.loc[index], known, file)
                before = order[previous] + 1
            order[index] = before + numbers[index]
            previous = index
    return order


def _several(row: pd.Series, known: Columns, file: str) -> TableError:
    text = ", ".join(f"{name} {row[name]}" for name in (*known.trial, known.number))
    return TableError(f"{file}: several rows at {text}: name what tells them apart in `task`")
