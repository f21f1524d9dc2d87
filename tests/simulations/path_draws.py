"""Draws of quantities along training, with the estimate and its truth."""

from __future__ import annotations

import numpy as np
from tests.simulations.synthetic import Draw

from hypertransfer.analysis import trajectories
from hypertransfer.analysis.estimate import Estimate, linear
from hypertransfer.analysis.intervals import over_seeds
from hypertransfer.analysis.trajectories import Trajectories


def _paths(values: np.ndarray, steps: np.ndarray, sizes: np.ndarray) -> Trajectories:
    return Trajectories(sizes, steps, values)


def spread(ratio: float, sizes: int, deviation: float, uneven: float = 1.0) -> Draw:
    """Sizes whose log levels are equally spaced; deviations of seeds fall with size by `uneven`."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        levels = np.log(ratio) * np.linspace(0, 1, sizes)
        deviations = deviation * np.geomspace(uneven, 1, sizes)
        shared = rng.normal(0, 0.1, count)
        logs = levels[:, None] + shared + deviations[:, None] * rng.normal(size=(sizes, count))
        values = np.exp(logs)[:, :, None] * np.ones(6)
        paths = _paths(values, np.arange(6.0), 2.0 ** np.arange(sizes))
        return trajectories.spread(paths), ratio

    return draw


def level(deviation: float) -> Draw:
    """The mean of lognormal seeds over three sizes."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        logs = deviation * rng.normal(size=(3, count, 1)) - deviation**2 / 2
        paths = _paths(np.exp(logs) * np.ones(6), np.arange(6.0), 2.0 ** np.arange(3))
        found = over_seeds(lambda seeds: trajectories.late_level(paths, seeds), count)
        return found, 1.0

    return draw


def exponent(deviation: float) -> Draw:
    """A quantity that grows as the square root of the size, over four sizes."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        sizes = 2.0 ** np.arange(4)
        logs = 0.5 * np.log(sizes)[:, None] + deviation * rng.normal(size=(4, count))
        paths = _paths(np.exp(logs)[:, :, None] * np.ones(6), np.arange(6.0), sizes)
        found = over_seeds(lambda seeds: trajectories.size_exponent(paths, seeds), count)
        return found, 0.5

    return draw


def growth(power: float, noise: float, sign: float = 1.0) -> Draw:
    """Gaps ∝ t^power of three sizes; seeds vary by `noise` times the gap in the middle of t."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        steps = np.linspace(0.1, 1, 30)
        amounts = np.array([1.0, 0.5, 0.25])[:, None, None]
        gap = sign * amounts * (steps / 0.5) ** power
        constant = rng.normal(0, noise, (3, count, 1))
        rough = rng.normal(0, noise / 2, (3, count, 30))
        return trajectories.gap_growth(steps, gap + amounts * (constant + rough)), power

    return draw


def gap_exponent(power: float, noise: float, sign: float = 1.0, falling: float = 0.0) -> Draw:
    """A power law of five sizes with a limit, with seeds that vary by `noise` times the least gap.

    The deviations of seeds fall with the size by the power `falling`.
    """

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        sizes = 2.0 ** np.arange(5)
        law = sign * np.append(trajectories.limit_shape(sizes, power), 0)
        deviations = noise * abs(law[-2]) * (sizes / sizes[-1]) ** -falling
        levels = law[:, None] + deviations[:, None] * rng.normal(size=(5, count))
        values = 3 + levels[:, :, None] * np.ones(6)
        paths = _paths(values, np.arange(6.0), sizes)
        return trajectories.gap_size_exponent(paths), power

    return draw


def largest(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
    """Three sizes whose values rise with size and step, and vary with the seed."""
    places = np.arange(1.0, 4)[:, None, None] * np.linspace(0, 1, 6)
    paths = _paths(places + rng.normal(0, 0.5, (1, count, 1)), np.arange(6.0), 2.0 ** np.arange(3))
    return over_seeds(lambda seeds: trajectories.largest(paths, seeds), count), 3.0


def late_ratio(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
    """Two quantities of three sizes, the second measured more often; seeds share a part of both."""
    steps = np.arange(13.0)
    shared = np.exp(rng.normal(0, 0.3, (3, count, 1)))
    noise = np.exp(rng.normal(0, 0.1, (2, 3, count, 1)))
    over = _paths(0.9 * shared * noise[0] * np.ones(7), steps[::2], 2.0 ** np.arange(3))
    under = _paths(shared * noise[1] * np.ones(13), steps, 2.0 ** np.arange(3))

    def statistic(seeds: np.ndarray) -> Estimate:
        return trajectories.late_ratio(over, under, seeds)

    return over_seeds(statistic, count, log=True), 0.9


def gap_change(early: float, late: float, noise: float, sign: float = 1.0) -> Draw:
    """Relative gaps of two smaller sizes, early and late; all sizes and seeds vary by `noise`.

    The gap of the second size has the given sign.
    """

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        paths = _gap_paths(rng, count, early, late, noise, sign)
        found = over_seeds(lambda seeds: trajectories.gap_change(paths, seeds), count)
        return found, abs(late) - abs(early)

    return draw


def gap_contrast(growth: float, other: float, noise: float) -> Draw:
    """Two quantities whose relative gaps of 0.2 grow by different amounts."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        both = [_gap_paths(rng, count, 0.2, 0.2 + by, noise) for by in (growth, other)]

        def statistic(seeds: np.ndarray) -> Estimate:
            return linear([1, -1], [trajectories.gap_change(paths, seeds) for paths in both])

        return over_seeds(statistic, count), growth - other

    return draw


def _gap_paths(
    rng: np.random.Generator,
    count: int,
    early: float,
    late: float,
    noise: float,
    sign: float = 1.0,
) -> Trajectories:
    """Three sizes, the largest without a gap; seeds, sizes and parts vary by `noise`."""
    steps = np.arange(13.0)
    shared = np.exp(rng.normal(0, noise, (1, count, 1)))
    gap = np.where(steps < 6, early, late)
    levels = np.stack([1 + gap, 1 + sign * gap, np.ones(13)])[:, None, :]
    parts = np.repeat(rng.normal(0, noise, (3, count, 2)), [6, 7], axis=2)
    return _paths(shared * levels * (1 + parts), steps, 2.0 ** np.arange(3))
