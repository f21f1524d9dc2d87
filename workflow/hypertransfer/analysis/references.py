"""Results of searches beside those of a reference, such as an independent replication."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypertransfer.analysis.estimate import Estimate, exact
from hypertransfer.analysis.intervals import over_seeds
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import pandas as pd
from hypertransfer.analysis.spaces import GROUP, evaluations_to

BASE = "random"  # the method whose last mean regret others reach


@dataclass(frozen=True)
class Compared:
    """A quantity of one search, with the reference's value and ours.

    Attributes:
        replay: name of the replay.
        method: name of the method.
        quantity: what is compared, in words.
        theirs: the reference's value.
        ours: our value, over groups of tasks; None if this scale does not measure it.
    """

    replay: str
    method: str
    quantity: str
    theirs: float
    ours: Estimate | None


def compared(
    entry: Mapping[str, Any], replays: pd.DataFrame, regions: pd.DataFrame
) -> Iterator[Compared]:
    """The quantities of an entry of a study's `comparisons`, beside those of the tables.

    Ours are means over the repeats of each task, and then over tasks, whatever their group. Their
    intervals are over groups, of which each is left out in turn.
    """
    place = (entry["replay"], entry["method"])
    curves = task_curves(replays, *place)
    for at, theirs in zip(entry.get("at", ()), entry.get("regrets", ()), strict=True):
        run = curves is not None and at <= len(curves.columns)
        ours = _mean(curves[at]) if run else None
        yield Compared(*place, f"mean regret after {at}", theirs, ours)
    if "evaluations" in entry:
        base = task_curves(replays, entry["replay"], BASE)
        text = f"evaluations to the last regret of {BASE}"
        yield Compared(*place, text, entry["evaluations"], _evaluations(curves, base))
    if "share" in entry:
        named = (regions["replay"] == entry["replay"]) & (regions["region"] == entry["region"])
        means = regions[named].groupby([GROUP, "task"])["share"].mean()
        ours = _mean(means) if len(means) else None
        yield Compared(*place, "share of all settings", entry["share"], ours)


def _evaluations(curves: pd.DataFrame | None, base: pd.DataFrame | None) -> Estimate | None:
    """The evaluations to the last mean regret of a base; None if either was not run."""
    if curves is None or base is None:
        return None
    return exact(evaluations_to(curves.mean().to_numpy(), float(base.mean().iloc[-1])))


def task_curves(replays: pd.DataFrame, replay: str, method: str) -> pd.DataFrame | None:
    """Mean regrets over the repeats of each task; None if the replay has no such method.

    Rows are tasks, with their groups, and columns the numbers of evaluations.
    """
    rows = replays[(replays["replay"] == replay) & (replays["method"] == method)]
    if rows.empty:
        return None
    regrets = pd.DataFrame(np.stack(list(rows["regrets"])), rows.index)
    regrets.columns = regrets.columns + 1
    return regrets.groupby([rows[GROUP], rows["task"]]).mean()


def _mean(values: pd.Series) -> Estimate:
    """The mean over tasks, with its interval over groups."""
    groups: Sequence[np.ndarray] = [part.to_numpy(float) for _, part in values.groupby(level=GROUP)]

    def mean(rows: np.ndarray) -> Estimate:
        return exact(float(np.concatenate([groups[row] for row in rows]).mean()))

    return over_seeds(mean, len(groups), over="groups")
