"""How the best learning rate moves with the size, and where it is expected at another size.

log2 of the best learning rate at the base is a plane over log2 of width, depth, batch size and
number of samples, with a scatter about it. The slopes have a Gaussian prior about what theory says
(`theory.theory`), the narrower, the more is known. The priors are near those that the sweeps of
this project's own studies have, where these tell them (`PRIOR`; `docs/reference/forecasts.md` has
the evidence).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import special
from hypertransfer.recommendation.observations import DIMENSIONS, Observation, bracketed
from hypertransfer.recommendation.theory import CARRIED, THEORY, UNKNOWN, Slope

LEVEL = 0.8  # of the interval of a forecast
ANYWHERE = 100.0  # standard deviation, in octaves, of the prior of the optimum at the base


@dataclass(frozen=True)
class Prior:
    """Standard deviations, in octaves of the learning rate.

    Attributes:
        carried: of the slope, per octave of a dimension that the table scales.
        theory: about the power of a theory, per octave.
        unknown: of the slope, per octave of another dimension.
        scatter: of the optimum of one size about the plane, beside its standard error.
    """

    carried: float
    theory: float
    unknown: float
    scatter: float

    def of(self, slope: Slope) -> float:
        """The standard deviation of a slope."""
        return {CARRIED: self.carried, THEORY: self.theory, UNKNOWN: self.unknown}[slope.basis]


PRIOR = Prior(carried=0.16, theory=0.2, unknown=1.0, scatter=0.05)
NO_PRIOR = replace(PRIOR, carried=ANYWHERE, theory=ANYWHERE, unknown=ANYWHERE)  # slopes as measured


@dataclass(frozen=True)
class Forecast:
    """log2 of the best learning rate at a size: a Gaussian.

    Attributes:
        log2_lr: the mean.
        deviation: the standard deviation.
    """

    log2_lr: float
    deviation: float

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The interval that holds the best learning rate's log2 with a probability."""
        reach = float(special.ndtri((1 + level) / 2)) * self.deviation
        return self.log2_lr - reach, self.log2_lr + reach

    def holds(self, log2_lr: float, error: float) -> bool:
        """Whether a rate with a standard error is in the interval, which the error widens."""
        low, high = replace(self, deviation=math.hypot(self.deviation, error)).interval()
        return low <= log2_lr <= high


@dataclass(frozen=True)
class Trend:
    """The plane through the observations: its coefficients are Gaussian.

    Attributes:
        mean: (1 + dimension,) log2 of the best learning rate where all logs are 0, and the slopes.
        covariance: (1 + dimension, 1 + dimension) of these.
        slopes: what theory says of each dimension.
        prior: the prior.
    """

    mean: np.ndarray
    covariance: np.ndarray
    slopes: Mapping[str, Slope]
    prior: Prior

    def at(self, logs: Sequence[float]) -> Forecast:
        """The forecast at a size, given by its log2 in the order of `DIMENSIONS`."""
        place = np.array([1.0, *logs])
        variance = place @ self.covariance @ place + self.prior.scatter**2
        return Forecast(float(place @ self.mean), math.sqrt(float(variance)))

    def slope(self, dimension: str) -> Forecast:
        """Octaves of the best learning rate per octave of a dimension."""
        place = 1 + DIMENSIONS.index(dimension)
        return Forecast(float(self.mean[place]), math.sqrt(float(self.covariance[place, place])))

    def with_sweep(self, logs: Sequence[float], error: float) -> Trend:
        """The trend after a further sweep at a size, if it finds what is expected there."""
        place = np.array([1.0, *logs])
        variance = place @ self.covariance @ place + self.prior.scatter**2 + error**2
        gain = self.covariance @ place / variance
        return replace(self, covariance=self.covariance - np.outer(gain, place @ self.covariance))


def trend(
    found: Sequence[Observation], slopes: Mapping[str, Slope], prior: Prior = PRIOR
) -> Trend | None:
    """The trend of the sizes whose optimum is bracketed; None if there is none.

    Args:
        found: the observations of an arm.
        slopes: what theory says of each dimension (`theory.theory`).
        prior: the prior of slopes and scatter.
    """
    usable = bracketed(found)
    if not usable:
        return None
    spread = [ANYWHERE, *(prior.of(slopes[name]) for name in DIMENSIONS)]
    expected = np.array([0.0, *(slopes[name].power for name in DIMENSIONS)])
    design = np.array([[1.0, *one.logs] for one in usable])
    places = np.array([one.optimum.log2_lr for one in usable])
    weights = 1 / np.array([one.error**2 + prior.scatter**2 for one in usable])
    precision = design.T @ (weights[:, None] * design) + np.diag(1 / np.array(spread) ** 2)
    covariance = np.linalg.inv(precision)
    away = covariance @ (design.T @ (weights * (places - design @ expected)))
    return Trend(expected + away, covariance, slopes, prior)
