"""Forms of a loss curve near its minimum, over log2 of the learning rate.

All forms have a curvature; they differ in skew, by which a curve rises more steeply on one side. Of
the logarithm of the loss, with u the distance from the minimum in octaves:

* `parabola`: no skew, through the best point and its two neighbours;
* `exponential`: c·(e^{κu} − κu − 1)/κ². The skew changes smoothly: the curve tends to a straight
  line on one side and to an exponential on the other;
* `split`: c·u² below the minimum and d·u² above it: the curvature jumps at the minimum.

And of the loss itself, which bends more than its logarithm where it is far above its minimum:

* `split loss`: as `split`.

A sweep of few points cannot tell these forms apart, and their minima differ. The runs therefore
bound the minimum by all of them.
"""

from __future__ import annotations

import math

from hypertransfer.analysis.lazy import numpy as np

FORMS = ("parabola", "exponential", "split", "split loss")
SKEWS = tuple(k / 2 for k in range(-5, 6))  # κ of the exponential form, per octave
PLACES = 41  # places between the neighbours that are tried as minimum of the split form
RIDGE = 1e-12  # of the trace: keeps a fit with too few points on one side solvable
FLAT = 1e-9  # a curvature below this share of the losses' range, per octave², is rounding


def parabola(x: np.ndarray, y: np.ndarray) -> float:
    """The vertex of the parabola through three points, at most half a step from the middle one."""
    left, right = np.diff(y) / np.diff(x)
    middles = (x[:-1] + x[1:]) / 2
    if right == left:
        return float(x[1])
    return float(np.clip(middles[0] - left * np.diff(middles)[0] / (right - left), *middles))


def parabola_at(x: np.ndarray, y: np.ndarray, place: float) -> float:
    """The parabola through three points, at a place."""
    left, right = np.diff(y) / np.diff(x)
    bend = (right - left) / (x[2] - x[0])
    return float(y[0] + (place - x[0]) * (left + bend * (place - x[1])))


def minima(x: np.ndarray, losses: np.ndarray) -> tuple[float, ...]:
    """The minimum of each of `FORMS`, fitted to points around the best one at x = 0.

    `x` and `losses`, shape (point,), hold at least four points; both neighbours of the best point
    are among them. Points far above the best count less: the square of their weight halves where
    they are as high above it as its higher neighbour. A form without a minimum between these
    neighbours, as noise can make them, has that of the parabola. If the losses are not all
    positive, they take the place of their logarithms.
    """
    best = int(np.argmin(np.abs(x)))
    heights = losses - losses[best]  # so that the ridge of a fit sees no level
    logs = np.log(losses) - np.log(losses[best]) if (losses > 0).all() else heights
    vertex = parabola(x[best - 1 : best + 2], logs[best - 1 : best + 2])
    bounds = float(x[best - 1]), float(x[best + 1])
    roots = _roots(logs, best)
    skewed = (
        _exponential(x, logs, roots, bounds),
        _split(x, logs, roots, bounds),
        _split(x, heights, _roots(heights, best), bounds),
    )
    return vertex, *(vertex if math.isnan(place) else place for place in skewed)


def _roots(y: np.ndarray, best: int) -> np.ndarray:
    """Square roots of the weights of points."""
    height = y - y[best]
    near = max(height[best - 1], height[best + 1])
    return 1 / np.sqrt(1 + (height / near) ** 2) if near > 0 else np.ones_like(y)


def _solved(design: np.ndarray, y: np.ndarray, roots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted least squares for a stack (case, point, 3): coefficients (case, 3), misfits."""
    weighted, target = design * roots[:, None], y * roots
    turned = weighted.swapaxes(1, 2)
    normal = turned @ weighted
    normal += RIDGE * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(3)
    coefficients = np.linalg.solve(normal, (turned @ target)[..., None])
    misfits = (weighted @ coefficients)[..., 0] - target
    return coefficients[..., 0], (misfits**2).sum(axis=-1)


def _exponential(
    x: np.ndarray, y: np.ndarray, roots: np.ndarray, bounds: tuple[float, float]
) -> float:
    """The minimum of the exponential form: for a given κ the form is linear in 1, x and e^{κx}."""
    skews = np.array(sorted(SKEWS, key=abs))[:, None]
    kappa = np.where(skews == 0, 1.0, skews)
    bend = np.where(skews == 0, x**2 / 2, (np.exp(kappa * x) - kappa * x - 1) / kappa**2)
    design = np.stack(np.broadcast_arrays(1.0, x, bend), axis=-1)
    coefficients, misfits = _solved(design, y, roots)
    _, tilt, curvature = coefficients.T
    skews, kappa = skews[:, 0], kappa[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        smooth = np.log1p(-kappa * tilt / curvature) / kappa
        places = np.where(skews == 0, -tilt / curvature, smooth)
    valid = (curvature > FLAT * np.ptp(y)) & (places >= bounds[0]) & (places <= bounds[1])
    return _least(places, misfits, valid, np.ptp(y))


def _split(x: np.ndarray, y: np.ndarray, roots: np.ndarray, bounds: tuple[float, float]) -> float:
    """The minimum of the split form: for a given minimum the form is linear in 1, c and d."""
    places = np.linspace(*bounds, PLACES)
    apart = x - places[:, None]
    design = np.stack(
        [np.ones_like(apart), np.minimum(apart, 0) ** 2, np.maximum(apart, 0) ** 2], axis=-1
    )
    coefficients, misfits = _solved(design, y, roots)
    valid = (coefficients[:, 1:] > FLAT * np.ptp(y)).all(axis=1)
    place = _least(places, misfits, valid, np.ptp(y))
    i = int(np.searchsorted(places, place)) if not math.isnan(place) else 0
    if not 0 < i < PLACES - 1 or not valid[i - 1 : i + 2].all():
        return place
    return parabola(places[i - 1 : i + 2], misfits[i - 1 : i + 2])


def _least(places: np.ndarray, misfits: np.ndarray, valid: np.ndarray, height: float) -> float:
    """The first valid place with the least misfit up to rounding; nan if none is valid."""
    if not valid.any():
        return math.nan
    least = misfits[valid].min()
    good = valid & (misfits <= least + (1e-9 * height) ** 2)
    return float(places[np.flatnonzero(good)[0]])
