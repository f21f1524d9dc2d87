"""The k largest eigenvalues of a symmetric operator A, with warm starts and error bounds.

Method: Rayleigh–Ritz on a subspace with orthonormal basis V. The eigenpairs (θ, s) of VᵀAV give
Ritz values θ and Ritz vectors u = Vs; each product adds one residual Au − θu to the basis, until
the residuals bound the errors. Started from one vector this is the Lanczos method with full
re-orthogonalisation, since then the residuals of all Ritz pairs are parallel.

Start: for k = 1 the basis starts with a random vector at every checkpoint. For k > 1 the basis
starts with a block: the eigenvectors of the previous result (or random vectors) and one random
vector. From a single vector the method needs many products to separate close eigenvalues, and until
then takes a lower eigenvalue for the k-th. Without a previous result a block can miss the k-th too:
once it has converged, another random vector is added.

Error bound: an eigenvalue lies within min(‖r‖, ‖r‖²/gap) of a Ritz value with residual r (Parlett,
The Symmetric Eigenvalue Problem, sections 4.5 and 11.7). The gap is estimated as the distance to
the next Ritz value that is not among the k, less the norm of its residual. For k > 1 the bound is
‖r‖, since one Ritz pair may stand for two eigenvalues that are not yet separated.

That bound proves that *some* eigenvalue is near. For k = 1 the iteration continues until the
probability of a start that hides an eigenvalue above the tolerance is at most `unseen.RISK`, and
the error is at least the distance above which this holds. Therefore k = 1 has no warm start: only a
small part of a warm start is random, and to make up for this takes more products than a warm start
saves. For k > 1 it is likely, not proved, that the k are the largest: because of the last random
vector, of at least `LEAST_PRODUCTS` products after it (`COLD_PRODUCTS` without a previous result),
and since the iteration continues while another Ritz value plus the norm of its residual exceeds the
k-th Ritz value.

Limits: if the multiplicity of an eigenvalue exceeds the number of vectors in the block, the result
lacks some of its copies. A basis of `BASIS` vectors is restarted from its best Ritz vectors (thick
restart, Wu and Simon 2000). If a product has entries that are not finite, all results are nan.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from hypertransfer.curvature.operators import LinearOperator
from hypertransfer.curvature.unseen import RISK, Unseen

TRACKED = 2  # Ritz vectors beyond the k-th that are part of the next start
LEAST_PRODUCTS = 6  # for k > 1, from the last random vector on; fewer miss crossings
COLD_PRODUCTS = 10  # the same for the further random vector of a cold start
RIVALS = 8  # Ritz pairs after the k-th whose residuals are computed
BASIS = 60  # vectors in the basis before a restart


@dataclass(frozen=True)
class Eigenpairs:
    """The k largest (algebraic) eigenvalues, in falling order, and their eigenvectors.

    `errors` bound the relative error of each value; for k > 1, if its Ritz value belongs to that
    eigenvalue. Since the gap is estimated, the bounds are accurate to about a factor of two.
    `subspace` holds the eigenvectors and, for k > 1, the next Ritz vectors, for the start at the
    next checkpoint. `products` is the number of products with the operator. `converged` tells
    whether all errors are within the tolerance.
    """

    values: Tensor  # (k,)
    vectors: Tensor  # (dimension, k)
    subspace: Tensor  # (dimension, k + TRACKED), or (dimension, 1) for k = 1
    errors: Tensor  # (k,)
    products: int
    converged: bool

    @property
    def second_and_last(self) -> tuple[float | None, float | None]:
        """The second and the smallest of the k values; (None, None) if k is 1."""
        several = len(self.values) > 1
        return (float(self.values[1]), float(self.values[-1])) if several else (None, None)


def top_eigenvalues(
    operator: LinearOperator,
    k: int = 1,
    *,
    start: Eigenpairs | None = None,
    tolerance: float = 0.01,
    max_products: int = 200,
    generator: torch.Generator,
) -> Eigenpairs:
    """The k largest eigenvalues of the operator, by the method in the module's docstring.

    Args:
        operator: a symmetric operator.
        k: number of eigenvalues.
        start: for k > 1, the result for a nearby operator, such as that of the previous checkpoint.
        tolerance: largest relative error bound of each value at which the iteration stops.
        max_products: number of products after which the iteration stops, converged or not.
        generator: draws the random vectors.

    Raises:
        ValueError: k is not between 1 and the dimension.
    """
    n = operator.dimension
    if not 1 <= k <= n:
        raise ValueError(f"k must be between 1 and the operator's dimension {n}, got {k}")
    before = operator.products
    space = Subspace(operator, generator, Unseen(n) if k == 1 else None)
    for vector in _start_vectors(operator, start, k, generator):
        space.add(vector, size=1.0)
    least = space.size + LEAST_PRODUCTS - 1
    again = k > 1 and not _usable(start)  # whether another random vector is due
    while space.finite:
        ritz = space.ritz(k + RIVALS)
        bounds = _bounds(ritz.values, ritz.residual_norms, k)
        products = operator.products - before
        inexact = (bounds > tolerance).nonzero()[:, 0]
        rivals = _rivals(ritz, k, tolerance)
        if space.unseen:
            unsure = space.risk_above(ritz, tolerance) > RISK
        else:
            unsure = len(rivals) > 0 or products < least
        done = space.complete or not (len(inexact) or unsure)
        if done and again and products < max_products:
            space.add(_noise(operator, generator), size=1.0)
            least, again = products + COLD_PRODUCTS, False
            continue
        if done or products >= max_products:
            if space.unseen and not space.complete:
                bounds = bounds.clamp(min=space.unseen_distance(ritz))
            vectors = space.vectors(ritz.weights[:, : k + TRACKED if k > 1 else 1])
            return Eigenpairs(ritz.values[:k], vectors[:, :k], vectors, bounds, products, done)
        if space.size >= max(BASIS, 3 * k + 6):
            space.restart(ritz, keep=k + 5)
            ritz = space.ritz(k + RIVALS)
        space.expand(ritz, _next_pair(ritz, inexact, rivals, k))
    return _not_finite(operator, k, operator.products - before)


def _next_pair(ritz: RitzPairs, inexact: Tensor, rivals: Tensor, k: int) -> int:
    """Index of the Ritz pair whose residual expands the basis.

    The pair has the largest residual among the pairs `inexact`; if there are none, among the pairs
    `rivals`; if there are none either, among the pairs after the k-th. For k = 1 all residuals are
    parallel, and the pair with the largest residual is taken.
    """
    if k == 1:
        return int(ritz.residual_norms.argmax())
    pool = inexact if len(inexact) else rivals
    if not len(pool):
        number = len(ritz.residual_norms)
        pool = torch.arange(min(k, number - 1), number)
    return int(pool[ritz.residual_norms[pool].argmax()])


class Tracker:
    """Computes the k largest eigenvalues of a changing operator, for k > 1 from the last result."""

    def __init__(
        self,
        generator: torch.Generator,
        *,
        k: int = 1,
        tolerance: float = 0.01,
        max_products: int = 200,
    ) -> None:
        self.generator, self.k = generator, k
        self.tolerance, self.max_products = tolerance, max_products
        self.last: Eigenpairs | None = None

    def at(self, operator: LinearOperator) -> Eigenpairs:
        """The k largest eigenvalues of the operator, or all if its dimension is below k."""
        self.last = top_eigenvalues(
            operator,
            k=min(self.k, operator.dimension),
            start=self.last,
            tolerance=self.tolerance,
            max_products=self.max_products,
            generator=self.generator,
        )
        return self.last


@dataclass(frozen=True)
class RitzPairs:
    """All Ritz values of a basis of `size` vectors, and the residuals of the first `number`."""

    values: Tensor  # (size,), falling
    weights: Tensor  # (size, size): coordinates of the Ritz vectors in the basis, as columns
    residual_norms: Tensor  # (number,)
    residuals: Tensor  # (number, dimension)


class Subspace:
    """An orthonormal basis V, its images AV, and the projected operator T = VᵀAV.

    `scale` is the largest norm of an image; `finite` is False once an image is not finite. `unseen`
    bounds the risk of an eigenvalue that the basis has not seen; that needs a basis whose first
    vector is random and whose others are residuals.
    """

    def __init__(
        self, operator: LinearOperator, generator: torch.Generator, unseen: Unseen | None = None
    ) -> None:
        self.operator, self.generator, self.unseen = operator, generator, unseen
        self.basis: list[Tensor] = []
        self.images: list[Tensor] = []
        self.projected = torch.zeros(0, 0, dtype=torch.float64)
        self.finite, self.scale = True, 0.0

    @property
    def size(self) -> int:
        """Number of vectors in the basis."""
        return len(self.basis)

    @property
    def complete(self) -> bool:
        """Whether the basis spans the whole space, so that its Ritz values are exact."""
        return self.size >= self.operator.dimension

    def add(self, v: Tensor, size: float) -> None:
        """Add the part of v orthogonal to the basis, normalised; costs one product.

        If that part is no larger than rounding errors of vectors of norm `size`, a random
        direction is added in its place.
        """
        if self.complete or not self.finite:
            return
        if self.basis:
            stacked = torch.stack(self.basis)
            v, _ = orthogonal(v, stacked)
            if not float(v.norm()) > rounding(v) * size:
                random = torch.randn(len(v), generator=self.generator).to(v)
                v, _ = orthogonal(random, stacked)
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

    def risk_above(self, ritz: RitzPairs, distance: float) -> float:
        """The risk of an unseen eigenvalue above the first Ritz value by a relative distance."""
        top, residual_norm = float(ritz.values[0]), self._residual_norm()
        if not top and residual_norm:  # no distance is small against an eigenvalue of 0
            return 1.0
        return self.unseen.risk(top + distance * abs(top), self.projected, residual_norm)

    def unseen_distance(self, ritz: RitzPairs) -> float:
        """The relative distance above the first Ritz value at which that risk is `RISK`."""
        top = float(ritz.values[0])
        return self.unseen.distance(top, self.projected, self._residual_norm()) if top else 0.0

    def _residual_norm(self) -> float:
        """The norm of the last vector's image outside the basis."""
        stacked, column = torch.stack(self.basis), self.projected[:, -1]
        return float((self.images[-1] - stacked.T @ column.to(stacked)).norm())

    def expand(self, ritz: RitzPairs, index: int) -> None:
        """Add the residual of the Ritz pair at the index to the basis."""
        self.add(ritz.residuals[index], self.scale)

    def ritz(self, number: int) -> RitzPairs:
        """The Ritz pairs, with the residuals Au − θu of the first `number`."""
        values, weights = torch.linalg.eigh(self.projected)
        values, weights = values.flip(0), weights.flip(1)
        chosen = weights.T[:number].to(self.basis[0])
        images, vectors = chosen @ torch.stack(self.images), chosen @ torch.stack(self.basis)
        residuals = images - values[:number, None].to(vectors) * vectors
        return RitzPairs(values, weights, residuals.norm(dim=1).double().cpu(), residuals)

    def vectors(self, weights: Tensor) -> Tensor:
        """V·weights, of shape (dimension, number), for weights of shape (size, number)."""
        stacked = torch.stack(self.basis)
        return stacked.T @ weights.to(stacked)

    def restart(self, ritz: RitzPairs, keep: int) -> None:
        """Replace the basis by its first `keep` Ritz vectors; T becomes diagonal."""
        if self.unseen:
            self.unseen.restart(ritz.values, ritz.weights, keep)
        weights = ritz.weights[:, :keep].T.to(self.basis[0])
        self.images = list(weights @ torch.stack(self.images))
        self.basis = list(weights @ torch.stack(self.basis))
        self.projected = torch.diag(ritz.values[:keep])


def rounding(v: Tensor) -> float:
    """The relative norm, for v's dtype, below which the orthogonal part is a rounding error."""
    return 5 * torch.finfo(v.dtype).eps


def orthogonal(w: Tensor, stacked: Tensor) -> tuple[Tensor, Tensor]:
    """The part of w, shape (n,), orthogonal to orthonormal rows (m, n), and w's overlaps (m,).

    Gram–Schmidt is applied twice, after which the part is orthogonal up to rounding.
    """
    overlaps = stacked @ w
    w = w - stacked.T @ overlaps
    again = stacked @ w
    return w - stacked.T @ again, overlaps + again


def _start_vectors(
    operator: LinearOperator, start: Eigenpairs | None, k: int, generator: torch.Generator
) -> list[Tensor]:
    """The vectors (dimension,) that span the first subspace."""
    if k == 1:
        return [_noise(operator, generator)]
    if not _usable(start):
        return [_noise(operator, generator) for _ in range(k + 1)]
    noise = _noise(operator, generator)
    return [*start.subspace.T.to(noise), noise]


def _usable(start: Eigenpairs | None) -> bool:
    return start is not None and bool(torch.isfinite(start.values).all())


def _noise(operator: LinearOperator, generator: torch.Generator) -> Tensor:
    """A random vector (dimension,) of norm 1."""
    drawn = torch.randn(operator.dimension, generator=generator)
    drawn = drawn.to(operator.device, operator.dtype)
    return drawn / drawn.norm()


def _bounds(values: Tensor, residual_norms: Tensor, k: int) -> Tensor:
    """Relative error bounds of the first k Ritz values, shape (k,)."""
    kept = min(k, len(values))
    bounds = residual_norms[:kept].clone()
    if len(values) > kept and k == 1:
        gaps = values[:kept] - values[kept] - residual_norms[kept]
        better = residual_norms[:kept] ** 2 / gaps
        bounds = torch.where(gaps > 0, torch.minimum(bounds, better), bounds)
    size = values[:kept].abs()
    relative = bounds / size
    return torch.where(bounds == 0, torch.zeros_like(bounds), relative)


def _rivals(ritz: RitzPairs, k: int, tolerance: float) -> Tensor:
    """Indices of Ritz pairs after the k-th whose eigenvalue may be above the k-th Ritz value."""
    reach = ritz.values[k : len(ritz.residual_norms)] + ritz.residual_norms[k:]
    if not len(reach):
        return torch.arange(0)
    bar = ritz.values[k - 1] + tolerance * ritz.values[k - 1].abs()
    return (reach > bar).nonzero()[:, 0] + k


def _not_finite(operator: LinearOperator, k: int, products: int) -> Eigenpairs:
    """The result if a product is not finite: values and errors of nan."""
    nan = torch.full((k,), math.nan, dtype=torch.float64)
    vectors = torch.zeros(operator.dimension, k, device=operator.device, dtype=operator.dtype)
    return Eigenpairs(nan, vectors, vectors, nan, products, converged=False)
