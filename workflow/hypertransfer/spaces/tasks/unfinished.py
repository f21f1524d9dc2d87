"""Trials of a table that did not finish, as tuners export them: their losses are no results.

Optuna writes a column `state` (COMPLETE, PRUNED, RUNNING, WAITING, FAIL), and gives a pruned trial
the value that it was pruned at. W&B writes `State` (finished, crashed, failed, killed, running).
Ray Tune writes `done`, `training_iteration`, and in its status tables `status` (TERMINATED, ERROR,
PENDING, PAUSED). Syne Tune writes a row for each report of a trial, with `st_worker_iter`,
`st_status` and `st_decision`. Ax, MLflow, NNI and SMAC have states of the same meaning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pandas as pd

from hypertransfer.spaces.tasks.table_file import number
from hypertransfer.spaces.tasks.tables import TableError

STATES = ("state", "status", "trial_state", "trial_status", "st_status", "st_decision")
FINISHED = frozenset(
    {"complete", "completed", "finished", "terminated", "success", "succeeded", "done", "ok"}
)
DIVERGED = "diverged"
UNFINISHED = frozenset({
    "pruned", "running", "waiting", "fail", "failed", "failure", "crash", "crashed", "killed",
    "preempted", "preempting", "pending", "queued", "scheduled", "error", "errored", "pause",
    "paused", "stop", "stopped", "stopping", "inprogress", "cancelled", "canceled", "usercanceled",
    "earlystopped", "abandoned", "timeout", "memout", "staged", "candidate", "infeasible",
})  # fmt: skip
# Syne Tune's last report of a finished trial may have been read while the trial was running.
OF_REPORTS = {"st_status": {"inprogress"}, "st_decision": {"continue"}}
TRIAL = "trial_id"
PROGRESS = ("training_iteration", "st_worker_iter")  # the number of a report of a trial


def finished(
    rows: pd.DataFrame, about: Mapping[str, Any], used: Collection[str], file: str
) -> tuple[pd.DataFrame, list[str]]:
    """The rows of finished trials, and a line on the rows that are left out, if there are any.

    Columns that the description uses in another role, or in `where`, say nothing of the state of a
    trial: `where` decides about their rows.

    Raises:
        TableError: a state is unknown, a report has no number, or no row is left.
    """
    said = [name for name in rows if name not in {*used, *about.get("where", {})}]
    reasons: Counter[str] = Counter()
    progress = next((n for n in said if n in PROGRESS and TRIAL in rows), None)
    count = len(rows)
    if progress:
        rows = _last_reports(rows, [*about["task"], TRIAL], progress, file, reasons)
    for column in said:
        rows = rows[[_counts(*row, reasons) for row in _states(rows, column, file)]]
    if progress:
        steps = rows[progress].map(number)
        least = steps.groupby([rows[name] for name in about["task"]], dropna=False).transform("max")
        reasons[f"that ended before the last {progress}"] += int((steps < least).sum())
        rows = rows[steps >= least]
    parts = [f"{number} {reason}" for reason, number in reasons.items() if number]
    if not parts:
        return rows, []
    text = f"{count - len(rows)} of {count} rows: {', '.join(parts)}"
    if rows.empty:
        raise TableError(f"{file}: no finished trial is left. Left out: {text}")
    return rows, [f"left out: {text}"]


def diverged(rows: pd.DataFrame, used: Collection[str]) -> pd.Series:
    """Whether each row has a state `diverged`."""
    columns = [name for name in rows if name not in used and name.lower() in STATES]
    marks = [rows[name].map(_word) == DIVERGED for name in columns]
    return pd.concat(marks, axis=1).any(axis=1) if marks else pd.Series(False, index=rows.index)


def _last_reports(
    rows: pd.DataFrame, trial: list[str], progress: str, file: str, reasons: Counter[str]
) -> pd.DataFrame:
    """The last report of each trial: earlier ones are intermediate values."""
    steps = rows[progress].map(number)
    if (wrong := steps[steps.isna()]).size:
        row, value = wrong.index[0] + 1, rows[progress][wrong.index[0]]
        raise TableError(f"{file}: {progress} {value!r} is not a number, in row {row}")
    greatest = steps.groupby([rows[name] for name in trial], dropna=False).transform("max")
    last = rows[steps == greatest]
    if (doubles := last[last.duplicated(trial, keep=False)]).size:
        row = doubles.iloc[0]
        text = ", ".join(f"{name} {row[name]}" for name in (*trial, progress))
        raise TableError(f"{file}: several rows at {text}: name what tells them apart in `task`")
    reasons["earlier reports of a trial"] += len(rows) - len(last)
    return last


def _states(rows: pd.DataFrame, column: str, file: str) -> Iterator[tuple[str, str, str]]:
    """Column, state as written, and state as a word, of each row; empty words for no state.

    A column is one of states by its name and if some of its values are known states.
    """
    name = str(column).lower()
    if name == "done" and TRIAL in rows:
        words = [str(value).lower() for value in rows[column]]
        known = set(words) <= {"true", "false"}
        words = ["done" if word == "true" else "running" for word in words] if known else []
    else:
        words = list(map(_word, rows[column])) if name in STATES else []
        words = ["done" if word in OF_REPORTS.get(name, ()) else word for word in words]
    if not any(word in {*FINISHED, DIVERGED, *UNFINISHED} for word in words):
        words = [""] * len(rows)
    for index, value, word in zip(rows.index, rows[column], words, strict=True):
        if word not in {"", *FINISHED, DIVERGED, *UNFINISHED} or (not word and any(words)):
            raise TableError(
                f"{file}: {column} {value!r} in row {index + 1} is not a state that is known: say "
                f"in `where` which values of {column} count"
            )
        yield str(column), str(value), word


def _counts(column: str, value: str, word: str, reasons: Counter[str]) -> bool:
    """Whether a row counts as an evaluation; if not, the reason is counted."""
    if word not in UNFINISHED:
        return True
    reasons[f"with {column} {value}"] += 1
    return False


def _word(state: Any) -> str:
    """A state as a plain word: `TrialState.PRUNED` and `Early stopped` without case and signs."""
    if not isinstance(state, str):
        return ""
    return "".join(c for c in state.rpartition(".")[2].lower() if c.isalnum())
