"""Regions of the unit cube: the smallest box or ellipsoid that holds the winners of earlier tasks.

Coordinates are those of `dimensions.Domain`. Following Perrone et al. (2019, 1909.12552), the box
{x : l ≤ x ≤ u} minimises ½‖u − l‖², and the ellipsoid {x : ‖Ax + b‖ ≤ 1} minimises −log det A and
thus its volume (Löwner-John ellipsoid). With slack λ > 0, winners may lie outside: the fit
minimises λ times the size plus the mean distance of the winners outside. How the paper scales its
slacks is not known to us; here, λ refers to the coordinates of the unit cube.

A floor (ours) bounds the half-widths of a box and the semi-axes of an ellipsoid from below. Without
a floor, regions collapse if winners agree in a coordinate, as on a grid of learning rates, or if
there are fewer winners than dimensions. Both problems are convex with the floor as well.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

FLOOR = 0.05  # default floor, as a share of the range
INSIDE = 1e-6  # tolerance of the gauge, since the solver finds borders only approximately
CHECKS = 4096  # quasi-random points on which volumes are estimated
MOST_ROUNDS = 1000  # of rejection sampling
MOST_DOUBLINGS = 20  # of the length of a quasi-random sequence
OUTSIDE = "almost the whole ellipsoid lies outside the search space"


class RegionError(ValueError):
    """A region cannot be fitted to points, or no points can be drawn from a region."""


class Region(Protocol):
    """A part of the unit cube of dimension d."""

    @property
    def dimension(self) -> int:
        """The number of coordinates, d."""

    @property
    def volume(self) -> float:
        """The volume of the region within the cube, which has volume 1."""

    def gauge(self, points: np.ndarray) -> np.ndarray:
        """The factors (n,) by which the region must grow about its centre to hold points (n, d)."""

    def draw(self, number: int, generator: np.random.Generator) -> np.ndarray:
        """Random points (number, d), uniform in the region."""

    def spread(self, number: int, seed: int) -> np.ndarray:
        """Quasi-random points (number, d) in the region."""

    def plain(self) -> dict[str, Any]:
        """The region as plain values, for `from_plain`."""


@dataclass(frozen=True)
class Box:
    """{x : low ≤ x ≤ high}, within the cube; low and high are (d,)."""

    low: np.ndarray
    high: np.ndarray

    @property
    def dimension(self) -> int:
        """The number of coordinates, d."""
        return len(self.low)

    @property
    def volume(self) -> float:
        """The volume: ∏ (high − low)."""
        return float(np.prod(self.high - self.low))

    @property
    def centre(self) -> np.ndarray:
        """The centre (d,)."""
        return (self.low + self.high) / 2

    def gauge(self, points: np.ndarray) -> np.ndarray:
        """max_j |x_j − c_j| / h_j of each point x, with centre c and half-widths h; shape (n,)."""
        half = (self.high - self.low) / 2
        return np.abs((np.atleast_2d(points) - self.centre) / half).max(axis=1)

    def draw(self, number: int, generator: np.random.Generator) -> np.ndarray:
        """Random points (number, d), uniform in the box."""
        return generator.uniform(self.low, self.high, (number, self.dimension))

    def spread(self, number: int, seed: int) -> np.ndarray:
        """Points (number, d) of a scrambled Sobol sequence in the box."""
        return self.low + _sobol(self.dimension, number, seed) * (self.high - self.low)

    def plain(self) -> dict[str, Any]:
        """The region as plain values, for `from_plain`."""
        return {"shape": "box", "low": self.low.tolist(), "high": self.high.tolist()}


@dataclass(frozen=True)
class Ellipsoid:
    """{x : ‖Ax + b‖ ≤ 1} within the cube; A (d, d) is symmetric positive definite, b is (d,)."""

    a: np.ndarray
    b: np.ndarray

    @property
    def dimension(self) -> int:
        """The number of coordinates, d."""
        return len(self.b)

    @cached_property
    def centre(self) -> np.ndarray:
        """The centre (d,)."""
        return np.linalg.solve(self.a, -self.b)

    @property
    def whole_volume(self) -> float:
        """The volume including the parts outside the cube: π^(d/2) / Γ(d/2 + 1) / det A."""
        d = self.dimension
        return math.pi ** (d / 2) / math.gamma(d / 2 + 1) / float(np.linalg.det(self.a))

    @cached_property
    def volume(self) -> float:
        """The volume within the cube: the whole volume times the share that lies in the cube.

        The share is estimated on `CHECKS` quasi-random points of the ellipsoid.
        """
        return self.whole_volume * float(_in_cube(self._sequence(CHECKS, 0)).mean())

    def gauge(self, points: np.ndarray) -> np.ndarray:
        """‖Ax + b‖ of each point x; shape (n,)."""
        return np.linalg.norm(np.atleast_2d(points) @ self.a + self.b, axis=1)

    def draw(self, number: int, generator: np.random.Generator) -> np.ndarray:
        """Random points (number, d), uniform in the part of the ellipsoid within the cube.

        Raises:
            RegionError: almost the whole ellipsoid lies outside the cube.
        """
        batches: list[np.ndarray] = []
        count, size = 0, max(number, 16)
        for _ in range(MOST_ROUNDS):
            directions = generator.standard_normal((size, self.dimension))
            points = self._mapped(directions, generator.random(size))
            batches.append(points[_in_cube(points)])
            count += len(batches[-1])
            if count >= number:
                return np.concatenate(batches)[:number]
        raise RegionError(OUTSIDE)

    def spread(self, number: int, seed: int) -> np.ndarray:
        """The first points (number, d) of a quasi-random sequence in the ellipsoid and the cube.

        Raises:
            RegionError: almost the whole ellipsoid lies outside the cube.
        """
        length = number
        for _ in range(MOST_DOUBLINGS):
            points = self._sequence(length, seed)
            points = points[_in_cube(points)]
            if len(points) >= number:
                return points[:number]
            length *= 2
        raise RegionError(OUTSIDE)

    def _sequence(self, number: int, seed: int) -> np.ndarray:
        """Quasi-random points (number, d) of the ellipsoid, from d + 1 Sobol coordinates.

        The normal quantiles of d coordinates give the direction, and the last coordinate gives the
        radius.
        """
        from scipy.special import ndtri

        unit = _sobol(self.dimension + 1, number, seed)
        return self._mapped(ndtri(unit[:, :-1]), unit[:, -1])

    def _mapped(self, directions: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
        """Points A⁻¹(q^(1/d) z/‖z‖ − b) (n, d) of the ellipsoid, for directions z and quantiles q.

        The points are uniform in the ellipsoid if z (n, d) is isotropic and q (n,) uniform in
        [0, 1]; Perrone et al. (2019) draw in the same way.
        """
        radii = quantiles ** (1 / self.dimension) / np.linalg.norm(directions, axis=1)
        return np.linalg.solve(self.a, (directions * radii[:, None] - self.b).T).T

    def plain(self) -> dict[str, Any]:
        """The region as plain values, for `from_plain`."""
        return {"shape": "ellipsoid", "a": self.a.tolist(), "b": self.b.tolist()}


def cube(dimension: int) -> Box:
    """The whole unit cube."""
    return Box(np.zeros(dimension), np.ones(dimension))


def from_plain(values: Mapping[str, Any]) -> Box | Ellipsoid:
    """The region of the values that `plain` returned."""
    if values["shape"] == "box":
        return Box(np.array(values["low"]), np.array(values["high"]))
    return Ellipsoid(np.array(values["a"]), np.array(values["b"]))


def fit(shape: str, points: np.ndarray, slack: float = 0.0, floor: float = FLOOR) -> Region:
    """The smallest box or ellipsoid that holds points (n, d) of the unit cube.

    With `slack` λ > 0, some points may lie outside; see the docstring of this module.

    Raises:
        RegionError: there are no points, a point lies outside the cube, `slack` is negative,
            `floor` is not in (0, ½], or the solver finds no region.
    """
    points = np.atleast_2d(np.asarray(points, dtype=float))
    if not points.size:
        raise RegionError("no points: a region needs at least one winner")
    if not np.isfinite(points).all() or points.min() < 0 or points.max() > 1:
        raise RegionError("a point lies outside the unit cube")
    if not 0 < floor <= 0.5 or slack < 0:
        text = f"floor {floor:g} must be above 0 and at most 0.5, slack {slack:g} at least 0"
        raise RegionError(text)
    return {"box": fit_box, "ellipsoid": fit_ellipsoid}[shape](points, slack, floor)


def fit_box(points: np.ndarray, slack: float, floor: float) -> Box:
    """The smallest box for points (n, d): in closed form or, with slack, by a quadratic program.

    The program minimises λ/2 ‖u − l‖² + 1/(2n) Σ (ξ⁻ + ξ⁺), summed over points and dimensions,
    subject to l − ξ⁻ ≤ x ≤ u + ξ⁺, ξ ≥ 0 and l ≤ u.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    if slack:
        import cvxpy as cp

        n, d = points.shape
        l, u = cp.Variable(d), cp.Variable(d)  # noqa: E741 - as in the formula
        below, above = cp.Variable((n, d), nonneg=True), cp.Variable((n, d), nonneg=True)
        rows = np.ones((n, 1))
        size = slack / 2 * cp.sum_squares(u - l) + cp.sum(below + above) / (2 * n)
        lows, highs = rows @ cp.reshape(l, (1, d), "C"), rows @ cp.reshape(u, (1, d), "C")
        _solve(size, [lows - below <= points, points <= highs + above, l <= u])
        low, high = np.minimum(l.value, u.value), np.maximum(l.value, u.value)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, floor)
    middle = np.clip(middle, half, 1 - half)  # a box at the floor stays in the cube
    return Box(np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1))


def fit_ellipsoid(points: np.ndarray, slack: float, floor: float) -> Ellipsoid:
    """The ellipsoid for points (n, d) that minimises −log det A subject to ‖Ax + b‖ ≤ 1.

    With slack λ, the ellipsoid minimises −λ log det A + mean ξ subject to ‖Ax + b‖ ≤ 1 + ξ, ξ ≥ 0.
    The floor bounds the largest eigenvalue of A by 1/floor. Points are centred at their mean, and
    divided by their largest distance from the mean in any coordinate, because the solver fails on
    small regions otherwise.

    Raises:
        RegionError: the solver finds no region.
    """
    import cvxpy as cp

    n, d = points.shape
    middle = points.mean(axis=0)
    reach = max(float(np.abs(points - middle).max()), floor)
    a, b = cp.Variable((d, d), PSD=True), cp.Variable((1, d))
    away = cp.norm((points - middle) / reach @ a + np.ones((n, 1)) @ b, axis=1)
    small = -cp.log_det(a)
    constraints = [(floor / reach) * a << np.eye(d)]
    if slack:
        outside = cp.Variable(n, nonneg=True)
        _solve(slack * small + cp.sum(outside) / n, [*constraints, away <= 1 + outside])
    else:
        _solve(small, [*constraints, away <= 1])
    matrix = (a.value + a.value.T) / (2 * reach)
    solved = Ellipsoid(matrix, b.value.ravel() - middle @ matrix)
    # The solver satisfies constraints up to a tolerance; without slack, all points must be inside.
    over = 1.0 if slack else max(1.0, float(solved.gauge(points).max()))
    return Ellipsoid(solved.a / over, solved.b / over)


def _solve(objective: Any, constraints: list) -> None:
    """Solve a convex program with Clarabel, and again without equilibration if that fails.

    Raises:
        RegionError: Clarabel finds no solution either time.
    """
    import cvxpy as cp

    problem = cp.Problem(cp.Minimize(objective), constraints)
    for scaling in (True, False):
        try:
            with warnings.catch_warnings():  # reduced accuracy is enough here
                warnings.filterwarnings("ignore", "Solution may be inaccurate")
                problem.solve(solver=cp.CLARABEL, equilibrate_enable=scaling)
        except cp.SolverError:
            continue
        if problem.status in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
            return
    raise RegionError("the cone solver found no region: try another floor or slack")


def _sobol(dimension: int, number: int, seed: int) -> np.ndarray:
    """Scrambled Sobol points (number, dimension), strictly between 0 and 1."""
    from scipy.stats import qmc

    power = max(number - 1, 1).bit_length()
    points = qmc.Sobol(dimension, rng=seed).random_base2(power)[:number]
    return np.clip(points, 1e-12, 1 - 1e-12)


def _in_cube(points: np.ndarray) -> np.ndarray:
    """A mask (n,) of points (n, d) that lie in the unit cube."""
    return ((points >= 0) & (points <= 1)).all(axis=1)
