"""Stochastic Lanczos quadrature: the spectral density of a symmetric operator."""

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
    """A density as weighted points: (1/P) Σ_i δ(λ − λ_i) ≈ Σ_j weights_j δ(λ − nodes_j).

    Weights add up to 1. `error` is the largest standard error over the random vectors of the
    cumulative distribution at any node: how far the share of eigenvalues below a value may be off.
    """

    nodes: Tensor  # (number,), rising
    weights: Tensor  # (number,)
    error: float


def spectrum(
    operator: LinearOperator, vectors: int, steps: int, generator: torch.Generator
) -> Spectrum:
    """The density from `vectors` Rademacher starts with `steps` Lanczos steps each.

    Golub and Welsch 1969; Ubaru, Chen and Saad 2017; Ghorbani et al. 1901.10159. Each start's
    quadrature has the exact first 2·steps moments of zᵀA^k z/P; full re-orthogonalisation keeps
    ghosts out.
    """
    rules = []
    for _ in range(vectors):
        projected = _tridiagonal(operator, rademacher(operator, generator), steps)
        if projected is None:
            nan = torch.full((1,), math.nan, dtype=torch.float64)
            return Spectrum(nan, nan, math.nan)
        values, directions = torch.linalg.eigh(projected)
        rules.append((values, directions[0] ** 2))
    nodes = torch.cat([values for values, _ in rules])
    weights = torch.cat([w for _, w in rules]) / vectors
    order = nodes.argsort()
    return Spectrum(nodes[order], weights[order], _error(rules, nodes[order]))


def _tridiagonal(operator: LinearOperator, v: Tensor, steps: int) -> Tensor | None:
    """The operator in the Krylov space of v, which ends where that is invariant; None if broken."""
    basis = (v / v.norm())[None]
    diagonal: list[float] = []
    beside: list[float] = []
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
        beside.append(norm)
        basis = torch.cat([basis, rest[None] / norm])
    sides = torch.tensor(beside, dtype=torch.float64)
    middle = torch.tensor(diagonal, dtype=torch.float64)
    return torch.diag(middle) + torch.diag(sides, 1) + torch.diag(sides, -1)


def _error(rules: list[tuple[Tensor, Tensor]], places: Tensor) -> float:
    if len(rules) < 2:
        return math.nan
    below = torch.stack([(w * (v <= places[:, None])).sum(1) for v, w in rules])  # (vectors, nodes)
    return float((below.std(0) / math.sqrt(len(rules))).max())
