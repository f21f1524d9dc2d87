"""Evidence for a forecast: the largest size left out, and predicted from the smaller ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hypertransfer.recommendation.observations import Observation, bracketed
from hypertransfer.recommendation.rate_costs import excess
from hypertransfer.recommendation.theory import Slope
from hypertransfer.recommendation.trend import PRIOR, Forecast, Prior, trend


@dataclass(frozen=True)
class LeftOut:
    """The largest size, predicted from the others.

    Attributes:
        size: the size that was left out.
        forecast: its best learning rate, from the other sizes.
        found: log2 of its best learning rate, from its own sweep.
        regret: excess of its loss at the forecast over its least loss, in per cent; +inf if
            runs diverge there.
        inside: whether `found` is in the interval of the forecast, widened by its standard error.
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
) -> LeftOut | None:
    """The largest size predicted from the others; None without any.

    Args:
        found: the observations of an arm.
        slopes: what theory says of each dimension.
        prior: the prior of slopes and scatter.
    """
    *rest, largest = bracketed(found) or [None]
    if not rest or largest is None:
        return None
    fitted = trend(rest, slopes, prior)
    assert fitted is not None
    forecast = fitted.at(largest.logs)
    place = largest.optimum.log2_lr
    return LeftOut(
        size=largest.size,
        forecast=forecast,
        found=place,
        regret=excess(largest, forecast.log2_lr - place),
        inside=forecast.holds(place, largest.error),
        smaller=len(rest),
    )
