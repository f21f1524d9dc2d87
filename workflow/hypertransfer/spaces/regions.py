"""Regions of a search space, learned as the smallest that hold the winners of earlier tasks.

After Perrone et al. 2019 (1909.12552), in the unit cube of `dimensions.Domain`. A box is the least
in ½‖u − l‖²; an ellipsoid {x : ‖Ax + b‖ ≤ 1} the least in volume (Löwner and John). With slack λ,
outlying winners may stay outside at a price: the mean over winners of how far outside they are,
against λ times the size. The paper's own scaling of slack is not known; this one is for the unit
cube.

A floor keeps regions from collapsing where winners agree, as on a grid of learning rates, or are
fewer than the dimensions: no half-width of a box, no semi-axis of an ellipsoid is less. Both
programs stay convex by it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

FLOOR = 0.05  # of the range
INSIDE = 1e-6  # by which a winner on the border may be outside: the cone solver's tolerance
CHECKS = 4096  # quasi-random points that the volume of what a cube cuts off is counted with
MOST_ROUNDS = 1000  # of drawing again what fell outside the cube


class RegionError(ValueError):
    """Winners that no region can be learned from."""


class Region(Protocol):
    """A part of the unit cube of dimension d."""

    @property
    def dimension(self) -> int:
        """The number of coordinates, d."""

    @property
    def volume(self) -> float:
        """The share of the cube that it takes."""

    def gauge(self, points: np.ndarray) -> np.ndarray:
        """By which factor (n,) it must grow about its centre to hold each of points (n, d)."""

    def draw(self, number: int, generator: np.random.Generator) -> np.ndarray:
        """Points (number, d), uniform in it."""

    def spread(self, number: int, seed: int) -> np.ndarray:
        """Points (number, d) of a quasi-random sequence in it."""

    def plain(self) -> dict[str, Any]:
        """As plain values, for `from_plain`."""


def contains(region: Region, points: np.ndarray) -> np.ndarray:
    """Which (n,) of points (n, d) lie in the region, its border included."""
    return region.gauge(points) <= 1 + INSIDE


@dataclass(frozen=True)
class Box:
    """{x : low ≤ x ≤ high} within the cube."""

    low: np.ndarray
    high: np.ndarray

    @property
    def dimension(self) -> int:
        """The number of coordinates."""
        return len(self.low)

    @property
    def volume(self) -> float:
        """The share of the cube: ∏ (high − low)."""
        return float(np.prod(self.high - self.low))

    @property
    def centre(self) -> np.ndarray:
        """The middle (d,)."""
        return (self.low + self.high) / 2

    def gauge(self, points: np.ndarray) -> np.ndarray:
        """max_j |x_j − c_j| / half-width_j of each point."""
        half = (self.high - self.low) / 2
        return np.abs((np.atleast_2d(points) - self.centre) / half).max(axis=1)

    def draw(self, number: int, generator: np.random.Generator) -> np.ndarray:
        """Points (number, d), uniform in it."""
        return generator.uniform(self.low, self.high, (number, self.dimension))

    def spread(self, number: int, seed: int) -> np.ndarray:
        """Points (number, d) of a scrambled Sobol sequence in it."""
        return self.low + _sobol(self.dimension, number, seed) * (self.high - self.low)

    def plain(self) -> dict[str, Any]:
        """As plain values."""
        return {"shape": "box", "low": self.low.tolist(), "high": self.high.tolist()}


@dataclass(frozen=True)
class Ellipsoid:
    """{x : ‖Ax + b‖ ≤ 1}, A symmetric and positive definite, as far as it lies in the cube."""

    a: np.ndarray
    b: np.ndarray

    @property
    def dimension(self) -> int:
        """The number of coordinates."""
        return len(self.b)

    @cached_property
    def centre(self) -> np.ndarray:
        """The middle (d,)."""
        return np.linalg.solve(self.a, -self.b)

    @property
    def semi_axes(self) -> np.ndarray:
        """Lengths (d,) of the semi-axes, the longest first."""
        return 1 / np.linalg.eigvalsh(self.a)

    @property
    def whole_volume(self) -> float:
        """The volume in closed form, π^(d/2) / Γ(d/2 + 1) / det A, outside the cube too."""
        d = self.dimension
        return math.pi ** (d / 2) / math.gamma(d / 2 + 1) / float(np.linalg.det(self.a))

    @cached_property
    def volume(self) -> float:
        """The share of the cube: the whole volume times the share of it that is inside.

        That share is counted on `CHECKS` quasi-random points of the ellipsoid.
        """
        return self.whole_volume * float(_in_cube(self._balls(CHECKS, 0)).mean())

    def gauge(self, points: np.ndarray) -> np.ndarray:
        """‖Ax + b‖ of each point."""
        return np.linalg.norm(np.atleast_2d(points) @ self.a + self.b, axis=1)

    def draw(self, number: int, generator: np.random.Generator) -> np.ndarray:
        """Points (number, d), uniform in it; those outside the cube are drawn again.

        A direction, a radius r^(1/d), and A⁻¹ of that (Perrone et al. 2019).
        """

        def some(count: int) -> np.ndarray:
            directions = generator.standard_normal((count, self.dimension))
            return self._from_ball(directions, generator.random(count))

        return _refilled(some, number)

    def spread(self, number: int, seed: int) -> np.ndarray:
        """Points (number, d) of a quasi-random sequence in it, without those outside the cube.

        d + 1 scrambled Sobol coordinates: normal quantiles of d give the direction, one the radius.
        """
        kept, count = np.empty((0, self.dimension)), number
        for _ in range(20):
            kept = self._balls(count, seed)
            kept = kept[_in_cube(kept)]
            if len(kept) >= number:
                return kept[:number]
            count *= 2
        raise RegionError("almost nothing of the ellipsoid lies in the search space")

    def _balls(self, number: int, seed: int) -> np.ndarray:
        from scipy.special import ndtri

        unit = _sobol(self.dimension + 1, number, seed)
        return self._from_ball(ndtri(unit[:, :-1]), unit[:, -1])

    def _from_ball(self, directions: np.ndarray, places: np.ndarray) -> np.ndarray:
        radii = places ** (1 / self.dimension) / np.linalg.norm(directions, axis=1)
        return np.linalg.solve(self.a, (directions * radii[:, None] - self.b).T).T

    def plain(self) -> dict[str, Any]:
        """As plain values."""
        return {"shape": "ellipsoid", "a": self.a.tolist(), "b": self.b.tolist()}


def cube(dimension: int) -> Box:
    """The whole space."""
    return Box(np.zeros(dimension), np.ones(dimension))


def from_plain(values: Mapping[str, Any]) -> Box | Ellipsoid:
    """The region of `plain`."""
    if values["shape"] == "box":
        return Box(np.array(values["low"]), np.array(values["high"]))
    return Ellipsoid(np.array(values["a"]), np.array(values["b"]))


def fit(shape: str, points: np.ndarray, slack: float = 0.0, floor: float = FLOOR) -> Region:
    """The smallest region of a shape that holds points (n, d) of the unit cube.

    With `slack` λ > 0 some may stay outside; see the module.

    Raises:
        RegionError: no points, points outside the cube, or a floor that is not within 0 and ½.
    """
    points = np.atleast_2d(np.asarray(points, dtype=float))
    if not points.size:
        raise RegionError("no points: a region is learned from the winners of one task or more")
    if not np.isfinite(points).all() or points.min() < 0 or points.max() > 1:
        raise RegionError("points outside the unit cube")
    if not 0 < floor <= 0.5 or slack < 0:
        raise RegionError(f"a floor of {floor:g} or a slack of {slack:g} cannot be meant")
    return {"box": fit_box, "ellipsoid": fit_ellipsoid}[shape](points, slack, floor)


def fit_box(points: np.ndarray, slack: float, floor: float) -> Box:
    """The least box: in closed form if tight, by one quadratic program if with slack.

    λ/2 ‖u − l‖² + 1/(2n) Σ (ξ⁻ + ξ⁺) over winners and dimensions, l − ξ⁻ ≤ x ≤ u + ξ⁺. It falls
    apart by dimensions, and the program is solved in all at once.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    if slack:
        import cvxpy as cp

        n, d = points.shape
        l, u = cp.Variable(d), cp.Variable(d)  # noqa: E741 - the paper's names
        below, above = cp.Variable((n, d), nonneg=True), cp.Variable((n, d), nonneg=True)
        rows = np.ones((n, 1))
        size = slack / 2 * cp.sum_squares(u - l) + cp.sum(below + above) / (2 * n)
        lows, highs = rows @ cp.reshape(l, (1, d), "C"), rows @ cp.reshape(u, (1, d), "C")
        _solve(size, [lows - below <= points, points <= highs + above, l <= u])
        low, high = np.minimum(l.value, u.value), np.maximum(l.value, u.value)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, floor)
    middle = np.clip(middle, half, 1 - half)  # a box that the floor widens stays in the cube
    return Box(np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1))


def fit_ellipsoid(points: np.ndarray, slack: float, floor: float) -> Ellipsoid:
    """The least ellipsoid: −log det A, or −λ log det A + mean ξ with ‖Ax + b‖ ≤ 1 + ξ.

    The floor is a bound on the largest eigenvalue of A, 1/floor. The program is solved for points
    about their middle, in units of their reach: as they are, it fails where a region is small.
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
    found = Ellipsoid(matrix, b.value.ravel() - middle @ matrix)
    # A solver keeps its constraints to a tolerance; winners of a tight region lie in it exactly.
    over = 1.0 if slack else max(1.0, float(found.gauge(points).max()))
    return Ellipsoid(found.a / over, found.b / over)


def _solve(objective: Any, constraints: list) -> None:
    """Solve a convex program; where the solver's own scaling of rows fails, without it.

    Raises:
        RegionError: it cannot be solved.
    """
    import cvxpy as cp

    problem = cp.Problem(cp.Minimize(objective), constraints)
    for scaling in (True, False):
        try:
            with warnings.catch_warnings():  # less exact than it would like is exact enough here
                warnings.filterwarnings("ignore", "Solution may be inaccurate")
                problem.solve(solver=cp.CLARABEL, equilibrate_enable=scaling)
        except cp.SolverError:
            continue
        if problem.status in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
            return
    raise RegionError("the cone solver found no region: try another floor or slack")


def _sobol(dimension: int, number: int, seed: int) -> np.ndarray:
    """Scrambled Sobol points (number, dimension), strictly within 0 and 1."""
    from scipy.stats import qmc

    power = max(number - 1, 1).bit_length()
    points = qmc.Sobol(dimension, rng=seed).random_base2(power)[:number]
    return np.clip(points, 1e-12, 1 - 1e-12)


def _in_cube(points: np.ndarray) -> np.ndarray:
    return ((points >= 0) & (points <= 1)).all(axis=1)


def _refilled(some: Any, number: int) -> np.ndarray:
    """So many points inside the cube, of a source that gives some outside too.

    Raises:
        RegionError: almost all are outside.
    """
    found: list[np.ndarray] = []
    count = 0
    for _ in range(MOST_ROUNDS):
        points = some(max(number, 16))
        found.append(points[_in_cube(points)])
        count += len(found[-1])
        if count >= number:
            return np.concatenate(found)[:number]
    raise RegionError("almost nothing of the ellipsoid lies in the search space")
