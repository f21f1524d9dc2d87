"""Draws of learning-rate sweeps over sizes, with the estimate and its truth."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from tests.simulations.synthetic import Draw, Noise, World, split

from hypertransfer.analysis import contrasts
from hypertransfer.analysis import regret as analysis_regret
from hypertransfer.analysis import sweeps as analysis_sweeps
from hypertransfer.analysis.estimate import Estimate, linear
from hypertransfer.analysis.intervals import mean_over_seeds, over_seeds
from hypertransfer.analysis.sweeps import Sweep


def _world(rng: np.random.Generator, curve: Callable, step: float, **options: object) -> World:
    phase = float(rng.uniform(-step / 2, step / 2))
    return World(curve, {16: phase, 64: phase - 0.5}, **options)


def _rates(step: float, low: float = -5, high: float = 4) -> np.ndarray:
    return np.arange(low, high + step / 2, step)


def shift(curve: Callable, step: float, **options: object) -> Draw:
    """A shift of −0.5 octaves between two sizes, at a random place of the grid."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        world = _world(rng, curve, step, **options)
        seeds = world.seeds(rng, count)
        sweeps = [world.sweep(seeds, size, _rates(step)) for size in world.optima]
        return analysis_sweeps.of_optima(sweeps, analysis_sweeps.shift), -0.5

    return draw


def shift_at_edge(step: float) -> Draw:
    """The optimum of the larger size is about at the lowest learning rate tried."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        world = _world(rng, split(4), step)
        seeds = world.seeds(rng, count)
        rates = _rates(step, -0.5)
        sweeps = [world.sweep(seeds, size, rates) for size in world.optima]
        return analysis_sweeps.of_optima(sweeps, analysis_sweeps.shift), -0.5

    return draw


def shift_of_late_seeds(step: float) -> Draw:
    """Two seeds run all learning rates, the others only those within an octave of the best."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        world = _world(rng, split(4), step)
        seeds = world.seeds(rng, count)
        sweeps = []
        for size in world.optima:
            sweep = world.sweep(seeds, size, _rates(step))
            best = np.log2(sweep.lrs[sweep.best_tried(np.arange(2))])
            away = np.abs(np.log2(sweep.lrs) - best) > 1 + 1e-9
            sweep.losses[2:, away] = np.nan
            sweeps.append(sweep)
        return analysis_sweeps.of_optima(sweeps, analysis_sweeps.shift), -0.5

    return draw


def slope(curve: Callable, step: float) -> Draw:
    """The optimum moves by −0.25 octaves per doubling, over four sizes."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        phase = float(rng.uniform(-step / 2, step / 2))
        world = World(curve, {2.0**i: phase - 0.25 * i for i in range(4, 8)})
        seeds = world.seeds(rng, count)
        sweeps = [world.sweep(seeds, size, _rates(step)) for size in world.optima]
        sizes = list(world.optima)
        found = analysis_sweeps.of_optima(sweeps, lambda p: analysis_sweeps.slope(sizes, p))
        return found, -0.25

    return draw


def regret(distance: float, in_sigma: bool = False) -> Draw:
    """The optimum moves by whole octaves: the regret is the height of the curve there.

    In units of σ, which is that of the difference of two runs' noise, the mean height is 2σ.
    """

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        heights = np.array([1.0, 0.5, 0.0, 0.5, 1.0])
        sigma = 0.1
        height = 2 * sigma if in_sigma else distance
        mean = np.array([5.0, 3.0, height, 0.0, 4.0])
        small = Sweep(1.0, 2.0 ** np.arange(5), np.tile(heights, (count, 1)))
        shared = rng.normal(0, 0.5, (count, 1))
        noise = rng.normal(0, sigma / np.sqrt(2), (count, 5))
        large = Sweep(2.0, small.lrs, 3 + mean + shared + noise)
        found = analysis_regret.regret([small, large])
        if in_sigma:
            return found.estimate(contrasts.standardised_mean), 2.0
        return found.estimate(), height

    return draw


def flat_regret(bend: float, in_sigma: bool = False) -> Draw:
    """The optimum moves by two steps on flat curves, so that noise decides which rate is the best.

    Losses rise by `bend` times the square of the steps from the optimum, and noise has σ = 0.1 in
    differences of two runs. In units of σ the regret is 40 times `bend`.
    """

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        steps, sigma = np.arange(-3, 5.0), 0.1
        small, large = (
            3 + bend * (steps - best) ** 2 + rng.normal(0, 0.5, (count, 1))
            + rng.normal(0, sigma / np.sqrt(2), (count, len(steps)))
            for best in (2, 0)
        )  # fmt: skip
        found = analysis_regret.regret(
            [Sweep(1.0, 2.0**steps, small), Sweep(2.0, 2.0**steps, large)]
        )
        if in_sigma:
            return found.estimate(contrasts.standardised_mean), 4 * bend / sigma
        return found.estimate(), 4 * bend

    return draw


def uneven_regret(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
    """A regret of 0.2 (0.63σ), where two rates of the larger size are about equally good.

    The better one varies three times as much as all others: the regret is fewer σ than that to the
    other one.
    """
    lrs, sigma = 2.0 ** np.arange(5), 0.1
    small = Sweep(1.0, lrs, np.tile([1.0, 0.5, 0.5, 0.0, 1.0], (count, 1)))
    means, deviations = np.array([4, 0, 0.02, 0.2, 4]), sigma * np.array([1, 3, 1, 1, 1])
    losses = 3 + means + rng.normal(0, 0.5, (count, 1)) + deviations * rng.normal(size=(count, 5))
    found = analysis_regret.regret([small, Sweep(2.0, lrs, losses)])
    return found.estimate(contrasts.standardised_mean), 0.2 / (sigma * math.sqrt(10))


def contrast(step: float) -> Draw:
    """The optimum of one arm moves by −0.5 octaves more than that of the other."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        ends = []
        for moved in (-1.0, -0.5):
            phase = float(rng.uniform(-step / 2, step / 2))
            world = World(split(4), {16: phase, 64: phase + moved})
            seeds = world.seeds(rng, count)
            ends += [world.sweep(seeds, size, _rates(step)) for size in world.optima]
        found = analysis_sweeps.of_optima(ends, lambda places: linear([-1, 1, 1, -1], places))
        return found, -0.5

    return draw


def stable_shift(wobble: float) -> Draw:
    """Runs diverge two octaves above an optimum that varies with the seed and moves by −0.5."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        world = _world(rng, split(1), 1.0, noise=Noise(wobble=wobble), diverges=2.0)
        seeds = world.seeds(rng, count)
        ends = [world.sweep(seeds, size, _rates(1.0)) for size in world.optima]
        found = over_seeds(
            lambda rows: analysis_sweeps.shift(analysis_sweeps.stable_lrs(ends, rows, math.inf)),
            count,
        )
        return found, -0.5

    return draw


def _clear_sweep(rng: np.random.Generator, count: int, least: float, size: float) -> Sweep:
    """A sweep with one clearly best learning rate, whose mean loss is `least`."""
    heights = np.array([1.0, 0.5, 0.0, 0.5, 1.0])
    noise = rng.normal(0, 0.1, (count, 1)) + rng.normal(0, 0.05, (count, 5))
    return Sweep(size, 2.0 ** np.arange(5), least + heights + noise)


def gain(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
    """The largest size is better by 0.2 at the smallest size's best learning rate."""
    small, large = (_clear_sweep(rng, count, least, size) for least, size in ((3, 1), (2.8, 2)))
    level = analysis_sweeps.level_after_choice([small])
    return mean_over_seeds(analysis_regret.transfer_gain([small, large]), level=level), 0.2


def rise(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
    """The loss of one arm rises by 0.1 with the size, and that of the other by 0.3."""
    arms = [
        [_clear_sweep(rng, count, 3 + more * i, 1.0 + i) for i in range(2)] for more in (0.1, 0.3)
    ]
    rises = [np.subtract(*(analysis_sweeps.tuned_losses(s, s) for s in arm[::-1])) for arm in arms]
    level = analysis_sweeps.level_after_choice(sweep for arm in arms for sweep in arm)
    return mean_over_seeds(rises[1] - rises[0], level=level), 0.2
