"""Estimates: a value, the interval that the runs leave open, and intervals over seeds.

A bound that the runs leave open, such as that of an optimum on the edge of a grid, is ±inf. Sums of
estimates keep infinite bounds, so that a claim can be decided if the other bound is enough.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import special

LEVEL = 0.95
DRAWS = 2000
EXACT_SEEDS = 5  # up to this number of seeds n all n^n resamples are enumerated, at most 3125


class AnalysisError(ValueError):
    """Runs that cannot be analysed: the message says which runs, and what to do."""


@dataclass(frozen=True)
class Estimate:
    """A value and its interval; a bound that the runs leave open is ±inf.

    The interval holds the values that the runs do not exclude or, after `bootstrap`, is a
    confidence interval over `count` resampled units. `caveat` is a text on the limits of the
    estimate, such as an optimum on the edge of the grid.
    """

    value: float
    low: float
    high: float
    count: int = 0  # resampled units; 0 before any are resampled
    over: str = "seeds"  # the plural noun for the resampled units
    caveat: str = ""
    left_out: int = 0  # units that were run, and cannot be used

    def magnitude(self) -> Estimate:
        """The estimate of |x|; the lower bound is 0 if the bounds of x have different signs."""
        ends = sorted((abs(self.low), abs(self.high)))
        low = 0.0 if self.low <= 0 <= self.high else ends[0]
        return replace(self, value=abs(self.value), low=low, high=ends[1])

    def with_caveats(self, caveats: Iterable[str], left_out: int = 0) -> Estimate:
        """The same estimate with caveats, each once, and the number of units left out."""
        return replace(self, caveat="; ".join(dict.fromkeys(caveats)), left_out=left_out)

    @property
    def is_bounded(self) -> bool:
        """Whether both ends of the interval are finite."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def lower_bound_only(self) -> bool:
        """Whether only a lower bound is known."""
        return math.isfinite(self.low) and self.high == math.inf

    @property
    def upper_bound_only(self) -> bool:
        """Whether only an upper bound is known."""
        return math.isfinite(self.high) and self.low == -math.inf


OPEN = Estimate(math.nan, -math.inf, math.inf)


def exact(value: float) -> Estimate:
    """An estimate whose bounds are equal to its value."""
    return Estimate(value, value, value)


def undetermined(count: int, caveat: str) -> Estimate:
    """An estimate without a value, with the reason as its caveat; `count` seeds were run."""
    return replace(OPEN, count=count, caveat=caveat)


def linear(weights: Sequence[float], estimates: Sequence[Estimate]) -> Estimate:
    """Σ w·x in interval arithmetic; terms of weight 0 are left out, infinite bounds included."""
    terms = [(w, x) for w, x in zip(weights, estimates, strict=True) if w != 0]
    return Estimate(
        math.fsum(w * x.value for w, x in terms),
        math.fsum(min(w * x.low, w * x.high) for w, x in terms),
        math.fsum(max(w * x.low, w * x.high) for w, x in terms),
    )


def mean(estimates: Sequence[Estimate]) -> Estimate:
    """The average; a bound is infinite if that of one of the estimates is."""
    return linear([1 / len(estimates)] * len(estimates), estimates)


def in_units(estimate: Estimate, sigma: float) -> Estimate:
    """A regret over σ: 0 or ±inf if σ is 0; nan with the interval [0, inf] if σ is nan."""
    if math.isnan(sigma):
        return Estimate(math.nan, 0.0, math.inf)
    parts = (estimate.value, estimate.low, estimate.high)
    return Estimate(
        *(part / sigma if sigma else part * math.inf if part else 0.0 for part in parts)
    )


def greatest_coverage(count: int) -> float:
    """The largest probability with which an interval of so many seeds covers a symmetric mean.

    A resample cannot leave the range of the seeds, and with probability 2^(1−n) all n seeds are
    on one side of the mean.
    """
    return 1 - 2.0 ** (1 - count)


def bootstrap(
    statistic: Callable[[np.ndarray], Estimate],
    count: int,
    *,
    generator_seed: int = 0,
    over: str = "seeds",
    draws: int = DRAWS,
    level: float = LEVEL,
) -> Estimate:
    """The statistic of all seeds (or other units), with a percentile interval over resamples.

    `statistic` maps row numbers of seeds to an estimate. A seed is drawn as a whole, with all its
    sizes and learning rates. For up to 5 seeds all resamples are enumerated, for more seeds
    `draws` resamples are drawn at random. The percentiles include infinite bounds of resamples, and
    the interval always contains the bounds of the statistic of all seeds.

    Percentile intervals of few seeds are too narrow; the percentiles are therefore moved out
    until a mean of normal seeds gets Student's interval (Hesterberg, arXiv 1411.5279, the
    expanded percentile interval). Resampling cannot leave the range of the seeds, so the
    interval of a mean of few seeds covers it with at most `greatest_coverage`: 75 % for 3 seeds,
    88 % for 4, 94 % for 5.
    """
    whole = statistic(np.arange(count))
    unique, index = np.unique(_resamples(count, draws, generator_seed), axis=0, return_inverse=True)
    resampled = [statistic(row) for row in unique]
    lows = np.sort(np.array([x.low for x in resampled])[index])
    highs = np.sort(np.array([x.high for x in resampled])[index])
    cut = math.floor(_tail(count, level) * (len(lows) - 1))
    low, high = min(float(lows[cut]), whole.low), max(float(highs[-1 - cut]), whole.high)
    return Estimate(whole.value, low, high, count, over)


def _resamples(count: int, draws: int, generator_seed: int) -> np.ndarray:
    """Row numbers of seeds (resample, count), sorted, so that equal resamples are equal rows."""
    if count <= EXACT_SEEDS:
        rows = np.array(list(itertools.product(range(count), repeat=count)))
    else:
        rows = np.random.default_rng(generator_seed).integers(count, size=(draws, count))
    return np.sort(rows, axis=1)


def _tail(count: int, level: float) -> float:
    """The share of resamples outside either end of the expanded percentile interval."""
    if count < 2:
        return 0.0
    student = special.stdtrit(count - 1, (1 + level) / 2)
    return float(special.ndtr(-math.sqrt(count / (count - 1)) * student))
