"""Intervals that more units, such as seeds, would have, and the power of a test.

`precision` tells the part of an interval that shrinks with the number of units from the part that
does not, such as a step of the grid. From it follow the chance that more units decide a claim, the
number of units that do if the value stays as it is, and the power of the test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from hypertransfer.analysis.contrasts import estimated_deviations
from hypertransfer.analysis.estimate import Estimate
from hypertransfer.analysis.intervals import FEWEST, LEVEL, quantile
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import special

NARROW = 0.5  # level of the second interval, whose width tells the two parts apart
MOST_UNITS = 10_000
# Why no number of units decides a claim.
OPEN_END, FIXED, ON_BAR = ("an end is open", "a part stays", "the value is on the bar")


class Bar(NamedTuple):
    """The ends of a bar; ±inf where the bar has no end."""

    low: float = -math.inf
    high: float = math.inf


class Chance(NamedTuple):
    """The probabilities that a claim holds and that the claim fails, with more units."""

    holds: float = 0.0
    fails: float = 0.0

    @property
    def decided(self) -> float:
        """The probability of any verdict."""
        return self.holds + self.fails


@dataclass(frozen=True)
class Side:
    """The distance from a value to one end of its interval.

    Attributes:
        fixed: the part that does not shrink with the number of units.
        deviation: the standard deviation of one unit, from which the other part follows; inf if the
            end is open.
    """

    fixed: float
    deviation: float

    @property
    def is_open(self) -> bool:
        """Whether the end is open."""
        return not math.isfinite(self.deviation)

    def distance(self, count: int, level: float) -> float:
        """The distance with so many units, by Student's t; inf if the end is open."""
        return self.fixed + quantile(level, count - 1) * self.deviation / math.sqrt(count)


OPEN_SIDE = Side(0.0, math.inf)


@dataclass(frozen=True)
class Precision:
    """A value, its units, and how far the ends of its interval are away.

    Attributes:
        value: the value; its logarithm if `log`.
        count: the number of units.
        below, above: the distances to the lower and the upper end, on the scale of `value`.
        log: whether the interval is one of the logarithm.
    """

    value: float
    count: int
    below: Side
    above: Side
    log: bool = False

    def on_scale(self, bar: Bar) -> Bar:
        """The bar on the scale of `value`."""
        return Bar(*(_log(end) for end in bar)) if self.log else bar


def precision(
    wide: Estimate,
    narrow: Estimate,
    *,
    level: float = LEVEL,
    log: bool = False,
    bounds: tuple[float, float] = (-math.inf, math.inf),
    shrinks: bool = False,
) -> Precision | None:
    """The precision of an estimate; None if there is no value, or no end of its interval is known.

    The distance from a value to an end is c + t·s/√n, in which t is Student's quantile for the
    level of the interval. The same estimate at two levels tells c from s. This is exact for the
    intervals of `intervals.over_seeds`, and an approximation for others.

    Args:
        wide: the estimate at `level`.
        narrow: the same estimate at the level `NARROW`.
        level: the level of `wide`.
        log: whether the interval is one of the logarithm, as that of a ratio.
        bounds: the values that the quantity can have at all. The distance to an end that lies on a
            bound says nothing on the noise: that of the other end is taken.
        shrinks: whether no part of the interval stays, so that c is 0.
    """
    if wide.count < FEWEST or not math.isfinite(wide.value) or (log and wide.value <= 0):
        return None
    scale = _log if log else float
    value, least, most = (scale(x) for x in (wide.value, *bounds))
    levels = (level, NARROW)
    ends = [[scale(getattr(x, name)) for x in (wide, narrow)] for name in ("low", "high")]
    below, above = (
        _side([abs(value - end) for end in two], wide.count, levels, shrinks) for two in ends
    )
    if OPEN_SIDE == below == above:
        return None
    if ends[0][0] <= least and math.isfinite(least):
        below = above
    elif ends[1][0] >= most and math.isfinite(most):
        above = below
    return Precision(value, wide.count, below, above, log)


def _side(distances: list[float], count: int, levels: tuple[float, float], shrinks: bool) -> Side:
    """The side whose ends are at these distances at two levels, the larger first."""
    far, near = distances
    if not math.isfinite(far):
        return OPEN_SIDE
    t_far, t_near = (quantile(level, count - 1) for level in levels)
    error = max(far - near, 0.0) / (t_far - t_near)
    fixed = far - t_far * error
    if shrinks or fixed < 1e-9 * far:  # also where the distance grows faster than t
        fixed, error = 0.0, far / t_far
    return Side(fixed, error * math.sqrt(count))


def chance(found: Precision, bar: Bar, count: int, level: float) -> Chance:
    """The probability that `count` units in all decide a claim, for each verdict.

    The value with `count` units is predicted from the present one, of n units, and s, the standard
    deviation of a unit: the difference divided by s·√(1/n − 1/count) has Student's t distribution
    with n − 1 degrees of freedom. Standard deviations are taken to stay as they are. An open end
    decides nothing.
    """
    if count <= found.count:
        return Chance()
    bar, more = found.on_scale(bar), math.sqrt(1 / found.count - 1 / count)
    below, above = (side.distance(count, level) for side in (found.below, found.above))

    def lower(limit: float, side: Side) -> float:
        """The probability that the value is below a limit."""
        t = _quotient(limit - found.value, side.deviation * more)
        return float(special.stdtr(found.count - 1, t))

    holds = lower(bar.high - above, found.above) if bar.high < math.inf else 1.0
    if bar.low > -math.inf:
        holds = max(0.0, holds - lower(bar.low + below, found.below))
    fails = 0.0
    if math.isfinite(bar.high) and math.isfinite(below):
        fails += 1 - lower(bar.high + below, found.below)
    if math.isfinite(bar.low) and math.isfinite(above):
        fails += lower(bar.low - above, found.above)
    return Chance(holds, fails)


def units_needed(found: Precision, bar: Bar, level: float) -> int | None:
    """The least number of units that decides a claim if value and standard deviations stay.

    The number is larger than the present one. None if it would exceed `MOST_UNITS`, or if no number
    of units decides the claim (see `obstacle`).
    """
    least, most = found.count, MOST_UNITS  # distances shrink with each unit
    if not _decides(found, bar, most, level):
        return None
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if _decides(found, bar, middle, level) else (middle, most)
    return most


def _decides(found: Precision, bar: Bar, count: int, level: float) -> bool:
    """Whether so many units decide a claim if value and standard deviations stay."""
    distances = (side.distance(count, level) for side in (found.below, found.above))
    return _decided(found, bar, *distances)


def _decided(found: Precision, bar: Bar, below: float, above: float) -> bool:
    """Whether an interval whose ends are at these distances decides a claim."""
    low, high = found.value - below, found.value + above
    least, most = found.on_scale(bar)
    return (least <= low and high <= most) or low > most or high < least


def obstacle(found: Precision, bar: Bar) -> str:
    """Why no number of units decides a claim if the value stays; empty if one does."""
    sides = (found.below, found.above)
    if any(math.isclose(found.value, end, abs_tol=1e-12) for end in found.on_scale(bar)):
        return ON_BAR
    if _decided(found, bar, *(math.inf if s.is_open else s.fixed for s in sides)):
        return ""
    if _decided(found, bar, *(math.inf if s.is_open else 0.0 for s in sides)):
        return FIXED
    return OPEN_END


def power(found: Precision, truth: float, bar: Bar, level: float) -> float | None:
    """The probability that a claim holds with the present units if the true value is `truth`.

    Units are taken to be normal, with the standard deviation that was estimated. Without a fixed
    part, the probability for a bar with one end is that of a noncentral t distribution. None if an
    end of the interval that the bar needs is open.
    """
    if found.log and truth <= 0:
        return None
    bar, truth = found.on_scale(bar), _log(truth) if found.log else truth
    t = quantile(level, found.count - 1)
    deviations = estimated_deviations(found.count - 1)
    below, above = 0.0, 1.0  # probabilities that the value is low enough, given its deviation
    if math.isfinite(bar.high):
        if found.above.is_open:
            return None
        error = found.above.deviation / math.sqrt(found.count)
        limits = bar.high - found.above.fixed - truth - t * error * deviations
        above = special.ndtr(_quotient(limits, error))
    if math.isfinite(bar.low):
        if found.below.is_open:
            return None
        error = found.below.deviation / math.sqrt(found.count)
        limits = bar.low + found.below.fixed - truth + t * error * deviations
        below = special.ndtr(_quotient(limits, error))
    return float(np.mean(np.maximum(above - below, 0.0)))


def _quotient(distance: float | np.ndarray, deviation: float) -> float | np.ndarray:
    """A distance in standard deviations; ±inf if the distance is infinite, or nothing deviates."""
    if np.ndim(distance) == 0 and not math.isfinite(distance):
        return distance
    if not deviation:
        return np.where(np.asarray(distance) >= 0, math.inf, -math.inf)[()]
    return distance / deviation


def _log(value: float) -> float:
    """The natural logarithm; −inf for 0 and negative numbers."""
    return math.log(value) if value > 0 else -math.inf
