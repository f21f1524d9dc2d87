"""Trials of a table that did not finish, as tuners export them: their losses are no results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from hypertransfer.spaces.tasks import reports, states
from hypertransfer.spaces.tasks.tables import TableError


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
        tally.reasons["earlier reports of a trial"] += count - len(rows)
    for column in judged:
        rows = rows.loc[~_left_out(rows, column, known, tally, file)]
    if known:
        rows = _as_far_as_the_longest(rows, progress[rows.index], known, about["task"], tally)
    else:
        reports.check_no_histories(rows, judged, about["task"], list(about["dimensions"]), file)
    parts = [f"{number} {reason}" for reason, number in tally.reasons.items() if number]
    text = f"{count - len(rows)} of {count} rows: {', '.join(parts)}"
    if parts and rows.empty:
        raise TableError(f"{file}: no finished trial is left. Left out: {text}")
    return rows, [*([f"left out: {text}"] if parts else []), *tally.notes(rows)]


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
    """

    reasons: Counter[str] = field(default_factory=Counter)
    completed: set[Any] = field(default_factory=set)
    stopped: set[Any] = field(default_factory=set)
    not_done: set[Any] = field(default_factory=set)

    def notes(self, rows: pd.DataFrame) -> list[str]:
        """A line on the rows that count and whose trials may be running."""
        count = int(rows.index.isin(self.not_done).sum())
        text = (
            f"counted: {count} of {len(rows)} rows with done False, which Ray Tune also writes for "
            "trials that returned; leave out trials that failed or are running by `where`"
        )
        return [text] if count else []


def _left_out(
    rows: pd.DataFrame, column: str, known: reports.Columns | None, tally: _Tally, file: str
) -> pd.Series:
    """Whether a column says of each row that its trial did not finish; `tally` takes what it says.

    That Syne Tune stopped a trial, or that Ray Tune did not, decides nothing by itself where
    reports are numbered: both stop trials that have come to the end.
    """
    name, values = states.name_of(column), rows[column]
    if name == states.DONE and states.first(list(rows), [reports.TRIAL]) is not None:
        return _left_out_by_done(values, known, tally)
    words = pd.Series(states.words(values, file) or "", index=rows.index)
    if known and known.of_syne and name == states.DECISION:
        tally.stopped |= set(rows.index[words == "stop"])
        words = words.mask(words == "stop", "")
    if name == "st_status":
        tally.completed |= set(rows.index[words == "completed"])
    return _counted(words.isin(states.UNFINISHED), values, tally)


def _left_out_by_done(values: pd.Series, known: reports.Columns | None, tally: _Tally) -> pd.Series:
    """Ray Tune logs a report before it is known that the trainable returns, thus with `done` False.

    It writes True for a trial that a scheduler or a stopping criterion ended, or whose trainable
    reported it.
    """
    running = pd.Series(states.flags(values) or "", index=values.index) == "running"
    if running.all() or known:
        tally.not_done |= set(values.index[running])
        return pd.Series(False, index=values.index)
    return _counted(running, values, tally)


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
    most = progress.groupby([rows[name] for name in task], dropna=False).transform("max")
    ended = rows.index.isin(tally.completed - tally.stopped)
    short = (progress < most) & ~ended
    early = f"that ended before the last {known.number}"
    tally.reasons.update(
        "with st_decision STOP" if index in tally.stopped else early for index in rows.index[short]
    )
    return rows.loc[~short]
