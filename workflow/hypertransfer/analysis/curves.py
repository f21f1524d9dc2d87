"""Curves of losses over steps, sizes or learning rates: power laws, crossings, stable spans."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypertransfer.analysis.estimate import Estimate, exact
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import optimize


def power_law_with_floor(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """E, A and b of y ≈ E + A·x^−b by least squares, with E, A ≥ 0 and b between 0.01 and 4.

    For a given b the law is linear in E and A, so one bounded search over b finds the minimum.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)

    def fitted(power: float) -> tuple[np.ndarray, float]:
        return optimize.nnls(np.stack([np.ones_like(x), x**-power], axis=1), y)

    best = optimize.minimize_scalar(
        lambda power: fitted(power)[1], bounds=(0.01, 4), method="bounded"
    )
    (floor, scale), _ = fitted(best.x)
    return float(floor), float(scale), float(best.x)


def power_law_exponent(x: Sequence[float], y: Sequence[float]) -> float:
    """The exponent b of y ∝ x^b, by least squares of log y over log x."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def scaled_to(shape: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values A·shape, all positive, with A such that their geometric mean is that of y."""
    return np.exp(np.log(y).mean() - np.log(shape).mean()) * shape


def slope_per_doubling(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The slope of values over log₂ of the size, by least squares."""
    return float(np.polyfit(np.log2(np.asarray(sizes, float)), values, 1)[0])


def trailing_means(
    steps: np.ndarray, values: np.ndarray, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Trailing means of values (…, step) over a window of `share` of all steps.

    The value at a step is a mean since the previous step, as in a training history. Step 0 is left
    out, and so are windows that begin before it. Returns the steps that remain, shape (remaining,),
    and the means, shape (…, remaining).
    """
    steps, values = steps[1:], values[..., 1:]
    window = steps[-1] * share
    kept = np.flatnonzero(steps >= window * (1 - 1e-9))
    means = [
        values[..., (steps > steps[i] - window) & (steps <= steps[i])].mean(axis=-1) for i in kept
    ]
    return steps[kept], np.stack(means, axis=-1)


def steps_to_loss(steps: np.ndarray, losses: np.ndarray, target: float) -> float:
    """The first step at which the loss is at or below a target; +inf if there is none.

    Losses are interpolated linearly between steps.
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
    """The place at which falling losses cross a target, interpolated linearly between places.

    The estimate is open below if the first loss is at or below the target, and open above if no
    loss reaches the target.
    """
    if losses[0] <= target:
        return Estimate(places[0], -math.inf, places[0])
    place = steps_to_loss(np.array(places), np.array(losses), target)
    return exact(place) if math.isfinite(place) else Estimate(math.inf, places[-1], math.inf)


def stable_span(lrs: Sequence[float], losses: Sequence[float], margin: float) -> Estimate:
    """Octaves of learning rates, around the best one, with a loss within `margin` of the least.

    The loss is interpolated linearly in the logarithm of the learning rate. If a neighbouring run
    diverged, the span ends at the last learning rate before it. The estimate is open above if the
    lowest or the highest learning rate tried is within the margin.
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
