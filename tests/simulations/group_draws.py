"""Draws of quantities over groups of tasks, with the estimate and its truth."""

from __future__ import annotations

import numpy as np
from tests.simulations.synthetic import Draw

from hypertransfer.analysis.estimate import Estimate, exact
from hypertransfer.analysis.intervals import mean_over_seeds, median_of, over_seeds, share_of


def share(chance: float) -> Draw:
    """The share of groups that improve."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        return share_of(int((rng.random(count) < chance).sum()), count), chance

    return draw


def median(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
    """The median of a skewed quantity over groups."""
    return median_of(np.exp(rng.normal(size=count))), 1.0


def mean(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
    """The mean over groups of a slope or a level."""
    return mean_over_seeds(rng.normal(-0.5, 0.3, count)), -0.5


def regret_ratio(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
    """Regrets of two methods that vary in proportion between groups; their means have ratio 0.6."""
    shared = np.exp(0.5 * rng.normal(size=count))
    own, other = (mean * shared * np.exp(0.2 * rng.normal(size=count)) for mean in (0.6, 1.0))
    ratio = lambda rows: exact(float(own[rows].mean() / other[rows].mean()))  # noqa: E731
    return over_seeds(ratio, count, over="groups", log=True), 0.6


def region_ratio(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
    """The geometric mean over groups of a ratio, 0.7."""
    logs = np.log(0.7) + 0.4 * rng.normal(size=count)
    ratio = lambda rows: exact(float(np.exp(logs[rows].mean())))  # noqa: E731
    return over_seeds(ratio, count, over="groups", log=True), 0.7
