"""Curves of losses over steps or rates: power laws, crossings, spans."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar, nnls

from hypertransfer.analysis.estimate import Estimate, exact


def power_law_with_floor(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """E, A and b of y ≈ E + A·x^−b by least squares, E and A not negative, b within 0.01 and 4.

    For given b the law is linear, so that one bounded search over b finds the least.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)

    def fitted(power: float) -> tuple[np.ndarray, float]:
        return nnls(np.stack([np.ones_like(x), x**-power], axis=1), y)

    found = minimize_scalar(lambda power: fitted(power)[1], bounds=(0.01, 4), method="bounded")
    (floor, scale), _ = fitted(found.x)
    return float(floor), float(scale), float(found.x)


def trailing_means(
    steps: np.ndarray, values: np.ndarray, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Means over the last `share` of all steps before each one: steps and (…, step) values.

    `values` at a step are means since the step before, as a training history has them; its first
    step, 0, is left out, and so are means of less than the whole window.
    """
    steps, values = steps[1:], values[..., 1:]
    window = steps[-1] * share
    kept = np.flatnonzero(steps >= window * (1 - 1e-9))
    means = [
        values[..., (steps > steps[i] - window) & (steps <= steps[i])].mean(axis=-1) for i in kept
    ]
    return steps[kept], np.stack(means, axis=-1)


def reached(steps: np.ndarray, losses: np.ndarray, target: float) -> float:
    """The first step at which losses are at a target or below; +inf if they never are.

    Between steps the loss is taken as linear.
    """
    below = np.flatnonzero(losses <= target)
    if not len(below):
        return math.inf
    first = below[0]
    if first == 0:
        return float(steps[0])
    (x0, x1), (y0, y1) = steps[first - 1 : first + 1], losses[first - 1 : first + 1]
    return float(x0 + (x1 - x0) * (y0 - target) / (y0 - y1))


def crossing(places: Sequence[float], losses: Sequence[float], target: float) -> Estimate:
    """Where losses that fall with the place come to a target, linearly between places.

    Open where they are below it from the first place on, or above it to the last.
    """
    if losses[0] <= target:
        return Estimate(places[0], -math.inf, places[0])
    found = reached(np.array(places), np.array(losses), target)
    return exact(found) if math.isfinite(found) else Estimate(math.inf, places[-1], math.inf)


def span(lrs: Sequence[float], losses: Sequence[float], margin: float) -> Estimate:
    """Octaves of learning rates around the best one over which the loss is within a margin of it.

    Between learning rates the loss is taken as linear in their logarithm; a divergence ends the
    span at the last rate before it. Open where an end of those tried is within the margin.
    """
    x, y = np.log2(np.asarray(lrs, float)), np.asarray(losses, float)
    best = int(np.argmin(y))
    limit = y[best] + margin
    reach, open_ends = [0.0, 0.0], 0
    for side, step in enumerate((-1, 1)):
        at = best
        while 0 <= at + step < len(x) and y[at + step] <= limit:
            at += step
        if not 0 <= at + step < len(x):
            open_ends += 1
        over = y[at + step] if 0 <= at + step < len(x) else math.inf
        share = (limit - y[at]) / (over - y[at]) if math.isfinite(over) else 0.0
        reach[side] = abs(x[at] - x[best]) + share * (abs(x[at + step] - x[at]) if share else 0.0)
    total = float(sum(reach))
    return Estimate(total, total, math.inf if open_ends else total)
