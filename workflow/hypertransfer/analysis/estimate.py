"""Estimates: a value and the bounds of what the runs leave open, and intervals over seeds.

An optimum on the edge of a grid is open on that side, and the bounds carry this through every
sum, so that a claim can still be decided where one side is enough.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, stdtrit

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.95
DRAWS = 2000
EXACT_SEEDS = 5  # up to here all n^n resamples are enumerated: 3125


class AnalysisError(ValueError):
    """Runs that cannot be read as a sweep: the message says which, and what to do."""


@dataclass(frozen=True)
class Estimate:
    """A value, and the bounds within which the runs leave it open (equal to it if they do not)."""

    value: float
    low: float
    high: float

    def magnitude(self) -> Estimate:
        """|x|: a bound of 0 where the bounds have different signs."""
        ends = sorted((abs(self.low), abs(self.high)))
        low = 0.0 if self.low <= 0 <= self.high else ends[0]
        return Estimate(abs(self.value), low, ends[1])


OPEN = Estimate(math.nan, -math.inf, math.inf)


def exact(value: float) -> Estimate:
    """A value of which nothing is left open."""
    return Estimate(value, value, value)


def linear(weights: Sequence[float], estimates: Sequence[Estimate]) -> Estimate:
    """Σ w·x in interval arithmetic; a weight of 0 leaves its term out, open bounds and all."""
    terms = [(w, x) for w, x in zip(weights, estimates, strict=True) if w != 0]
    return Estimate(
        math.fsum(w * x.value for w, x in terms),
        math.fsum(min(w * x.low, w * x.high) for w, x in terms),
        math.fsum(max(w * x.low, w * x.high) for w, x in terms),
    )


def mean(estimates: Sequence[Estimate]) -> Estimate:
    """The average; open as soon as one of them is."""
    return linear([1 / len(estimates)] * len(estimates), estimates)


def in_units(estimate: Estimate, sigma: float) -> Estimate:
    """A regret over σ; without σ all is open, and with σ = 0 it is 0 or inf."""
    if math.isnan(sigma):
        return Estimate(math.nan, 0.0, math.inf)
    parts = (estimate.value, estimate.low, estimate.high)
    return Estimate(
        *(part / sigma if sigma else part * math.inf if part else 0.0 for part in parts)
    )


def bootstrap(
    statistic: Callable[[np.ndarray], Estimate],
    seeds: int,
    *,
    generator_seed: int = 0,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> Estimate:
    """The statistic of all seeds, with a percentile interval from resampled seeds.

    `statistic` gets row numbers of seeds. A seed is drawn as a whole, with all its sizes and
    learning rates. Up to 5 seeds all resamples are enumerated, beyond `draws` of them are
    drawn. Bounds that a resample leaves open count as such, and the interval always contains
    the bounds of the statistic itself.

    Percentile intervals of few seeds are too narrow; the percentiles are therefore moved out
    until a mean of normal seeds gets Student's interval (Hesterberg, arXiv 1411.5279, the
    expanded percentile interval). Resampling cannot leave the range of the seeds, so the
    interval of n seeds covers a mean with at most 1 − 2^(1−n): 75 % for 3 seeds, 88 % for 4,
    94 % for 5.
    """
    whole = statistic(np.arange(seeds))
    unique, index = np.unique(_resamples(seeds, draws, generator_seed), axis=0, return_inverse=True)
    found = [statistic(row) for row in unique]
    lows = np.sort(np.array([x.low for x in found])[index])
    highs = np.sort(np.array([x.high for x in found])[index])
    cut = math.floor(_tail(seeds, level) * (len(lows) - 1))
    return Estimate(
        whole.value, min(float(lows[cut]), whole.low), max(float(highs[-1 - cut]), whole.high)
    )


def _resamples(seeds: int, draws: int, generator_seed: int) -> np.ndarray:
    """Rows of seed numbers, sorted, so that equal resamples are equal rows."""
    if seeds <= EXACT_SEEDS:
        rows = np.array(list(itertools.product(range(seeds), repeat=seeds)))
    else:
        rows = np.random.default_rng(generator_seed).integers(seeds, size=(draws, seeds))
    return np.sort(rows, axis=1)


def _tail(seeds: int, level: float) -> float:
    """The share of resamples outside either end of the expanded percentile interval."""
    if seeds < 2:
        return 0.0
    student = stdtrit(seeds - 1, (1 + level) / 2)
    return float(ndtr(-math.sqrt(seeds / (seeds - 1)) * student))


def need(name: str, table: pd.DataFrame, columns: Iterable[str]) -> None:
    """Raise an AnalysisError that names the columns a table lacks."""
    if missing := [column for column in columns if column not in table]:
        raise AnalysisError(
            f"the table {name!r} has no column {', '.join(map(repr, missing))}; "
            f"known: {', '.join(map(str, table))}"
        )
