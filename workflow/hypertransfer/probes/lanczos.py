"""The largest eigenvalues of a symmetric operator, from a warm start, with an error bound."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from hypertransfer.probes.operators import LinearOperator

MIX = 0.1  # share of the start that is random: the guard against a crossing of eigenvalues
TRACKED = 2  # eigenvectors beyond the k wanted that the next start is told of
TRACKED_SHARE = 0.6  # of each, relative to the wanted ones
LEAST_PRODUCTS = 6  # before the first test: with fewer, crossings are missed (see the tests)
BASIS = 60  # vectors kept before the iteration restarts from its best Ritz vectors
BREAKDOWN = 1e-7  # relative size of a remainder that means an invariant subspace


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
    """Lanczos with full re-orthogonalisation, stopped by a residual bound.

    `start` is what was found at the previous checkpoint. Its vectors are mixed with a random
    one: a warm start alone stays blind to a new direction that overtakes the old one.

    The bound on a Ritz value θ with residual r is min(‖r‖, ‖r‖²/gap) (Parlett, The Symmetric
    Eigenvalue Problem, sections 4.5 and 11.7), where the gap is the distance to the next Ritz
    value that is not among the k, less that one's own residual. A residual proves that *some*
    eigenvalue is near. That it is the largest rests on the random part of the start, on
    `LEAST_PRODUCTS`, and on going on for as long as another Ritz value plus its residual
    reaches above the k-th.

    Of a multiple eigenvalue one vector is found, as in any Krylov space. A basis that grows
    beyond `BASIS` vectors restarts from its best ones (thick restart, Wu and Simon 2000). An
    operator that yields values that are not finite ends it with nan.

    Raises:
        ValueError: k is beyond the dimension.
    """
    n = operator.dimension
    if not 1 <= k <= n:
        raise ValueError(f"k = {k} eigenvalues of an operator of dimension {n}")
    before = operator.products
    space = _Space(operator, generator)
    space.open(_start(operator, start, k, mix, generator))
    while True:
        space.expand()
        if not space.finite:
            return _broken(operator, k, operator.products - before)
        ritz = space.ritz()
        bounds = _bounds(ritz.values, ritz.residuals, k)
        products = operator.products - before
        done = (
            space.since >= max(LEAST_PRODUCTS, k)
            and bool((bounds <= tolerance).all())
            and _unrivalled(ritz, k, tolerance)
        )
        if done or products >= max_products or space.complete:
            break
        if space.size >= max(BASIS, 2 * k + 2):
            space.restart(ritz, keep=k + 5)
    kept = min(k, len(ritz.values))
    vectors = space.vectors(ritz.weights[:, : k + TRACKED])
    return Eigenpairs(
        ritz.values[:kept], vectors[:, :kept], vectors, bounds[:kept], products,
        done or space.complete,
    )  # fmt: skip


@dataclass(frozen=True)
class _Ritz:
    values: Tensor  # falling
    weights: Tensor  # (size, size): coordinates of the Ritz vectors in the basis
    residuals: Tensor


class _Space:
    """An orthonormal basis Q with AQ = QT + (next)·sᵀ: T is the operator seen in the basis."""

    def __init__(self, operator: LinearOperator, generator: torch.Generator) -> None:
        self.operator, self.generator = operator, generator
        self.basis: list[Tensor] = []
        self.projected = torch.zeros(0, 0, dtype=torch.float64)
        self.coupling = torch.zeros(0, dtype=torch.float64)  # s
        self.next: Tensor | None = None
        self.finite, self.scale = True, 0.0
        self.since = 0  # products since the last new direction

    @property
    def size(self) -> int:
        return len(self.basis)

    @property
    def complete(self) -> bool:
        """Whether the basis spans the whole space, so that its Ritz values are exact."""
        return self.size >= self.operator.dimension

    def open(self, v: Tensor) -> None:
        self.next = v / v.norm()

    def expand(self) -> None:
        """One product: the basis gains the next vector, and T a row and a column."""
        assert self.next is not None
        q = self.next
        w = self.operator(q)
        self.finite = bool(torch.isfinite(w).all())
        if not self.finite:
            return
        self.since += 1
        self.scale = max(self.scale, float(w.norm()))
        self.basis.append(q)
        n = self.size
        grown = torch.zeros(n, n, dtype=torch.float64)
        grown[:-1, :-1] = self.projected
        grown[:-1, -1] = grown[-1, :-1] = self.coupling
        stacked = torch.stack(self.basis)
        w, overlaps = _orthogonal(w, stacked)
        grown[-1, -1] = overlaps[-1].double()
        self.projected = grown
        norm = float(w.norm())
        self.coupling = torch.zeros(n, dtype=torch.float64)
        if norm > BREAKDOWN * self.scale:
            self.coupling[-1] = norm
            self.next = w / norm
        elif not self.complete:  # an invariant subspace: there may be more outside it
            self.since = 0
            fresh = torch.randn(len(w), generator=self.generator).to(w)
            fresh, _ = _orthogonal(fresh, stacked)
            self.next = fresh / fresh.norm()

    def ritz(self) -> _Ritz:
        values, weights = torch.linalg.eigh(self.projected)
        values, weights = values.flip(0), weights.flip(1)
        return _Ritz(values, weights, (self.coupling @ weights).abs())

    def vectors(self, weights: Tensor) -> Tensor:
        """Basis combinations as columns, shape (dimension, number)."""
        stacked = torch.stack(self.basis)
        return stacked.T @ weights.to(stacked)

    def restart(self, ritz: _Ritz, keep: int) -> None:
        """Keep the best Ritz vectors as the basis; T becomes diagonal, with their residuals."""
        vectors = self.vectors(ritz.weights[:, :keep])
        self.coupling = self.coupling @ ritz.weights[:, :keep]
        self.basis = list(vectors.T.contiguous())
        self.projected = torch.diag(ritz.values[:keep])


def _orthogonal(w: Tensor, stacked: Tensor) -> tuple[Tensor, Tensor]:
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
) -> Tensor:
    """A random unit vector, or the sum of the given ones, the first k foremost, and some of it."""
    noise = torch.randn(operator.dimension, generator=generator)
    noise = noise.to(operator.device, operator.dtype)
    noise = noise / noise.norm()
    if start is None or not bool(torch.isfinite(start.values).all()):
        return noise
    weights = torch.full((start.subspace.shape[1],), TRACKED_SHARE)
    weights[:k] = 1.0
    warm = start.subspace.to(noise) @ weights.to(noise)
    length = float(warm.norm())
    if length == 0:
        return noise
    return math.sqrt(1 - mix**2) * warm / length + mix * noise


def _bounds(values: Tensor, residuals: Tensor, k: int) -> Tensor:
    """Relative error bounds of the k first Ritz values."""
    kept = min(k, len(values))
    bounds = residuals[:kept].clone()
    if len(values) > kept:
        gaps = values[:kept] - values[kept] - residuals[kept]
        better = residuals[:kept] ** 2 / gaps
        bounds = torch.where(gaps > 0, torch.minimum(bounds, better), bounds)
    size = values[:kept].abs()
    relative = bounds / size
    return torch.where(bounds == 0, torch.zeros_like(bounds), relative)


def _unrivalled(ritz: _Ritz, k: int, tolerance: float) -> bool:
    """Whether no other Ritz value, by its residual, may belong to an eigenvalue above the k-th."""
    if len(ritz.values) <= k:
        return True
    reach = (ritz.values[k:] + ritz.residuals[k:]).max()
    return bool(reach <= ritz.values[k - 1] + tolerance * ritz.values[k - 1].abs())


def _broken(operator: LinearOperator, k: int, products: int) -> Eigenpairs:
    nan = torch.full((k,), math.nan, dtype=torch.float64)
    vectors = torch.zeros(operator.dimension, k, device=operator.device, dtype=operator.dtype)
    return Eigenpairs(nan, vectors, vectors, nan, products, converged=False)
