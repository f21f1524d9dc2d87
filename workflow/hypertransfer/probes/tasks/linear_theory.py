"""The linear theory probe: a two-layer linear network compared with its exact dynamics.

For f(x) = c·aᵀWx, with W of shape (N, D) and c the product of the two multipliers, let w = c·Wᵀa,
M = WᵀW/N and v = ‖a‖²/N. Under full-batch gradient descent with one learning rate η, the three
quantities w, M and v follow a closed recursion: with g = ∂L/∂w, γ² = 1/(c²ND), η₀ = η/γ² and
κ = γ²/N,

    w⁺ = w − (η₀/D)(M + vI)g + (η₀²κ/D)(w·g)g
    M⁺ = M − η₀κ(gwᵀ + wgᵀ) + (η₀²κ/D)·v·ggᵀ
    v⁺ = v − 2η₀κ·w·g + (η₀²κ/D)·gᵀMg

The width N enters the recursion through κ and through the initial weights only. The Gauss–Newton
part of the Hessian has γ²λmax = λmax(A^½(M + vI)A^½)/D with A = ∂²L/∂w², and the residual part,
scaled by γ², has the eigenvalues ±γ‖g‖/√(ND).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hypertransfer.networks.layers import Scaled
from hypertransfer.probes.checkpoint import View


@dataclass(frozen=True)
class Quantities:
    """The state of the recursion: w of shape (D,), M of shape (D, D), and the number v."""

    w: Tensor
    m: Tensor
    v: Tensor

    def distance(self, other: Quantities) -> float:
        """The largest of the relative differences of w, M and v (Euclidean norms)."""
        pairs = ((self.w, other.w), (self.m, other.m), (self.v, other.v))
        return max(float((a - b).norm() / b.norm()) for a, b in pairs)


@dataclass(frozen=True)
class Theory:
    """The recursion for the mean squared error on inputs x (n, D) and targets y (n,)."""

    x: Tensor
    y: Tensor
    width: int
    gamma2: float
    lr: float  # η₀

    @property
    def kappa(self) -> float:
        """κ = γ²/N."""
        return self.gamma2 / self.width

    def gradient(self, w: Tensor) -> Tensor:
        """g = ∂L/∂w, of shape (D,), where L is the mean of (xᵀw − y)²."""
        return 2 / len(self.y) * self.x.T @ (self.x @ w - self.y)

    def step(self, now: Quantities) -> Quantities:
        """The quantities after one update."""
        w, m, v, d = now.w, now.m, now.v, self.x.shape[1]
        g, eta, kappa = self.gradient(w), self.lr, self.kappa
        along = w @ g
        second = eta**2 * kappa / d
        return Quantities(
            w - eta / d * (m @ g + v * g) + second * along * g,
            m - eta * kappa * (torch.outer(g, w) + torch.outer(w, g))
            + second * v * torch.outer(g, g),
            v - 2 * eta * kappa * along + second * (g @ m @ g),
        )  # fmt: skip

    def gauss_newton(self, now: Quantities) -> float:
        """γ²λmax(G), with the Gauss–Newton matrix G."""
        n, d = self.x.shape
        kernel = self.x @ (now.m + now.v * torch.eye(d).to(now.m)) @ self.x.T
        return float(torch.linalg.eigvalsh(kernel)[-1]) * 2 / n / d

    def residual(self, now: Quantities) -> float:
        """γ²‖R‖ (spectral norm), with the residual R = H − G of the Hessian."""
        d = self.x.shape[1]
        return float(self.gradient(now.w).norm()) * (self.gamma2 / self.width / d) ** 0.5


class Probe:
    """The quantities w, M and v of the network, compared with an exact recursion.

    The recursion starts from the initial weights of the run, and is computed in double precision.
    `theory_error` is the largest of the relative differences of w, M and v. `theory_gauss_newton`
    and `theory_residual` are γ²λmax(G) and γ²‖R‖ by the recursion, with the Gauss–Newton part G and
    the residual part R of the Hessian.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.done = 0  # steps of the recursion
        self.now: Quantities | None = None
        self.theory: Theory | None = None

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        layers, product = _layers(view)
        if self.theory is None or self.now is None:
            self.theory = _theory(view, product)
            self.now = quantities(*(view.initial[f"{n}.weight"] for n in layers), product)
        while self.done < view.step:
            self.now, self.done = self.theory.step(self.now), self.done + 1
        weights = (view.parameters[f"{name}.weight"].detach() for name in layers)
        trained = quantities(*weights, product)
        return {
            "theory_error": trained.distance(self.now),
            "theory_gauss_newton": self.theory.gauss_newton(self.now),
            "theory_residual": self.theory.residual(self.now),
            "error": 0.0,
            "converged": True,
            "products": 0,
        }


def quantities(inner: Tensor, outer: Tensor, product: float) -> Quantities:
    """The quantities w, M and v, float64 on the CPU.

    Args:
        inner: the weights W, of shape (N, D).
        outer: the weights a, of shape (1, N).
        product: the product c of the two multipliers.
    """
    inner, a = inner.double().cpu(), outer.double().cpu().reshape(-1)
    n = len(a)
    return Quantities(product * inner.T @ a, inner.T @ inner / n, a @ a / n)


def _layers(view: View) -> tuple[list[str], float]:
    """The names of the two layers, in forward order, and the product of their multipliers."""
    layers = [(n, m) for n, m in view.network.named_modules() if isinstance(m, Scaled)]
    return [name for name, _ in layers], layers[0][1].multiplier * layers[1][1].multiplier


def _theory(view: View, product: float) -> Theory:
    x, y = view.train_x.flatten(1).double().cpu(), view.train_y.double().cpu()
    width = view.network.readout.fan_in
    gamma2 = 1 / (product**2 * width * x.shape[1])
    (scale, *others) = view.factors
    if any(abs(other - scale) > 1e-9 * scale for other in others):
        raise ValueError("the theory needs one learning rate for both layers: use 'weights: unit'")
    return Theory(x, y, width, gamma2, view.lr * scale / gamma2)
