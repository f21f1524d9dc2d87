"""States of trials as tuners write them: which columns hold them, and what each value means.

Optuna writes a column `state` (COMPLETE, PRUNED, RUNNING, WAITING, FAIL, or their numbers), and
gives a pruned trial the value that it was pruned at. W&B writes `State` (finished, crashed, failed,
killed, running). Ray Tune writes `done`, and in its status tables `status` (TERMINATED, ERROR,
PENDING, PAUSED). Syne Tune writes `st_status` and `st_decision` with each report of a trial. Ax,
MLflow, NNI and SMAC have states of the same meaning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pandas as pd

from hypertransfer.spaces.tasks.tables import TableError
from hypertransfer.spaces.tasks.written_values import number

DONE = "done"
DECISION = "st_decision"
STATES = frozenset({
    "state", "status", "trial_state", "trial_status", "run_state", "run_status", "st_status",
    DECISION,
})  # fmt: skip
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
KNOWN = FINISHED | UNFINISHED | {DIVERGED}
# Syne Tune's last report of a finished trial may have been read while the trial was running.
OF_REPORTS = {"st_status": {"inprogress"}, DECISION: {"continue"}}
# The numbers of optuna.trial.TrialState, which is an IntEnum.
OF_OPTUNA = ("running", "complete", "pruned", "fail", "waiting")
NUMBERED = ("state", "trial_state")
FLAGS = {**dict.fromkeys(("true", "1"), "done"), **dict.fromkeys(("false", "0", ""), "running")}


def name_of(column: object) -> str:
    """A column's name in small letters with single underscores: `trial_state` of `Trial State`."""
    return re.sub(r"[^a-z0-9]+", "_", str(column).lower()).strip("_")


def word(state: Any) -> str:
    """A state as a plain word: `pruned` of `TrialState.PRUNED` and of `<TrialState.PRUNED: 2>`."""
    state = _text(state)
    return _word(state) if isinstance(state, str) else ""


@lru_cache(maxsize=1024)  # a column repeats few states
def _word(state: str) -> str:
    last = state.strip().strip("<>").partition(":")[0].rpartition(".")[2]
    return "".join(c for c in last.lower() if c.isalnum())


def words(values: pd.Series, file: str) -> list[str]:
    """The state of each row in a column, as a word; no words if the column holds no states.

    A column holds states by its name, and if some of its values are known states. If only the end
    of the name says so, all values have to be known.

    Raises:
        TableError: a value is not a state that is known, or is a number without a known meaning.
    """
    name = name_of(values.name)
    found = _words(name, values, file)
    known = [w in KNOWN for w in found]
    if name not in STATES:
        return found if name.endswith(("_state", "_status")) and all(known) else []
    if not any(known):
        return []
    if not all(known):
        raise unknown(values, known.index(False), file, "is not a state that is known")
    return found


def flags(values: pd.Series) -> list[str]:
    """`done` or `running` for each row of a column `done`; no words for other values."""
    found = [_flag(value) for value in values]
    known = any(found) and all(text in FLAGS for text in found)
    return [FLAGS[text] for text in found] if known else []


def shown(column: object, value: Any) -> str:
    """A state as it is written, with the word for a number of Optuna."""
    text = "" if value is None or value != value else str(_text(value)).strip()
    code = number(value) if name_of(column) in NUMBERED else None
    return (text or "(empty)") if code is None else f"{text} ({OF_OPTUNA[int(code)].upper()})"


def unknown(values: pd.Series, place: int, file: str, words: str) -> TableError:
    """An error for the value at a place (counted from 0) of a column of states."""
    name, value = values.name, values.iloc[place]
    return TableError(
        f"{file}: {name} {value!r} in row {values.index[place] + 1} {words}: say in `where` which "
        f"values of {name} count"
    )


def _words(name: str, values: pd.Series, file: str) -> list[str]:
    numbers = [_is_number(value) for value in values]
    if name in STATES and any(numbers):
        if name not in NUMBERED or not all(number(v) in range(len(OF_OPTUNA)) for v in values):
            text = "is a number or a truth value whose meaning is not known"
            raise unknown(values, numbers.index(True), file, text)
        return [OF_OPTUNA[int(number(value) or 0)] for value in values]
    found = list(map(word, values))
    return ["done" if w in OF_REPORTS.get(name, ()) else w for w in found]


def _is_number(value: Any) -> bool:
    """Whether a value is a number, a truth value, or the text of one."""
    text = _text(value)
    if isinstance(text, str):
        return number(text) is not None or text.strip().lower() in ("true", "false")
    found = number(value)
    return isinstance(value, bool) or (found is not None and found == found)


def _flag(value: Any) -> str:
    if value is None or value != value:
        return ""
    as_number = number(value)
    return str(value).strip().lower() if as_number is None else f"{as_number:g}"


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def first(columns: Sequence[Any], names: Sequence[str]) -> Any:
    """The first column that has one of the names, in the order of the names; None without one."""
    known = {name_of(column): column for column in reversed(list(columns))}
    return next((known[name] for name in names if name in known), None)
