"""The largest eigenvalues of a symmetric operator, from a warm start, with an error bound.

Rayleigh–Ritz on a subspace that grows by residuals, stopped by a residual bound.

From one vector this is Lanczos with full re-orthogonalisation, since the residuals of all
Ritz pairs are then parallel. For k = 1 it starts from one: what was found at the previous
checkpoint mixed with a random vector, without which a warm start stays blind to a
new direction that overtakes the old one. For k > 1 it starts from a block, the vectors found
before (or random ones) and a random one more: a single vector sees close eigenvalues as one
for long, and takes a lower one for the k-th meanwhile.

The bound on a Ritz value θ with residual r is min(‖r‖, ‖r‖²/gap) (Parlett, The Symmetric
Eigenvalue Problem, sections 4.5 and 11.7), where the gap is the distance to the next Ritz
value that is not among the k, less that one's own residual; for k > 1 it is ‖r‖, since a pair
that looks isolated may be two that are not yet told apart. A residual proves that *some*
eigenvalue is near. That it is the largest rests on the random part of the start, on
`LEAST_PRODUCTS` beyond the block, and on going on for as long as another Ritz value plus its
residual reaches above the k-th.

Of an eigenvalue with more copies than the block has vectors not all are found. A basis that
grows beyond `BASIS` vectors restarts from its best ones (thick restart, Wu and Simon 2000).
An operator that yields values that are not finite ends it with nan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hypertransfer.curvature.operators import LinearOperator

MIX = 0.1  # share of the start that is random: the guard against a crossing of eigenvalues
TRACKED = 2  # eigenvectors beyond the k wanted that the next start is told of
TRACKED_SHARE = 0.6  # of each, relative to the wanted ones
LEAST_PRODUCTS = 6  # before the first test: with fewer, crossings are missed (see the tests)
RIVALS = 8  # Ritz pairs after the k-th whose residuals are looked at: each costs a combination
BASIS = 60  # vectors kept before the iteration restarts from its best Ritz vectors


@dataclass(frozen=True)
class Eigenpairs:
    """The k largest (algebraic) eigenvalues, in falling order, and their vectors.

    `subspace` holds those vectors and a few next ones: the start for the next checkpoint.
    `errors` are bounds on the relative error of each value, given that the Ritz value belongs
    to the eigenvalue it is taken for, with a gap that is estimated: good to a factor of two.
    `products` counts the operator's calls.
    """

    values: Tensor  # (k,)
    vectors: Tensor  # (dimension, k)
    subspace: Tensor  # (dimension, k + TRACKED)
    errors: Tensor  # (k,)
    products: int
    converged: bool

    @property
    def second_and_last(self) -> tuple[float | None, float | None]:
        """Of several values the second and the smallest; none of one."""
        several = len(self.values) > 1
        return (float(self.values[1]), float(self.values[-1])) if several else (None, None)


def top_eigenvalues(
    operator: LinearOperator,
    k: int = 1,
    *,
    start: Eigenpairs | None = None,
    mix: float = MIX,
    tolerance: float = 0.01,
    max_products: int = 200,
    generator: torch.Generator,
) -> Eigenpairs:
    """The k largest eigenvalues; the module says how.

    `start` is what was found at the previous checkpoint.

    Raises:
        ValueError: k is beyond the dimension.
    """
    n = operator.dimension
    if not 1 <= k <= n:
        raise ValueError(f"k = {k} eigenvalues of an operator of dimension {n}")
    before = operator.products
    space = Subspace(operator, generator)
    for vector in _start(operator, start, k, mix, generator):
        space.add(vector, size=1.0)
    least = space.size + LEAST_PRODUCTS - 1
    while space.finite:
        ritz = space.ritz(k + RIVALS)
        bounds = _bounds(ritz.values, ritz.residuals, k)
        products = operator.products - before
        wanted, rivals = (bounds > tolerance).nonzero()[:, 0], _rivals(ritz, k, tolerance)
        done = space.complete or not (len(wanted) or len(rivals) or products < least)
        if done or products >= max_products:
            vectors = space.vectors(ritz.weights[:, : k + TRACKED])
            return Eigenpairs(ritz.values[:k], vectors[:, :k], vectors, bounds, products, done)
        if space.size >= max(BASIS, 3 * k + 6):
            space.restart(ritz, keep=k + 5)
            ritz = space.ritz(k + RIVALS)
        space.expand(ritz, _next(ritz, wanted, rivals, k))
    return _broken(operator, k, operator.products - before)


def _next(ritz: _Ritz, wanted: Tensor, rivals: Tensor, k: int) -> int:
    """The Ritz pair whose residual is worth most: of those wanted, of rivals, of the others."""
    pool = wanted if len(wanted) else rivals
    if not len(pool):
        pool = torch.arange(min(k, len(ritz.residuals) - 1), len(ritz.residuals))
    return int(pool[ritz.residuals[pool].argmax()])


class Tracker:
    """The largest eigenvalues at one checkpoint after another, each started from the last."""

    def __init__(self, settings: Mapping[str, Any], generator: torch.Generator) -> None:
        self.settings, self.generator = settings, generator
        self.last: Eigenpairs | None = None

    def at(self, operator: LinearOperator) -> Eigenpairs:
        """As many as `eigenvalues` says, at most the dimension, within `tolerance`."""
        self.last = top_eigenvalues(
            operator,
            k=min(self.settings.get("eigenvalues", 1), operator.dimension),
            start=self.last,
            tolerance=self.settings["tolerance"],
            max_products=self.settings["max_products"],
            generator=self.generator,
        )
        return self.last


@dataclass(frozen=True)
class _Ritz:
    values: Tensor  # falling
    weights: Tensor  # (size, size): coordinates of the Ritz vectors in the basis
    residuals: Tensor  # (number,): norms of the residuals of the first ones
    vectors: Tensor  # (number, dimension): those residuals


class Subspace:
    """An orthonormal basis V with its images AV, and T = VᵀAV, the operator seen in the basis."""

    def __init__(self, operator: LinearOperator, generator: torch.Generator) -> None:
        self.operator, self.generator = operator, generator
        self.basis: list[Tensor] = []
        self.images: list[Tensor] = []
        self.projected = torch.zeros(0, 0, dtype=torch.float64)
        self.finite, self.scale = True, 0.0

    @property
    def size(self) -> int:
        """Vectors in the basis."""
        return len(self.basis)

    @property
    def complete(self) -> bool:
        """Whether the basis spans the whole space, so that its Ritz values are exact."""
        return self.size >= self.operator.dimension

    def add(self, v: Tensor, size: float) -> None:
        """One product: the basis gains the part of v outside it.

        It is a random direction where that part is nothing beside `size`: rounding alone.
        """
        if self.complete or not self.finite:
            return
        if self.basis:
            stacked = torch.stack(self.basis)
            v, _ = orthogonal(v, stacked)
            if not float(v.norm()) > rounding(v) * size:
                fresh = torch.randn(len(v), generator=self.generator).to(v)
                v, _ = orthogonal(fresh, stacked)
        v = v / v.norm()
        image = self.operator(v)
        self.finite = bool(torch.isfinite(image).all())
        self.scale = max(self.scale, float(image.norm()))
        self.basis.append(v)
        self.images.append(image)
        n = self.size
        grown = torch.zeros(n, n, dtype=torch.float64)
        grown[:-1, :-1] = self.projected
        overlaps = (torch.stack(self.basis) @ image).double().cpu()
        grown[-1], grown[:, -1] = overlaps, overlaps
        self.projected = grown

    def expand(self, ritz: _Ritz, index: int) -> None:
        """Add the residual of a Ritz pair."""
        self.add(ritz.vectors[index], self.scale)

    def ritz(self, number: int) -> _Ritz:
        """Ritz values, falling, with coordinates, and the residuals Au − θu of the first ones."""
        values, weights = torch.linalg.eigh(self.projected)
        values, weights = values.flip(0), weights.flip(1)
        chosen = weights.T[:number].to(self.basis[0])
        images, vectors = chosen @ torch.stack(self.images), chosen @ torch.stack(self.basis)
        residuals = images - values[:number, None].to(vectors) * vectors
        return _Ritz(values, weights, residuals.norm(dim=1).double().cpu(), residuals)

    def vectors(self, weights: Tensor) -> Tensor:
        """Basis combinations as columns, shape (dimension, number)."""
        stacked = torch.stack(self.basis)
        return stacked.T @ weights.to(stacked)

    def restart(self, ritz: _Ritz, keep: int) -> None:
        """Keep the best Ritz vectors as the basis; T becomes diagonal."""
        weights = ritz.weights[:, :keep].T.to(self.basis[0])
        self.images = list(weights @ torch.stack(self.images))
        self.basis = list(weights @ torch.stack(self.basis))
        self.projected = torch.diag(ritz.values[:keep])


def rounding(v: Tensor) -> float:
    """The relative size of a remainder that is rounding: an invariant subspace."""
    return 5 * torch.finfo(v.dtype).eps


def orthogonal(w: Tensor, stacked: Tensor) -> tuple[Tensor, Tensor]:
    """w without its part in the span of the rows, and that part; twice, which is enough."""
    overlaps = stacked @ w
    w = w - stacked.T @ overlaps
    again = stacked @ w
    return w - stacked.T @ again, overlaps + again


def _start(
    operator: LinearOperator,
    start: Eigenpairs | None,
    k: int,
    mix: float,
    generator: torch.Generator,
) -> list[Tensor]:
    """The vectors that span the first subspace."""

    def noise() -> Tensor:
        drawn = torch.randn(operator.dimension, generator=generator)
        drawn = drawn.to(operator.device, operator.dtype)
        return drawn / drawn.norm()

    if start is None or not bool(torch.isfinite(start.values).all()):
        return [noise() for _ in range(1 if k == 1 else k + 1)]
    if k > 1:
        return [*start.subspace.T.to(noise()), noise()]
    weights = torch.full((start.subspace.shape[1],), TRACKED_SHARE)
    weights[:k] = 1.0
    warm = start.subspace.to(noise()) @ weights.to(start.subspace)
    length = float(warm.norm())
    if length == 0:
        return [noise()]
    return [math.sqrt(1 - mix**2) * warm / length + mix * noise()]


def _bounds(values: Tensor, residuals: Tensor, k: int) -> Tensor:
    """Relative error bounds of the k first Ritz values."""
    kept = min(k, len(values))
    bounds = residuals[:kept].clone()
    if len(values) > kept and k == 1:
        gaps = values[:kept] - values[kept] - residuals[kept]
        better = residuals[:kept] ** 2 / gaps
        bounds = torch.where(gaps > 0, torch.minimum(bounds, better), bounds)
    size = values[:kept].abs()
    relative = bounds / size
    return torch.where(bounds == 0, torch.zeros_like(bounds), relative)


def _rivals(ritz: _Ritz, k: int, tolerance: float) -> Tensor:
    """Other Ritz pairs that, by their residuals, may belong to an eigenvalue above the k-th."""
    reach = ritz.values[k : len(ritz.residuals)] + ritz.residuals[k:]
    if not len(reach):
        return torch.arange(0)
    bar = ritz.values[k - 1] + tolerance * ritz.values[k - 1].abs()
    return (reach > bar).nonzero()[:, 0] + k


def _broken(operator: LinearOperator, k: int, products: int) -> Eigenpairs:
    nan = torch.full((k,), math.nan, dtype=torch.float64)
    vectors = torch.zeros(operator.dimension, k, device=operator.device, dtype=operator.dtype)
    return Eigenpairs(nan, vectors, vectors, nan, products, converged=False)
