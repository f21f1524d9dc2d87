"""Estimates: a value, and the interval that the runs leave open.

A bound that the runs leave open, such as that of an optimum on the edge of a grid, is ±inf. Sums of
estimates keep infinite bounds, so that a claim can be decided if the other bound is enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


class AnalysisError(ValueError):
    """Runs that cannot be analysed: the message says which runs, and what to do."""


@dataclass(frozen=True)
class Estimate:
    """A value and its interval; a bound that the runs leave open is ±inf.

    The interval holds the values that the runs do not exclude or, with `count`, is a confidence
    interval over so many units (see `intervals`). `caveat` is a text on the limits of the estimate,
    such as an optimum on the edge of the grid.
    """

    value: float
    low: float
    high: float
    count: int = 0  # units of the interval; 0 if the interval is not over units
    over: str = "seeds"  # the plural noun for the units
    caveat: str = ""
    left_out: int = 0  # units that were run, and cannot be used
    observed: float | None = None  # the value with noise, where noise alone may explain it

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


def singular(noun: str) -> str:
    """The singular of a plural noun for units, such as `seeds` or `searches`."""
    return "search" if noun == "searches" else noun.removesuffix("s")


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
