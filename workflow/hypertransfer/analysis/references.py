"""Results of searches beside those of a reference, such as an independent replication."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hypertransfer.analysis.estimate import Estimate, exact
from hypertransfer.analysis.intervals import mean_over_seeds
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import pandas as pd
from hypertransfer.analysis.spaces import evaluations_to

BASE = "random"  # the method whose last mean regret others reach


@dataclass(frozen=True)
class Compared:
    """A quantity of one search, with the reference's value and ours.

    Attributes:
        replay: name of the replay.
        method: name of the method.
        quantity: what is compared, in words.
        theirs: the reference's value.
        ours: our value, with its interval over repeats; None if this scale does not measure it.
        tasks, repeats: how many of ours there are.
    """

    replay: str
    method: str
    quantity: str
    theirs: float
    ours: Estimate | None
    tasks: int
    repeats: int


def compared(
    entry: Mapping[str, Any], replays: pd.DataFrame, regions: pd.DataFrame
) -> Iterator[Compared]:
    """The quantities of an entry of a study's `comparisons`, beside those of the tables.

    Ours are means over tasks and repeats. Their intervals are over repeats: they say what other
    random draws on the same tasks would give, and not what other tasks would give.
    """
    place = (entry["replay"], entry["method"])
    own = replays[(replays["replay"] == place[0]) & (replays["method"] == place[1])]
    counts = own["task"].nunique(), own["repeat"].nunique()
    curves = repeat_curves(replays, *place)
    for at, theirs in zip(entry.get("at", ()), entry.get("regrets", ()), strict=True):
        run = curves is not None and at <= len(curves.columns)
        ours = _mean(curves[at]) if run else None
        yield Compared(*place, f"mean regret after {at}", theirs, ours, *counts)
    if entry.get("evaluations") is not None:
        base = repeat_curves(replays, entry["replay"], BASE)
        text = f"evaluations to the last regret of {BASE}"
        ours = _evaluations(curves, base)
        yield Compared(*place, text, entry["evaluations"], ours, *counts)
    if entry.get("share") is not None:
        named = (regions["replay"] == entry["replay"]) & (regions["region"] == entry["region"])
        means = regions[named].groupby("repeat")["share"].mean()
        counts = regions[named]["task"].nunique(), len(means)
        ours = _mean(means) if len(means) else None
        yield Compared(*place, "share of all settings", entry["share"], ours, *counts)


def _evaluations(curves: pd.DataFrame | None, base: pd.DataFrame | None) -> Estimate | None:
    """The evaluations to the last mean regret of a base; None if either was not run."""
    if curves is None or base is None:
        return None
    return exact(evaluations_to(curves.mean().to_numpy(), float(base.mean().iloc[-1])))


def repeat_curves(replays: pd.DataFrame, replay: str, method: str) -> pd.DataFrame | None:
    """Mean regrets over the tasks of each repeat; None if the replay has no such method.

    Rows are repeats, and columns the numbers of evaluations.
    """
    rows = replays[(replays["replay"] == replay) & (replays["method"] == method)]
    if rows.empty:
        return None
    regrets = pd.DataFrame(np.stack(list(rows["regrets"])), rows.index)
    regrets.columns = regrets.columns + 1
    return regrets.groupby(rows["repeat"]).mean()


def _mean(values: pd.Series) -> Estimate:
    """The mean over repeats, with its interval."""
    found = mean_over_seeds(values.to_numpy(float))
    return replace(found, over="repeats")
