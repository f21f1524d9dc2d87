"""Trials of a table that did not finish, as tuners export them: their losses are no results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from hypertransfer.spaces.tasks import reports, states
from hypertransfer.spaces.tasks.tables import TableError

EARLIER = "earlier reports of a trial"  # a reason to leave rows out
# Last words of hyperparameters that say how long a trial is trained.
LENGTHS = frozenset(
    {"epoch", "epochs", "step", "steps", "iter", "iters", "iteration", "iterations"}
)


def finished(
    rows: pd.DataFrame, about: Mapping[str, Any], used: Collection[str], file: str
) -> tuple[pd.DataFrame, list[str]]:
    """The rows of finished trials, and lines on what is left out and on what cannot be known.

    Columns that the description uses in another role, or in `where`, say nothing of the state of a
    trial: `where` decides about their rows.

    Raises:
        TableError: a state is unknown, a report has no number, no row is left, or rows that would
            be averaged are reports of one training.
    """
    judged = [name for name in rows if name not in {*used, *about.get("where", {})}]
    known = reports.columns(rows, judged, about["task"])
    tally, count, progress = _Tally(), len(rows), None
    if known:
        rows, progress = reports.last_reports(rows, known, judged, file)
        tally.reasons[EARLIER] += count - len(rows)
    for column in judged:
        rows = rows.loc[~_left_out(rows, column, known, tally, file)]
    if known:
        progress = progress[rows.index]
        if tally.reasons[EARLIER] and not _steps_are_tuned(about["dimensions"]):
            rows = _as_far_as_the_longest(rows, progress, known, about["task"], tally)
        else:
            tally.short = set(rows.index[_short(rows, progress, about["task"], tally)])
    else:
        reports.check_no_histories(rows, judged, about["task"], list(about["dimensions"]), file)
    parts = [f"{number} {reason}" for reason, number in tally.reasons.items() if number]
    text = f"{count - len(rows)} of {count} rows: {', '.join(parts)}"
    if parts and rows.empty:
        raise TableError(f"{file}: no finished trial is left. Left out: {text}")
    return rows, [*([f"left out: {text}"] if parts else []), *tally.notes(rows, known)]


def diverged(rows: pd.DataFrame, used: Collection[str]) -> pd.Series:
    """Whether each row has a state `diverged`."""
    columns = [n for n in rows if n not in used and states.name_of(n) in states.STATES]
    marks = [rows[name].map(states.word) == states.DIVERGED for name in columns]
    return pd.concat(marks, axis=1).any(axis=1) if marks else pd.Series(False, index=rows.index)


@dataclass
class _Tally:
    """What is found out about the rows of a table.

    Attributes:
        reasons: number of rows that are left out, by reason.
        completed: rows whose trial ended by itself, however many reports it made.
        stopped: rows whose trial the tuner stopped.
        not_done: rows with `done` False.
        short: rows whose trial ended before the longest of its task, and may be finished.
    """

    reasons: Counter[str] = field(default_factory=Counter)
    completed: set[Any] = field(default_factory=set)
    stopped: set[Any] = field(default_factory=set)
    not_done: set[Any] = field(default_factory=set)
    short: set[Any] = field(default_factory=set)

    def notes(self, rows: pd.DataFrame, known: reports.Columns | None) -> list[str]:
        """Lines on the rows that count and whose trials may not have finished."""
        running = (
            "with done False, which Ray Tune also writes for trials that returned; leave out "
            "trials that failed or are running by `where`"
        )
        stopped = (
            f"whose trial ended before the longest, by {known.number}; leave out trials that were "
            "stopped by `where`"
            if known
            else ""
        )
        counts = [(self.not_done, running), (self.short, stopped)]
        numbers = [(int(rows.index.isin(counted).sum()), text) for counted, text in counts]
        return [f"counted: {n} of {len(rows)} rows {text}" for n, text in numbers if n]


def _left_out(
    rows: pd.DataFrame, column: str, known: reports.Columns | None, tally: _Tally, file: str
) -> pd.Series:
    """Whether a column says of each row that its trial did not finish; `tally` takes what it says.

    That Syne Tune stopped a trial, or that Ray Tune did not, decides nothing by itself where
    reports are numbered: both stop trials that have come to the end. `done` of Ray Tune decides
    nothing either: a report is logged with False before it is known that the trainable returns, and
    with True for a trial that a scheduler stopped.
    """
    name, values = states.name_of(column), rows[column]
    if name == states.DONE and states.first(list(rows), [reports.TRIAL]) is not None:
        running = pd.Series(states.flags(values) or "", index=rows.index) == "running"
        tally.not_done |= set(rows.index[running])
        return pd.Series(False, index=rows.index)
    words = pd.Series(states.words(values, file) or "", index=rows.index)
    if known and known.of_syne and name == states.DECISION:
        tally.stopped |= set(rows.index[words == "stop"])
        words = words.mask(words == "stop", "")
    if name == "st_status":
        tally.completed |= set(rows.index[words == "completed"])
    return _counted(words.isin(states.UNFINISHED), values, tally)


def _counted(left_out: pd.Series, values: pd.Series, tally: _Tally) -> pd.Series:
    """The mask of the rows that are left out, whose values are counted as reasons."""
    name = str(values.name)
    tally.reasons.update(f"with {name.strip()} {states.shown(name, v)}" for v in values[left_out])
    return left_out


def _as_far_as_the_longest(
    rows: pd.DataFrame,
    progress: pd.Series,
    known: reports.Columns,
    task: list[str],
    tally: _Tally,
) -> pd.DataFrame:
    """The rows of trials that came as far as the longest of their task, or ended by themselves."""
    short = _short(rows, progress, task, tally)
    early = f"that ended before the last {known.number}"
    tally.reasons.update(
        "with st_decision STOP" if index in tally.stopped else early for index in rows.index[short]
    )
    return rows.loc[~short]


def _short(rows: pd.DataFrame, progress: pd.Series, task: list[str], tally: _Tally) -> pd.Series:
    """Whether a trial ended before the longest of its task, and is not known to have completed."""
    most = progress.groupby([rows[name] for name in task], dropna=False).transform("max")
    return (progress < most) & ~rows.index.isin(tally.completed - tally.stopped)


def _steps_are_tuned(dimensions: Iterable[str]) -> bool:
    """Whether a hyperparameter is the length of a training, so that short trials are finished."""
    parts = [states.name_of(name).split("_") for name in dimensions]
    return any(p[-1] in LENGTHS and not {"warmup", "decay"} & set(p) for p in parts)
