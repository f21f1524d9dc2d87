"""The recommendation for a target size: a verdict with its reasons, a learning rate, evidence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.recommendation.evidence import LeftOut, left_out
from hypertransfer.recommendation.next_runs import NextSweep, next_sweeps
from hypertransfer.recommendation.observations import DIMENSIONS, Observation, bracketed, logs_of
from hypertransfer.recommendation.rate_costs import ExpectedCost, excess, excess_text, expected_cost
from hypertransfer.recommendation.theory import Slope
from hypertransfer.recommendation.trend import LEVEL, PRIOR, Forecast, Prior, Trend, trend

NOUNS = {"width": "width", "depth": "depth", "batch": "batch size", "duration": "number of samples"}
TRUST, NARROW, DO_NOT = "trust", "narrow sweep", "do not"
# Our choice: a rate is trusted if it is expected to cost at most this, and seldom to diverge.
MOST_COST = 1.0  # per cent of the loss
MOST_DIVERGING = 0.05  # probability
MOST_BEYOND = 0.05  # probability
MOST_REACH = 1.5  # octaves on either side of which a sweep is still narrow
# A sweep tells learning rates apart if one that is so far off costs so much.
FAR_OFF = 2.0  # octaves
LEAST_RISE = 1.0  # per cent of the loss
MOST_ERROR = 0.5  # octaves: standard error of the best rate of each size, for a rate to be trusted


@dataclass(frozen=True)
class Recommendation:
    """What to train a target size with.

    Attributes:
        verdict: `TRUST` (train with the rate), `NARROW` (sweep the interval) or `DO_NOT`.
        reasons: why, in words.
        size: the target, in the columns `SIZE`.
        found: the measured sizes.
        slopes: what theory says of each dimension.
        fitted: the trend; None if no measured size brackets its best rate.
        forecast: log2 of the best learning rate at the target; None without a trend.
        cost: what the forecast's rate is expected to cost; None without a trend.
        left_out: the largest size, predicted from the others; None if there are none.
        next_sweeps: sweeps that would narrow the forecast.
    """

    verdict: str
    reasons: tuple[str, ...]
    size: tuple[int, ...]
    found: Sequence[Observation]
    slopes: Mapping[str, Slope]
    fitted: Trend | None = None
    forecast: Forecast | None = None
    cost: ExpectedCost | None = None
    left_out: LeftOut | None = None
    next_sweeps: Sequence[NextSweep] = ()

    @property
    def logs(self) -> tuple[float, ...]:
        """log2 of the target's size, in the order of `DIMENSIONS`."""
        return logs_of(self.size)

    @property
    def lr(self) -> float:
        """The recommended learning rate at the base, which the table scales to the target."""
        assert self.forecast is not None
        return 2**self.forecast.log2_lr

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of the best learning rate, of level `LEVEL`."""
        assert self.forecast is not None
        low, high = self.forecast.interval(LEVEL)
        return 2**low, 2**high

    @property
    def extrapolation(self) -> Mapping[str, float]:
        """By dimension, octaves from the nearest measured size to the target; 0 if measured."""
        away = {}
        for place, name in enumerate(DIMENSIONS):
            measured = [one.logs[place] for one in bracketed(self.found)]
            here = self.logs[place]
            if measured:
                away[name] = max(here - max(measured), min(measured) - here, 0.0)
        return away


def recommend(
    found: Sequence[Observation],
    size: Sequence[int],
    slopes: Mapping[str, Slope],
    prior: Prior = PRIOR,
) -> Recommendation:
    """The recommendation for a target, from the sweeps of an arm.

    Args:
        found: the observations of the arm.
        size: the target, in the columns `SIZE`.
        slopes: what theory says of each dimension.
        prior: the prior of the trend.
    """
    target, place = tuple(size), logs_of(size)
    fitted = trend(found, slopes, prior)
    if fitted is None:
        text = (
            "no measured size brackets its best learning rate: the lowest or highest rate is the "
            "best, or all diverged; add learning rates beyond it"
        )
        return Recommendation(DO_NOT, (text,), target, found, slopes)
    forecast = fitted.at(place)
    usable = bracketed(found)
    largest = usable[-1]
    cost = expected_cost(largest, forecast)
    omitted = left_out(found, slopes, prior)
    doubts = [
        *_flat(largest),
        *_noisy(usable),
        *_doubts(cost, omitted),
        *_unseen(usable, place),
    ]
    verdict, reasons = _verdict(forecast, cost, omitted, doubts)
    if opened := len(found) - len(usable):
        sizes = "1 size is" if opened == 1 else f"{opened} sizes are"
        reasons = (*reasons, f"{sizes} left out, whose best rate is at the edge of its sweep")
    return Recommendation(
        verdict=verdict,
        reasons=reasons,
        size=target,
        found=found,
        slopes=slopes,
        fitted=fitted,
        forecast=forecast,
        cost=cost,
        left_out=omitted,
        next_sweeps=next_sweeps(found, fitted, place),
    )


def _verdict(
    forecast: Forecast, cost: ExpectedCost, omitted: LeftOut | None, doubts: Sequence[str]
) -> tuple[str, tuple[str, ...]]:
    low, high = forecast.interval(LEVEL)
    reach = (high - low) / 2
    if reach > MOST_REACH:
        text = (
            f"the best rate is uncertain by {reach:.2g} octaves ({2**reach:.2g} times) either way, "
            f"more than {MOST_REACH:g}"
        )
        return DO_NOT, (text, *doubts)
    return (NARROW, tuple(doubts)) if doubts else (TRUST, (_trusted(cost, omitted),))


def _trusted(cost: ExpectedCost, omitted: LeftOut | None) -> str:
    assert omitted is not None
    return (
        f"its expected excess loss is {excess_text(cost.percent)}, and {_smaller(omitted)} "
        f"predicted the best rate of the largest one to {abs(omitted.octaves):.2f} octaves"
    )


def _too_far(octaves: float) -> str:
    """How far a predicted rate is from the one that was found."""
    return f"{abs(octaves):.2f} octaves too {'high' if octaves > 0 else 'low'}"


def _flat(largest: Observation) -> Iterator[str]:
    """A doubt whether the largest size was trained long enough to tell learning rates apart.

    A sweep that reaches less far than `FAR_OFF` counts with the cost of its ends, as it grows along
    a parabola.
    """
    places = np.log2(largest.sweep.lrs) - largest.optimum.log2_lr
    ends = (max(float(places[0]), -FAR_OFF), min(float(places[-1]), FAR_OFF))
    widest = max(map(abs, ends))
    # An end close to the optimum says little of what is far off.
    costs = {end: excess(largest, end) for end in ends if abs(end) >= widest / 2}
    if max(cost * (FAR_OFF / end) ** 2 for end, cost in costs.items()) < LEAST_RISE:
        yield (
            f"at the largest size even a rate that is {2**widest:.2g} times as high or low costs "
            f"at most {excess_text(max(costs.values()))} of the loss, so that the sweep hardly "
            "tells rates apart, as where runs are too short: train longer, or sweep further"
        )


def _noisy(usable: Sequence[Observation]) -> Iterator[str]:
    """A doubt whether seeds agree on the best rates, without which a prediction shows little."""
    error = max(one.error for one in usable)
    if error > MOST_ERROR:
        yield (
            f"the best rate of a measured size is uncertain by ± {error:.2g} octaves, more than "
            f"{MOST_ERROR:g}, as seeds or forms of the loss curve disagree: train longer, or "
            "with more seeds"
        )


def _doubts(cost: ExpectedCost, omitted: LeftOut | None) -> Iterator[str]:
    if cost.diverges > MOST_DIVERGING:
        yield f"training diverges at the rate with a probability of {100 * cost.diverges:.0f} %"
    if cost.beyond > MOST_BEYOND:
        yield (
            f"{100 * cost.beyond:.0f} % of the forecast is beyond the rates that were tried, so "
            "that the excess loss may be more than expected"
        )
    if math.isnan(cost.percent):
        yield "losses are not all positive, so that no excess loss is defined"
    elif cost.percent > MOST_COST:
        text = excess_text(cost.percent, above=MOST_COST)
        yield f"its expected excess loss is {text}, above {MOST_COST:g} %"
    if omitted is None:
        yield "one size brackets its best rate, so that nothing was predicted and compared"
    elif not omitted.inside:
        yield (
            f"{_smaller(omitted)} predicted a rate for the largest one that is "
            f"{_too_far(omitted.octaves)}, outside of the interval"
        )
    elif not omitted.regret <= MOST_COST:
        yield (
            f"the rate that {_smaller(omitted)} predicted for the largest one has "
            f"{excess_text(omitted.regret, above=MOST_COST)} excess loss there"
        )


def _unseen(usable: Sequence[Observation], target: Sequence[float]) -> Iterator[str]:
    """Doubts about what the sweeps do not show: dimensions that were not varied, and seeds."""
    for place, name in enumerate(DIMENSIONS):
        measured = {one.logs[place] for one in usable}
        if len(measured) == 1 and abs(target[place] - min(measured)) > 1e-9:
            yield f"the target has another {NOUNS[name]}, which was not varied"
    if usable[0].seed_deviation is None:
        yield "each size has one seed, so that it is not known how much the best rate varies"


def _smaller(omitted: LeftOut) -> str:
    return "one smaller size" if omitted.smaller == 1 else f"{omitted.smaller} smaller sizes"
