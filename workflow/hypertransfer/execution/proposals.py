"""Proposals of a search's next generation: random, trust region, Bayesian."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hypertransfer.spaces.gaussian_process import (
    expected_improvement,
    gaussian_process,
    standardised,
)

CANDIDATES = 1024  # at which the Bayesian method looks for the best expected improvement


@dataclass(frozen=True)
class Box:
    """The coordinates of a search and how far random proposals go to either side."""

    labels: Sequence[str]
    octaves: float

    @property
    def dimension(self) -> int:
        """The number of coordinates."""
        return len(self.labels)

    def uniform(self, number: int, random: np.random.Generator) -> np.ndarray:
        """Points (number, dimension) anywhere in the box."""
        return random.uniform(-self.octaves, self.octaves, (number, self.dimension))

    def clipped(self, points: np.ndarray) -> np.ndarray:
        """Points, those outside moved to the nearest in the box."""
        return points.clip(-self.octaves, self.octaves)


@dataclass(frozen=True)
class Trials:
    """Generations of trials so far: points (trials, dimension) and losses (trials,) of each."""

    generations: Sequence[tuple[np.ndarray, np.ndarray]]

    @property
    def points(self) -> np.ndarray:
        """All points."""
        return np.concatenate([points for points, _ in self.generations])

    @property
    def losses(self) -> np.ndarray:
        """All losses."""
        return np.concatenate([losses for _, losses in self.generations])

    @property
    def best(self) -> np.ndarray:
        """The point of least loss, the first of several; the start if all have diverged."""
        losses = self.losses
        found = self.points[int(losses.argmin())]
        return found if np.isfinite(losses).any() else np.zeros_like(found)


def random(trials: Trials, box: Box, number: int, generator: np.random.Generator) -> np.ndarray:
    """Uniform in the box, whatever was found before."""
    return box.uniform(number, generator)


def trust_region(
    trials: Trials, box: Box, number: int, generator: np.random.Generator, *,
    radius: float = 1.0, shrink: float = 0.6, least: float = 0.1,
) -> np.ndarray:  # fmt: skip
    """Uniform in a smaller box around the best point so far.

    Its half width is `radius` octaves at first, and `shrink` times as much after every generation
    that has found nothing better. The paper (Mlodozeniec et al. 2512.22382) searches so, with
    a rule that is not known; this one is ours.
    """
    width, best = radius, float("inf")
    for _, losses in trials.generations:
        found = float(losses.min())
        width = width if found < best else max(width * shrink, least)
        best = min(best, found)
    steps = generator.uniform(-width, width, (number, box.dimension))
    return box.clipped(trials.best + steps)


def bayesian(trials: Trials, box: Box, number: int, generator: np.random.Generator) -> np.ndarray:
    """Expected improvement of a Gaussian process, one proposal after another.

    Matérn 5/2 with one length scale, fitted by scikit-learn. Within a generation, a proposal counts
    as tried with the mean that the process expects there ("kriging believer", Ginsbourger et al.
    2010). A diverged run counts as one spread of the losses above the worst.
    """
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    if not np.isfinite(trials.losses).any():
        return box.uniform(number, generator)
    points, values = trials.points, standardised(trials.losses)
    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(box.octaves, (0.1, 100.0), nu=2.5)
    process = gaussian_process(kernel + WhiteKernel(1e-2, (1e-6, 1.0)), points, values)
    process.optimizer = None  # the kernel stays while proposals are believed in
    for _ in range(number):
        around = trials.best + generator.normal(
            0, 0.3 * box.octaves, (CANDIDATES // 2, len(box.labels))
        )
        candidates = np.concatenate([box.uniform(CANDIDATES // 2, generator), box.clipped(around)])
        mean, deviation = process.predict(candidates, return_std=True)
        chosen = int(expected_improvement(mean, deviation, values.min()).argmax())
        points = np.concatenate([points, candidates[chosen : chosen + 1]])
        values = np.append(values, mean[chosen])
        process.kernel = process.kernel_
        process.fit(points, values)
    return points[-number:]


KINDS: Mapping[str, Callable[..., np.ndarray]] = {
    "random": random,
    "trust_region": trust_region,
    "bayesian": bayesian,
}


def propose(
    kind: str,
    options: Mapping[str, Any],
    box: Box,
    number: int,
    trials: Trials,
    seed: Sequence[int],
) -> np.ndarray:
    """Points (number, dimension) of the next generation; the very first one is the start.

    A function of its arguments alone, so that a generation made again is the same. Without
    trials before, points are drawn from the box, or around the start by trust_region.
    """
    generator = np.random.default_rng(list(seed))
    if trials.generations:
        return KINDS[kind](trials, box, number, generator, **options)
    start = np.zeros((1, box.dimension))
    if kind == "trust_region":
        alone = Trials([(start, np.array([np.inf]))])
        return np.concatenate([start, trust_region(alone, box, number - 1, generator, **options)])
    return np.concatenate([start, box.uniform(number - 1, generator)])
