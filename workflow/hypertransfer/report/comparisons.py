"""Rows of the table that has ours beside a reference's results, alike in report and scorecard."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hypertransfer.analysis.estimate import Estimate
from hypertransfer.analysis.references import Compared, compared
from hypertransfer.report.numbers import counted

if TYPE_CHECKING:
    import pandas as pd

NOTE = (
    "Ours are means over tasks and repeats. In brackets are {level} intervals over repeats, which "
    "say what other random draws on the same tasks would give; numbers of evaluations have none. "
    "Where the reference has other tasks, an interval does not bound the difference from it. Here "
    "every task and repeat counts alike; claims average within a data set first, so that their "
    "values can differ."
)


def rows(
    study: Mapping[str, Any], replays: pd.DataFrame, regions: pd.DataFrame
) -> list[dict[str, str]]:
    """A row for each quantity of the study's `comparisons`, by the names of columns.

    What an entry says on the difference stands in its first row.
    """
    found: list[dict[str, str]] = []
    for entry in study.get("comparisons", ()):
        difference, source = entry.get("difference", ""), entry["source"]
        for quantity in compared(entry, replays, regions):
            found.append(
                {
                    "replay": quantity.replay,
                    "method": quantity.method,
                    "quantity": quantity.quantity,
                    "reference": f"{quantity.theirs:.3g}",
                    "here": _text(quantity.ours),
                    "over": _counts(quantity) if quantity.ours else "",
                    "difference": difference,
                    "reference from": source,
                }
            )
            difference = source = ""
    return found


def _counts(found: Compared) -> str:
    """What ours is the mean of, such as `50 repeats of 8 tasks`."""
    return f"{counted(found.repeats, 'repeats')} of {counted(found.tasks, 'tasks')}"


def _text(ours: Estimate | None) -> str:
    """Our value with its interval; `not run` for None."""
    if ours is None:
        return "not run"
    if not math.isfinite(ours.value):
        return "not reached"
    if ours.low == ours.high:
        return f"{ours.value:.3g}"
    low, high = (f"{end:.3g}" if math.isfinite(end) else "open" for end in (ours.low, ours.high))
    return f"{ours.value:.3g} ({low} … {high})"
