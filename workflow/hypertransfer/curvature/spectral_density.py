"""The spectral density of a symmetric operator by stochastic Lanczos quadrature."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from hypertransfer.curvature.lanczos import orthogonal, rounding
from hypertransfer.curvature.operators import LinearOperator
from hypertransfer.curvature.trace_estimate import rademacher


@dataclass(frozen=True)
class Spectrum:
    """The density (1/P) Σ_i δ(λ − λ_i) ≈ Σ_j weights_j δ(λ − nodes_j) of P eigenvalues λ_i.

    The weights add up to 1. `error` is the standard error, over random vectors, of the cumulative
    distribution Σ_{nodes_j ≤ λ} weights_j, the largest of all nodes; nan for one vector.
    """

    nodes: Tensor  # (number,), rising
    weights: Tensor  # (number,)
    error: float


def spectrum(
    operator: LinearOperator, vectors: int, steps: int, generator: torch.Generator
) -> Spectrum:
    """The spectral density of the operator, as the mean over `vectors` random vectors.

    For each Rademacher vector z, `steps` Lanczos steps from z give a tridiagonal matrix; its
    eigenvalues, and the squared first entries of its eigenvectors, are nodes and weights of a
    Gauss quadrature of zᵀf(A)z/P that is exact for polynomials f of degree below 2·steps (Golub
    and Welsch 1969; Ubaru, Chen and Saad 2017; Ghorbani et al. 1901.10159). Full
    re-orthogonalisation avoids spurious copies of eigenvalues.

    If a product is not finite, the result is one node of nan.
    """
    quadratures = []
    for _ in range(vectors):
        projected = _tridiagonal(operator, rademacher(operator, generator), steps)
        if projected is None:
            nan = torch.full((1,), math.nan, dtype=torch.float64)
            return Spectrum(nan, nan, math.nan)
        values, directions = torch.linalg.eigh(projected)
        quadratures.append((values, directions[0] ** 2))
    nodes = torch.cat([values for values, _ in quadratures])
    weights = torch.cat([w for _, w in quadratures]) / vectors
    order = nodes.argsort()
    return Spectrum(nodes[order], weights[order], _error(quadratures, nodes[order]))


def _tridiagonal(operator: LinearOperator, v: Tensor, steps: int) -> Tensor | None:
    """The tridiagonal matrix VᵀAV, float64 on the CPU, in the Krylov space of v.

    The matrix has fewer than `steps` rows if the Krylov space becomes invariant earlier. The result
    is None if a product is not finite.
    """
    basis = (v / v.norm())[None]
    diagonal: list[float] = []
    off_diagonal: list[float] = []
    while True:
        image = operator(basis[-1])
        if not bool(torch.isfinite(image).all()):
            return None
        rest, overlaps = orthogonal(image, basis)
        diagonal.append(float(overlaps[-1]))
        norm = float(rest.norm())
        if len(basis) == min(steps, operator.dimension) or norm <= rounding(v) * float(
            image.norm()
        ):
            break
        off_diagonal.append(norm)
        basis = torch.cat([basis, rest[None] / norm])
    main = torch.tensor(diagonal, dtype=torch.float64)
    sides = torch.tensor(off_diagonal, dtype=torch.float64)
    return torch.diag(main) + torch.diag(sides, 1) + torch.diag(sides, -1)


def _error(quadratures: list[tuple[Tensor, Tensor]], nodes: Tensor) -> float:
    """The largest standard error of the cumulative distribution at the nodes."""
    if len(quadratures) < 2:
        return math.nan
    below = torch.stack(  # (vectors, nodes)
        [(w * (v <= nodes[:, None])).sum(1) for v, w in quadratures]
    )
    return float((below.std(0) / math.sqrt(len(quadratures))).max())
