"""Draws of the losses of arms, with the estimate and its truth."""

from __future__ import annotations

import math

import numpy as np
from scipy import special
from tests.simulations.synthetic import Draw

from hypertransfer.analysis import arms
from hypertransfer.analysis import sweeps as analysis_sweeps
from hypertransfer.analysis.estimate import Estimate, linear
from hypertransfer.analysis.intervals import over_seeds
from hypertransfer.analysis.sweeps import Sweep


def best_of(rates: int, rival_rates: int) -> Draw:
    """Two arms whose learning rates are all equally good; one tries more of them."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        offset = rng.normal(0, 0.1, (count, 1))
        sweeps = {}
        for name, number in (("a", rates), ("b", rival_rates)):
            swept = 2 + offset + rng.normal(0, 0.1, (count, number))
            sweeps[name] = Sweep(1.0, 2.0 ** np.arange(number), swept)
        losses = {name: analysis_sweeps.tuned_losses(s, s) for name, s in sweeps.items()}
        level = analysis_sweeps.level_after_choice(sweeps.values())
        return arms.lead("a")(losses, level), 0.0

    return draw


def lead(rivals: int, difference: float = 0.0) -> Draw:
    """An arm against the best of rivals that are equally good."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        offset = rng.normal(0, 0.2, count)
        losses = {"a": 2 + offset + rng.normal(0, 0.1, count)}
        for i in range(rivals):
            losses[f"b{i}"] = 2 + difference + offset + rng.normal(0, 0.1, count)
        return arms.lead("a")(losses), difference

    return draw


def arms_range(number: int, largest: float = 0.0) -> Draw:
    """The range of arms in per cent; one of them is better by `largest` per cent of the mean."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        offset = rng.normal(0, 0.2, count)
        means = [10 + largest / 10 * (i == 0) for i in range(number)]
        losses = {str(i): m + offset + rng.normal(0, 0.1, count) for i, m in enumerate(means)}
        return arms.percent_range(losses), 100 * (max(means) - min(means)) / float(np.mean(means))

    return draw


def ratio(deviation: float) -> Draw:
    """The ratio of the means of two arms, 0.7, whose seeds vary in proportion."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        shared = np.exp(0.2 * rng.normal(size=count))
        losses = {
            name: mean * shared * np.exp(deviation * rng.normal(size=count))
            for name, mean in (("a", 0.7), ("b", 1.0))
        }
        return arms.of_means(lambda v: v["a"] / v["b"], log=True)(losses), 0.7

    return draw


def diverged(noise: float) -> Draw:
    """Runs diverge above a learning rate that varies with the seed, on a grid of seven octaves."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
        edges = rng.uniform(3, 4), rng.uniform(2, 3)
        rates = np.arange(7.0)
        chances = [special.ndtr((rates - edge) / noise).mean() for edge in edges]
        limits = np.array(edges)[:, None, None] + noise * rng.normal(size=(2, count, 1))
        return arms.diverged_difference(rates > limits), 100 * float(chances[1] - chances[0])

    return draw


def _losses(rng: np.random.Generator, count: int, **means: float) -> dict[str, np.ndarray]:
    """Losses of arms that share what a seed brings."""
    shared = rng.normal(0, 0.2, count)
    return {name: mean + shared + rng.normal(0, 0.1, count) for name, mean in means.items()}


def perplexity(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
    """The loss of one arm is lower by 0.2."""
    losses = _losses(rng, count, a=2.8, b=3.0)
    found = arms.of_means(lambda mean: 100 * (1 - math.exp(mean["a"] - mean["b"])))(losses)
    return found, 100 * (1 - math.exp(-0.2))


def interaction(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
    """Two changes gain 0.2 and 0.3, and together 0.6."""
    losses = _losses(rng, count, base=3.0, one=2.8, other=2.7, joint=2.4)
    statistic = arms.of_means(lambda m: m["one"] + m["other"] - m["base"] - m["joint"])
    return statistic(losses), 0.1


def quicker(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
    """Losses fall linearly, and those of one arm reach the other's last after 0.6 of the steps."""
    steps = np.arange(1, 101.0)
    losses = _losses(rng, count, of=3.0, over=3.0)
    of, over = (
        arms.Curve(steps, losses[name][:, None] - speed * steps / 100, 0.95, np.arange(count))
        for name, speed in (("of", 5.0), ("over", 3.0))
    )

    def ratio(seeds: np.ndarray) -> Estimate:
        return linear([1 / 100], [arms.steps_to_final_loss(of, over, seeds)])

    return over_seeds(ratio, count, log=True), 0.6


def shorter(rng: np.random.Generator, count: int) -> tuple[Estimate, float]:
    """Final losses fall linearly in log of the steps; 60 of 100 steps reach the target."""
    horizons = (25, 50, 100)
    ends = np.stack(list(_losses(rng, count, a=4.0, b=3.0, c=2.0).values()))
    goals = 4 - math.log2(60 / 25) + rng.normal(0, 0.1, count)

    def ratio(seeds: np.ndarray) -> Estimate:
        steps = arms.horizon_to_loss(horizons, ends[:, seeds].mean(axis=1), goals[seeds].mean())
        return Estimate(*(2.0**end / 100 for end in (steps.value, steps.low, steps.high)))

    return over_seeds(ratio, count, log=True), 0.6
