"""The best learning rate of one curve of losses, in octaves (log2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hypertransfer.analysis.estimate import AnalysisError, Estimate
from hypertransfer.analysis.lazy import numpy as np


@dataclass(frozen=True)
class Optimum:
    """The minimum of the loss over log2 lr, estimated from the learning rates tried.

    Attributes:
        log2_lr: log2 of the learning rate at the vertex of the parabola, or of the best learning
            rate tried where there is no parabola.
        loss: the loss there.
        best: log2 of the best learning rate tried.
        low: lower bound of the minimum's log2 lr, −inf if open.
        high: upper bound of the minimum's log2 lr, +inf if open.
        edge: why the minimum is not bracketed: `low` or `high` (the best learning rate is the
            lowest or the highest tried), `both` (only one was tried), `none` (every run diverged);
            empty if the minimum is bracketed.
        curvature: d²loss/d(log2 lr)², nan without a parabola.
    """

    log2_lr: float
    loss: float
    best: float
    low: float
    high: float
    edge: str
    curvature: float

    @property
    def estimate(self) -> Estimate:
        """log2 of the optimal learning rate, with its bounds."""
        return Estimate(self.log2_lr, self.low, self.high)


def optimum(lrs: Sequence[float], losses: Sequence[float]) -> Optimum:
    """The vertex of the parabola in log2 lr through the best point and its two neighbours.

    The vertex always lies within half a step of the best point. If a neighbour is missing or
    diverged, there is no parabola. Then the optimum is the best point, and its bound on each side
    depends on the neighbour:

    * a neighbour with a finite loss: half a step away, the largest distance of a vertex;
    * a neighbour that diverged (+inf): the neighbour itself. The neighbour brackets the optimum,
      but the losses do not show at which lower learning rate training becomes unstable;
    * no neighbour, on the edge of the grid: ±inf.

    If all learning rates diverged, both bounds are infinite. Among points of equal loss the best
    point is the middle one inside the grid. For three equal points in a row the bounds are the
    outer two.

    Raises:
        AnalysisError: there are no points, a learning rate is not positive or occurs twice, or a
            loss is neither a finite number nor +inf.
    """
    x, y = _curve(lrs, losses)
    if not np.isfinite(y).any():
        return Optimum(math.nan, math.inf, math.nan, -math.inf, math.inf, "none", math.nan)
    i, last = best_index(y), len(x) - 1
    edge = {(True, True): "both", (True, False): "low", (False, True): "high"}.get(
        (i == 0, i == last), ""
    )
    if not edge and np.isfinite(y[i - 1 : i + 2]).all():
        return _vertex(x[i - 1 : i + 2], y[i - 1 : i + 2])
    low = -math.inf if i == 0 else _reach(x[i], x[i - 1], y[i - 1])
    high = math.inf if i == last else _reach(x[i], x[i + 1], y[i + 1])
    return Optimum(float(x[i]), float(y[i]), float(x[i]), low, high, edge, math.nan)


def _curve(lrs: Sequence[float], losses: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    lrs, losses = np.asarray(lrs, float), np.asarray(losses, float)
    if lrs.ndim != 1 or lrs.shape != losses.shape or not lrs.size:
        raise AnalysisError("a sweep needs as many losses as learning rates, at least one")
    if not (np.isfinite(lrs) & (lrs > 0)).all():
        raise AnalysisError(f"learning rates must be positive numbers, got {lrs.tolist()}")
    if len(np.unique(lrs)) < len(lrs):
        raise AnalysisError(f"a learning rate occurs twice in {np.sort(lrs).tolist()}")
    if np.isnan(losses).any() or (losses == -math.inf).any():
        raise AnalysisError("a loss must be a finite number, or +inf for a run that diverged")
    order = np.argsort(lrs)
    return np.log2(lrs[order]), losses[order]


def best_index(losses: np.ndarray) -> int:
    """The index of the least loss; among equal losses, the middle one inside the grid."""
    tied = np.flatnonzero(losses == losses.min())
    return int(min(tied, key=lambda i: (i in (0, len(losses) - 1), abs(i - tied.mean()))))


def _reach(here: float, neighbour: float, loss: float) -> float:
    return float((here + neighbour) / 2 if math.isfinite(loss) else neighbour)


def _vertex(x: np.ndarray, y: np.ndarray) -> Optimum:
    left, right = np.diff(y) / np.diff(x)
    curvature = 2 * (right - left) / (x[2] - x[0])
    if curvature == 0:
        return Optimum(*map(float, (x[1], y[1], x[1], x[0], x[2])), "", 0.0)
    # The chord's slope is the parabola's slope in the middle of the chord.
    vertex = np.clip((x[0] + x[1]) / 2 - left / curvature, (x[0] + x[1]) / 2, (x[1] + x[2]) / 2)
    slope = left + curvature * (x[1] - x[0]) / 2
    loss = y[1] + (slope + curvature * (vertex - x[1]) / 2) * (vertex - x[1])
    return Optimum(*map(float, (vertex, loss, x[1], vertex, vertex)), "", float(curvature))


def max_stable_lr(
    lrs: Sequence[float], losses: Sequence[float], ceiling: float = math.inf
) -> Estimate:
    """log2 of the largest learning rate below the first unstable one.

    A run is unstable if it diverged, or if its loss ends above `ceiling` at a learning rate
    above the best one (below the best one, a high loss means slow training). The bounds are the
    last stable and the first unstable learning rate. If all learning rates are stable, the upper
    bound is +inf; if none is, the lower bound is −inf and the upper bound the lowest learning rate.
    """
    x, y = _curve(lrs, losses)
    unstable = np.flatnonzero(np.isinf(y) | ((y > ceiling) & (x > x[best_index(y)])))
    if not unstable.size:
        return Estimate(float(x[-1]), float(x[-1]), math.inf)
    first = unstable[0]
    if first == 0:
        return Estimate(float(x[0]), -math.inf, float(x[0]))
    return Estimate(float(x[first - 1]), float(x[first - 1]), float(x[first]))
