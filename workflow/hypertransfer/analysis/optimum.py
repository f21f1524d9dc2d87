"""The best learning rate of one curve of losses, in octaves (log2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hypertransfer.analysis.estimate import AnalysisError, Estimate, exact
from hypertransfer.analysis.intervals import hull
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.loss_curve import FORMS, minima, parabola, parabola_at

REACH = 2.0  # octaves on either side of the best point within which points are fitted
SKEW_BIAS = 1 / 3  # share of a step by which skew moves the vertex of a parabola, at 16× steeper


@dataclass(frozen=True)
class Optimum:
    """The minimum of the loss over log2 lr, estimated from the learning rates tried.

    Attributes:
        log2_lr: log2 of the learning rate at the minimum of the fitted curve (the median over
            `forms`), or of the best learning rate tried where no curve is fitted.
        loss: the loss there, by the parabola through the best point and its neighbours.
        best: log2 of the best learning rate tried.
        low: lower bound of the minimum's log2 lr, −inf if open.
        high: upper bound of the minimum's log2 lr, +inf if open.
        edge: why the minimum is not bracketed: `low` or `high` (the best learning rate is the
            lowest or the highest tried), `both` (only one was tried), `none` (every run diverged);
            empty if the minimum is bracketed.
        forms: the estimate under each form of the curve in `FORMS`.
    """

    log2_lr: float
    loss: float
    best: float
    low: float
    high: float
    edge: str
    forms: tuple[Estimate, ...]

    @property
    def estimate(self) -> Estimate:
        """log2 of the optimal learning rate, with its bounds."""
        return Estimate(self.log2_lr, self.low, self.high)

    @property
    def is_fitted(self) -> bool:
        """Whether curves of every form were fitted, so that only the form is open."""
        return all(form.low == form.high for form in self.forms)


def optimum(lrs: Sequence[float], losses: Sequence[float]) -> Optimum:
    """The minimum of curves in log2 lr that are fitted around the best point.

    If both neighbours of the best point are finite, and there are four finite points within two
    places or two octaves of it, three forms are fitted to the logarithm of the loss (see
    `loss_curve`), which bound the minimum together. With three points only the parabola is known,
    and skew (a steeper curve on one side) may move its vertex by up to a third of a step, which are
    the bounds. If a neighbour is missing or diverged, nothing is fitted. Then the optimum is the
    best point, and its bound on each side depends on the neighbour:

    * a lower neighbour with a finite loss: half a step away. This assumes that the loss rises no
      more steeply below the optimum than above;
    * an upper neighbour with a finite loss: the neighbour itself;
    * a neighbour that diverged (+inf): the neighbour itself. The neighbour brackets the optimum,
      but the losses do not show at which lower learning rate training becomes unstable;
    * no neighbour, on the edge of the grid: ±inf.

    Learning rates whose loss is nan were not tried. If all learning rates diverged, both bounds are
    infinite. Among points of equal loss the best point is the middle one inside the grid. For three
    equal points in a row the bounds are the outer two.

    Raises:
        AnalysisError: there are no points, a learning rate is not positive or occurs twice, or a
            loss is −inf.
    """
    x, y = _curve(lrs, losses)
    if not np.isfinite(y).any():
        return _unfitted(math.nan, math.inf, (-math.inf, math.inf), "none")
    i, last = best_index(y), len(x) - 1
    edge = {(True, True): "both", (True, False): "low", (False, True): "high"}.get(
        (i == 0, i == last), ""
    )
    if not edge and np.isfinite(y[i - 1 : i + 2]).all():
        return _bracketed(x, y, i)
    low = -math.inf if i == 0 else x[i - 1]
    if i > 0 and math.isfinite(y[i - 1]):
        low = (x[i - 1] + x[i]) / 2
    return _unfitted(x[i], y[i], (low, math.inf if i == last else x[i + 1]), edge)


def _unfitted(best: float, loss: float, bounds: tuple[float, float], edge: str) -> Optimum:
    best, loss, low, high = map(float, (best, loss, *bounds))
    return Optimum(best, loss, best, low, high, edge, (Estimate(best, low, high),) * len(FORMS))


def _bracketed(x: np.ndarray, y: np.ndarray, i: int) -> Optimum:
    """The optimum where the best point and both its neighbours are finite."""
    near = slice(i - 1, i + 2)
    if np.ptp(y[near]) == 0:
        return _unfitted(x[i], y[i], (x[i - 1], x[i + 1]), "")
    places = np.abs(np.arange(len(x)) - i)
    close = np.isfinite(y) & ((places <= 2) | (np.abs(x - x[i]) <= REACH + 1e-9))
    if close.sum() > 3:
        forms = [exact(float(x[i] + v)) for v in minima(x[close] - x[i], y[close])]
    else:
        logs = np.log(y[near]) if (y[near] > 0).all() else y[near]
        vertex, (left, right) = parabola(x[near], logs), np.diff(x[near]) * SKEW_BIAS
        forms = [Estimate(vertex, float(vertex - left), float(vertex + right))] * len(FORMS)
    whole = hull(forms)
    loss = parabola_at(x[near] - x[i], y[near], whole.value - x[i])
    return Optimum(whole.value, loss, float(x[i]), whole.low, whole.high, "", tuple(forms))


def _curve(lrs: Sequence[float], losses: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    lrs, losses = np.asarray(lrs, float), np.asarray(losses, float)
    if lrs.ndim != 1 or lrs.shape != losses.shape or not lrs.size:
        raise AnalysisError("a sweep needs as many losses as learning rates, at least one")
    if not (np.isfinite(lrs) & (lrs > 0)).all():
        raise AnalysisError(f"learning rates must be positive numbers, got {lrs.tolist()}")
    if len(np.unique(lrs)) < len(lrs):
        raise AnalysisError(f"a learning rate occurs twice in {np.sort(lrs).tolist()}")
    if (losses == -math.inf).any():
        raise AnalysisError("a loss must be a finite number, or +inf for a run that diverged")
    tried = np.flatnonzero(~np.isnan(losses))
    order = tried[np.argsort(lrs[tried])]
    return np.log2(lrs[order]), losses[order]


def best_index(losses: np.ndarray) -> int:
    """The index of the least loss; among equal losses, the middle one inside the grid."""
    tied = np.flatnonzero(losses == losses.min())
    return int(min(tied, key=lambda i: (i in (0, len(losses) - 1), abs(i - tied.mean()))))


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
