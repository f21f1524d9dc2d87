"""Searches for hyperparameters: progress, multipliers of modules, gains, losses along a line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence

from hypertransfer.analysis.additive import column_means
from hypertransfer.analysis.estimate import AnalysisError, Estimate
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import pandas as pd
from hypertransfer.analysis.tables import need

OUTSIDE = ("embedding", "readout")  # groups of modules outside the blocks
DEPTH = re.compile(r"depth\d+")  # the names of nodes over the depth


def progress(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """A table of the trials of each method by the method's name, numbered from 1 in each search.

    The columns are `seed`, which tells independent searches apart, `loss`, which may be +inf, and
    `best`, the least loss of the search so far.
    """
    ordered = runs.sort_values(["seed", "generation", "trial"])
    losses = ordered["final_loss"].astype(float)
    searches = ordered.groupby(["method", "seed"])
    table = pd.DataFrame(
        {
            "method": ordered["method"],
            "seed": ordered["seed"],
            "trial": searches.cumcount() + 1,
            "loss": losses,
            "best": losses.groupby([ordered["method"], ordered["seed"]]).cummin(),
        }
    ).set_index("trial")
    return {name: part.drop(columns="method") for name, part in table.groupby("method", sort=False)}


def best_proposal(runs: pd.DataFrame) -> dict[str, float]:
    """The proposal, a number for each label, of the trial with the least final loss.

    Numbers are means over the best trials of independent searches, which differ in the seed.
    """
    best = runs.loc[runs.groupby("seed")["final_loss"].idxmin(), "proposal"].map(json.loads)
    return pd.DataFrame(list(best)).mean().to_dict()


def multiplier_maps(
    proposal: Mapping[str, float], places: Sequence[float]
) -> dict[str, pd.DataFrame]:
    """Multipliers of each hyperparameter in octaves: a row for each group, a column for each place.

    `proposal` holds octaves under labels such as `lr/query` (a group of modules) and `lr/depth0` (a
    node over the depth). `places` are relative depths, from 0 for the first block to 1 for the
    last. Octaves over the depth are interpolated linearly between equally spaced nodes, and added
    to those of groups inside the blocks.
    """
    maps = {}
    for name in dict.fromkeys(label.partition("/")[0] for label in proposal):
        parts = {
            label.partition("/")[2]: octaves
            for label, octaves in proposal.items()
            if label.partition("/")[0] == name
        }
        nodes = [octaves for part, octaves in parts.items() if DEPTH.fullmatch(part)] or [0.0]
        groups = {part: v for part, v in parts.items() if part and not DEPTH.fullmatch(part)}
        along = np.interp(places, np.linspace(0, 1, len(nodes)), nodes)
        inside = [0.0 if group in OUTSIDE else 1.0 for group in groups]
        values = np.array(list(groups.values()))[:, None] + np.outer(inside, along)
        maps[name] = pd.DataFrame(values, list(groups), places)
    return maps


def gains_over(runs: pd.DataFrame, reference: str) -> pd.DataFrame:
    """The loss of a reference method minus that of each other method, by target and seed."""
    losses = runs.pivot_table(index=["target", "seed"], columns="method", values="final_loss")
    return -losses.drop(columns=reference).sub(losses[reference], axis=0)


def losses_along(runs: pd.DataFrame, along: str, loss: str = "final_loss") -> pd.DataFrame:
    """Losses along a line, with a row for each seed and a column for each place."""
    return runs.pivot(index="seed", columns=along, values=loss).sort_index()


def losses_by_group(runs: pd.DataFrame, along: str, between: str, loss: str) -> list[pd.DataFrame]:
    """Losses along a line (see `losses_along`) for each value of the column `between`.

    Raises:
        AnalysisError: there are fewer than two values, or their seeds differ.
    """
    need("runs", runs, (along, between, "seed", "status", loss))
    diverged = runs["status"] == "diverged"
    runs = runs.assign(**{loss: runs[loss].astype(float).mask(diverged, math.inf)})
    groups = [losses_along(part, along, loss) for _, part in runs.groupby(between)]
    if len(groups) < 2 or any(not group.index.equals(groups[0].index) for group in groups):
        raise AnalysisError(f"at least two values of {between} with the same seeds are needed")
    return groups


def minimum(losses: pd.DataFrame, seeds: np.ndarray | slice = slice(None)) -> float:
    """The place, among those tried, with the least mean loss over the chosen seeds."""
    return losses.columns[np.nanargmin(column_means(losses.to_numpy(float)[seeds]))]


def minimum_shift(groups: Sequence[pd.DataFrame], seeds: np.ndarray) -> Estimate:
    """The largest distance between groups in the place of least mean loss.

    The least of a group lies within half a step of the place tried, or beyond the first or last.
    """
    places = [_bounds(losses.columns.to_numpy(float), minimum(losses, seeds)) for losses in groups]
    values, lows, highs = zip(*places, strict=True)
    pairs = [(i, j) for i in range(len(places)) for j in range(len(places)) if i != j]
    low = max(0.0, *(lows[i] - highs[j] for i, j in pairs))
    high = max(highs[i] - lows[j] for i, j in pairs)
    return Estimate(float(max(values) - min(values)), low, high)


def _bounds(tried: np.ndarray, place: float) -> tuple[float, float, float]:
    """A place of least loss, and the middles between it and its neighbours; ±inf at an end."""
    i = int(np.flatnonzero(tried == place)[0])
    low = (tried[i - 1] + place) / 2 if i else -math.inf
    return place, low, (place + tried[i + 1]) / 2 if i + 1 < len(tried) else math.inf
