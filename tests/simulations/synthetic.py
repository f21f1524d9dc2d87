"""Synthetic learning-rate sweeps whose optimum is known, drawn seed by seed.

    world = World(curve=split(4), optima={16: 0.0, 64: -0.5}, noise=Noise())
    seeds = world.seeds(rng, 5)
    sweeps = [world.sweep(seeds, size, log2_lrs) for size in world.optima]

A `World` can be asked for the loss of any seed at any learning rate, one by one and in any order,
and gives the same answer each time. Sequential looks and adaptive rounds can therefore ask for
more seeds and more learning rates of the same draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hypertransfer.analysis.estimate import Estimate
from hypertransfer.analysis.sweeps import Sweep

Draw = Callable[[np.random.Generator, int], tuple[Estimate, float]]  # of an estimate and its truth
Curve = Callable[[np.ndarray], np.ndarray]  # octaves from the optimum → log of loss over its least
SLOTS = 64  # learning rates with noise of their own, in eighths of an octave around 2^0


def split(ratio: float, curvature: float = 0.1) -> Curve:
    """A curve whose second derivative is `ratio` times larger above the optimum than below.

    `curvature` is the geometric mean of both, per squared octave.
    """
    below, above = curvature / math.sqrt(ratio), curvature * math.sqrt(ratio)
    return lambda u: np.where(u > 0, above, below) * u**2 / 2


def exponential(skew: float, curvature: float = 0.1) -> Curve:
    """A curve that tends to a line on one side and to exp(skew·u) on the other."""
    return lambda u: curvature * (np.exp(skew * u) - skew * u - 1) / skew**2


def quadratic_loss(ratio: float, curvature: float = 0.1) -> Curve:
    """`split` for the loss itself, whose least value is 1, in place of its logarithm."""
    height = split(ratio, curvature)
    return lambda u: np.log1p(height(u))


@dataclass(frozen=True)
class Noise:
    """Standard deviations over seeds.

    Attributes:
        offset: of what a seed brings to the log loss of all its runs.
        point: of the log loss of each run.
        wobble: of the optimum of a seed at one size, in octaves.
        growth: by how many times `point` grows for each octave above the optimum.
    """

    offset: float = 0.02
    point: float = 0.01
    wobble: float = 0.1
    growth: float = 1.0


@dataclass(frozen=True)
class Seed:
    """All random numbers of one seed: its offset, and by size its wobble and noise."""

    offset: float
    wobble: Mapping[float, float]
    noise: Mapping[float, np.ndarray]


@dataclass(frozen=True)
class World:
    """Networks of several sizes, with a loss curve around an optimum at each size.

    Attributes:
        curve: the log loss over octaves from the optimum.
        optima: log2 of the best learning rate, by size.
        noise: how seeds differ.
        diverges: octaves above the optimum from which on runs diverge.
        levels: log of the least loss, by size; 0 for others.
    """

    curve: Curve
    optima: Mapping[float, float]
    noise: Noise = field(default_factory=Noise)
    diverges: float = math.inf
    levels: Mapping[float, float] = field(default_factory=dict)

    def seeds(self, rng: np.random.Generator, count: int) -> list[Seed]:
        """Seeds with random numbers of their own."""
        return [
            Seed(
                rng.normal(0, self.noise.offset),
                {size: rng.normal(0, self.noise.wobble) for size in self.optima},
                {size: rng.normal(0, self.noise.point, SLOTS * 8) for size in self.optima},
            )
            for _ in range(count)
        ]

    def losses(self, seed: Seed, size: float, log2_lrs: Sequence[float]) -> np.ndarray:
        """The losses of a seed at one size; +inf where the run diverges."""
        x = np.asarray(log2_lrs, float)
        apart = x - self.optima[size] - seed.wobble[size]
        noise = seed.noise[size][np.round(8 * x).astype(int) % (SLOTS * 8)]
        noise = noise * self.noise.growth ** np.maximum(apart, 0)
        logs = self.levels.get(size, 0.0) + self.curve(apart) + seed.offset + noise
        return np.where(apart >= self.diverges, math.inf, np.exp(logs))

    def sweep(self, seeds: Sequence[Seed], size: float, log2_lrs: Sequence[float]) -> Sweep:
        """The sweep of the seeds at one size."""
        losses = np.stack([self.losses(seed, size, log2_lrs) for seed in seeds])
        return Sweep(float(size), 2.0 ** np.asarray(log2_lrs, float), losses)
