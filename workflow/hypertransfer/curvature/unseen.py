"""The risk that the Lanczos method has not seen the largest eigenvalue of a symmetric operator A.

A small residual proves that *some* eigenvalue is near a Ritz value. It does not prove that no
eigenvalue is larger: the method cannot see an eigenvector that its start vector hardly contains.
For a random start vector b the probability of this is bounded.

Let V be the basis of the Krylov space of b, T = VᵀAV, AV = VT + r eₘᵀ, and u an eigenvector whose
eigenvalue λ is above all Ritz values. Then (uᵀV)(λ − T) = (uᵀr) eₘᵀ, so that

    |uᵀb| ≤ w(λ) = ‖r‖ · |eₘᵀ (λ − T)⁻¹ Vᵀb|,

which falls as λ grows. For b uniform on the unit sphere of n dimensions the density of uᵀb is at
most √(n/2π), and therefore P(|uᵀb| ≤ w) ≤ √(2n/π) · w. This is the bound by Lanczos polynomials of
van Dorsselaer, Hochstenbach and van der Vorst (Computing probabilistic bounds for extreme
eigenvalues of symmetric matrices with the Lanczos method, SIAM Journal on Matrix Analysis and
Applications 22, 2000).

A thick restart that drops the Ritz values μ leaves the Krylov space of b⁺ = Π(A − μ) b / N, with N
the norm of the product. Since |uᵀb| · Π(λ − μ) = N · |uᵀb⁺|, the bound holds across restarts.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

RISK = 0.01  # probability of a start that hides a larger eigenvalue, at which a method may stop
WIDEST = 1e3  # largest relative distance that `distance` returns as a number


class Unseen:
    """The risk of an unseen eigenvalue, for the Lanczos method from one random unit vector.

    Args:
        dimension: n, that of the operator.
    """

    def __init__(self, dimension: int) -> None:
        self.log_density = 0.5 * math.log(2 * dimension / math.pi)
        self.start = torch.ones(1, dtype=torch.float64)  # Vᵀb⁺, without the zeros at its end
        self.dropped: list[tuple[Tensor, float]] = []  # Ritz values μ and log N of each restart

    def risk(self, value: float, projected: Tensor, residual_norm: float) -> float:
        """A bound on the probability of a start that hides an eigenvalue above the value.

        Args:
            value: a value above all Ritz values.
            projected: T, of shape (m, m).
            residual_norm: ‖r‖.
        """
        if residual_norm == 0:  # the Krylov space is invariant: b has no other eigenvectors
            return 0.0
        m = len(projected)
        right = torch.zeros(m, dtype=torch.float64)
        right[: len(self.start)] = self.start
        shifted = value * torch.eye(m, dtype=torch.float64) - self._without_rounding(projected)
        weight = residual_norm * abs(float(torch.linalg.solve(shifted, right)[-1]))
        if weight == 0:
            return 0.0
        log_weight = math.log(weight)
        for values, log_norm in self.dropped:
            log_weight += log_norm - float((value - values).log().sum())
        return math.exp(min(0.0, log_weight + self.log_density))

    def distance(self, top: float, projected: Tensor, residual_norm: float) -> float:
        """The relative distance above the largest Ritz value at which the risk is `RISK`.

        Infinity, if the distance is above `WIDEST`.
        """

        def risk(distance: float) -> float:
            return self.risk(top + distance * abs(top), projected, residual_norm)

        low, high = 1e-12, WIDEST
        if risk(high) > RISK:
            return math.inf
        while high > 1.01 * low:
            middle = math.sqrt(low * high)
            low, high = (middle, high) if risk(middle) > RISK else (low, middle)
        return high

    def _without_rounding(self, projected: Tensor) -> Tensor:
        """T with zeros where it is zero in exact arithmetic: a basis vector meets its neighbours.

        The first vector after a restart meets all that were kept.
        """
        clean = projected.tril(1).triu(-1)
        kept = len(self.start)
        if kept > 1 and len(projected) > kept:
            clean[kept, :kept] = projected[kept, :kept]
            clean[:kept, kept] = projected[:kept, kept]
        return clean

    def restart(self, values: Tensor, weights: Tensor, keep: int) -> None:
        """Take over a thick restart that keeps the first `keep` Ritz vectors.

        Args:
            values: the Ritz values (m,), falling.
            weights: the Ritz vectors in the basis as columns, of shape (m, m).
            keep: the number of Ritz vectors that stay in the basis.
        """
        here = weights[: len(self.start), :keep].T @ self.start
        factors = values[:keep, None] - values[None, keep:]
        logs = factors.abs().log().sum(1) + here.abs().log()
        largest = float(logs.max())
        filtered = (logs - largest).exp() * here.sign()
        norm = float(filtered.norm())
        self.dropped.append((values[keep:].clone(), largest + math.log(norm)))
        self.start = filtered / norm
