"""How good forecasts are: sizes of finished sweeps, predicted from the smaller ones.

The trend is compared with two rules without any fit: the best learning rate of the largest smaller
size, as it is, and as µP's rule for hidden weights scales it over the width.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import optimize
from hypertransfer.parameterisation.algebra import Parameterisation
from hypertransfer.recommendation.advice import recommend
from hypertransfer.recommendation.observations import DIMENSIONS, Observation, bracketed
from hypertransfer.recommendation.rate_costs import excess
from hypertransfer.recommendation.theory import Slope, theory, width_power
from hypertransfer.recommendation.trend import ANYWHERE, LEVEL, PRIOR, Prior
from hypertransfer.runs.spec import Component

PREDICTORS = ("trend", "same rate", "µP's rule")
BOUNDS = (0.01, 2.0)  # of each number of a prior


@dataclass(frozen=True)
class Sweeps:
    """The sweeps of an arm, and the table under which its networks were trained."""

    study: str
    label: str
    table: Parameterisation
    optimizer: Component
    found: Sequence[Observation]

    @cached_property
    def slopes(self) -> dict[str, Slope]:
        """What theory says of each dimension."""
        return theory(self.table, self.optimizer, self.found)


@dataclass(frozen=True)
class Prediction:
    """A size predicted from smaller ones.

    Attributes:
        sweeps: the arm.
        dimensions: the dimensions in which the target differs from the largest smaller size.
        octaves: how far it is from it, over all dimensions.
        smaller: the number of smaller sizes.
        errors: predicted minus found, in octaves of the learning rate, by predictor.
        regrets: excess of the target's loss at the predicted rate, in per cent, by predictor; +inf
            where its runs diverged.
        inside: whether the found rate is in the trend's interval, widened by its own error.
        reach: half of the width of the trend's interval, in octaves.
        verdict: that of a recommendation from the smaller sizes.
    """

    sweeps: Sweeps
    dimensions: tuple[str, ...]
    octaves: float
    smaller: int
    errors: Mapping[str, float]
    regrets: Mapping[str, float]
    inside: bool
    reach: float
    verdict: str

    @property
    def bases(self) -> set[str]:
        """What is known of the dimensions in which the target differs (see `theory.Slope`)."""
        return {self.sweeps.slopes[name].basis for name in self.dimensions}


def predictions(sweeps: Sweeps, prior: Prior) -> Iterator[Prediction]:
    """Each size of an arm, predicted from each number of those with fewer operations."""
    sizes = bracketed(sweeps.found)
    for end, target in enumerate(sizes):
        for start in range(1, end + 1):
            yield _prediction(sweeps, sizes[:start], target, prior)


def _prediction(
    sweeps: Sweeps, smaller: Sequence[Observation], target: Observation, prior: Prior
) -> Prediction:
    largest = smaller[-1]
    away = {
        name: there - here
        for name, here, there in zip(DIMENSIONS, largest.logs, target.logs, strict=True)
        if there != here
    }
    advice = recommend(smaller, target.size, sweeps.slopes, prior)
    forecast = advice.forecast
    assert forecast is not None
    kept = largest.optimum.log2_lr
    places = {
        "trend": forecast.log2_lr,
        "same rate": kept,
        "µP's rule": kept + width_power(sweeps.table, sweeps.optimizer) * away.get("width", 0.0),
    }
    found, own = target.optimum.log2_lr, forecast.interval(LEVEL)
    return Prediction(
        sweeps=sweeps,
        dimensions=tuple(away),
        octaves=sum(map(abs, away.values())),
        smaller=len(smaller),
        errors={name: place - found for name, place in places.items()},
        regrets={name: excess(target, rate - found) for name, rate in places.items()},
        inside=forecast.holds(found, target.error),
        reach=(own[1] - own[0]) / 2,
        verdict=advice.verdict,
    )


def fitted_prior(arms: Sequence[Sweeps], start: Prior = PRIOR) -> Prior:
    """The prior under which the best rates of all arms are likeliest (empirical Bayes).

    What is unknown by its basis stays as in `start`: few sweeps tell it.
    """

    def prior(logs: np.ndarray) -> Prior:
        carried, of_theory, scatter = (float(np.clip(np.exp(log), *BOUNDS)) for log in logs)
        return replace(start, carried=carried, theory=of_theory, scatter=scatter)

    def surprise(logs: np.ndarray) -> float:
        return -sum(_log_likelihood(arm, prior(logs)) for arm in arms)

    initial = np.log([start.carried, start.theory, start.scatter])
    return prior(optimize.minimize(surprise, initial, method="Nelder-Mead").x)


def _log_likelihood(arm: Sweeps, prior: Prior) -> float:
    """log of the density of an arm's best rates, with the rate at the base anywhere."""
    sizes = bracketed(arm.found)
    if len(sizes) < 2:
        return 0.0
    logs = np.array([one.logs for one in sizes])
    logs = logs - logs[0]
    spread = [prior.of(arm.slopes[name]) for name in DIMENSIONS]
    expected = np.array([arm.slopes[name].power for name in DIMENSIONS])
    own = np.diag([one.error**2 + prior.scatter**2 for one in sizes])
    joint = own + ANYWHERE**2 + logs @ np.diag(np.array(spread) ** 2) @ logs.T
    places = np.array([one.optimum.log2_lr for one in sizes])
    places = places - places[0] - logs @ expected
    _, determinant = np.linalg.slogdet(joint)
    return -0.5 * float(determinant + places @ np.linalg.solve(joint, places))
