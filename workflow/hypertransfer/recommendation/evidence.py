"""Evidence for a forecast: the largest size left out, and predicted from the smaller ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hypertransfer.recommendation.observations import Observation
from hypertransfer.recommendation.rate_costs import excess
from hypertransfer.recommendation.theory import Slope
from hypertransfer.recommendation.trend import LEVEL, PRIOR, Forecast, Prior, trend


@dataclass(frozen=True)
class LeftOut:
    """The largest size, predicted from the others.

    Attributes:
        size: the size that was left out.
        forecast: its best learning rate, from the other sizes.
        found: log2 of its best learning rate, from its own sweep.
        regret: excess of its loss at the forecast over its least loss, in per cent; +inf if
            runs diverge there.
        inside: whether `found` is in the interval of level `LEVEL` of the forecast, widened by the
            standard error of `found`.
        smaller: the number of sizes that the forecast is made from.
    """

    size: tuple[int, ...]
    forecast: Forecast
    found: float
    regret: float
    inside: bool
    smaller: int

    @property
    def octaves(self) -> float:
        """The forecast minus what was found."""
        return self.forecast.log2_lr - self.found


def left_out(
    found: Sequence[Observation],
    slopes: Mapping[str, Slope],
    prior: Prior = PRIOR,
    largest: Observation | None = None,
) -> LeftOut | None:
    """The largest size predicted from those that are larger in no dimension; None without any.

    Args:
        found: the observations of an arm.
        slopes: what theory says of each dimension.
        prior: the prior of slopes and scatter.
        largest: the size to leave out; by default that with the most operations.
    """
    bracketed = [one for one in found if not one.is_open]
    if len(bracketed) < 2:
        return None
    largest = largest or max(bracketed, key=lambda one: (one.flops, one.logs))
    rest = [one for one in bracketed if one is not largest and _no_larger(one, largest)]
    fitted = trend(rest, slopes, prior)
    if fitted is None:
        return None
    forecast = fitted.at(largest.logs)
    # What the sweep of the left-out size leaves open is part of the difference.
    measured = math.hypot(forecast.deviation, largest.error)
    low, high = replace(forecast, deviation=measured).interval(LEVEL)
    place = largest.optimum.log2_lr
    return LeftOut(
        size=largest.size,
        forecast=forecast,
        found=place,
        regret=excess(largest, forecast.log2_lr - place),
        inside=low <= place <= high,
        smaller=len(rest),
    )


def _no_larger(one: Observation, other: Observation) -> bool:
    return one.flops <= other.flops * (1 + 1e-9) or all(
        a <= b for a, b in zip(one.logs, other.logs, strict=True)
    )


def seeds_needed(found: Sequence[Observation], wanted: float) -> int:
    """Seeds with which the largest bracketed size would have a standard error, in octaves.

    The part of the error that is not from seeds is left out. 0 if the size has one seed, from
    which no error is known.
    """
    bracketed = [one for one in found if not one.is_open]
    if not bracketed:
        return 0
    largest = max(bracketed, key=lambda one: one.flops)
    width = largest.optimum.high - largest.optimum.low
    of_seeds = max(largest.error**2 - width**2 / 12, 0.0)
    return math.ceil(largest.seeds * of_seeds / wanted**2)
