"""The linearisation probe: the distance of residual branches from linearity in their weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, jvp

from hypertransfer.networks.layers import Branch
from hypertransfer.probes.activations import residual_stream
from hypertransfer.probes.checkpoint import View


class Probe:
    """Laziness of residual branches (Dey et al. 2505.01618, Section 4), on the fixed samples.

    A branch F is lazy if F(h; θ_t) hardly differs from its first-order expansion
    F(h; θ₀) + ∂F(h; θ₀)/∂θ · (θ_t − θ₀), with h the branch's input in the trained network.
    `block_nonlinearity` is the mean of |F(h; θ_t) − expansion| divided by the mean of |linear term
    of the expansion|, averaged over branches; it is null at step 0. This normalisation is ours; the
    paper's is not known. `linearisation_distance` is the mean of |h − h_lin| over samples and
    coordinates of the last residual stream, where h_lin is the stream of the network in which all
    branches are replaced by their expansions. Exact up to rounding.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        pass

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        module = residual_stream.last(view.network)
        shares: list[float] = []
        with replaced(view, lambda expansion: expansion.compared(shares)):
            now, _ = residual_stream.through(view.network, module, view.x)
        with replaced(view, lambda expansion: expansion.linear):
            linear, _ = residual_stream.through(view.network, module, view.x)
        finite = [share for share in shares if math.isfinite(share)]
        return {
            "block_nonlinearity": sum(finite) / len(finite) if finite else None,
            "linearisation_distance": float((now - linear).abs().mean()),
            "error": 0.0,
            "converged": True,
            "products": 0,
        }


class Expansion:
    """The first-order expansion of a branch's layers, in weights around the initial ones."""

    def __init__(self, branch: Branch, prefix: str, initial: Mapping[str, Tensor]) -> None:
        self.layers = branch.layers
        now = {name: p.detach() for name, p in self.layers.named_parameters()}
        self.start = {name: initial[prefix + name].to(p) for name, p in now.items()}
        self.moved = {name: p - self.start[name] for name, p in now.items()}

    def terms(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """F(x; θ₀) and ∂F(x; θ₀)/∂θ · (θ_t − θ₀), each of the shape of x."""

        def layers(weights: dict[str, Tensor]) -> Tensor:
            return functional_call(self.layers, weights, (x,))

        with torch.enable_grad():
            value, tangent = jvp(layers, (self.start,), (self.moved,))
        return value.detach(), tangent.detach()

    def linear(self, x: Tensor) -> Tensor:
        """The expansion: the sum of the two terms of `terms`, of the shape of x."""
        return sum(self.terms(x))  # type: ignore[return-value]

    def compared(self, shares: list[float]) -> Callable[[Tensor], Tensor]:
        """A function that applies the layers, and appends their nonlinearity to `shares`.

        The nonlinearity is mean |F − expansion| / mean |linear term|; NaN if the linear term is 0.
        """

        def forward(x: Tensor) -> Tensor:
            value, tangent = self.terms(x)
            exact = self.layers(x)
            linear = float(tangent.abs().mean())
            nonlinear = float((exact - value - tangent).abs().mean())
            shares.append(nonlinear / linear if linear else math.nan)
            return exact

        return forward


@contextmanager
def replaced(
    view: View, choose: Callable[[Expansion], Callable[[Tensor], Tensor]]
) -> Iterator[None]:
    """In the `with` block, branches apply functions from `choose` in place of their layers."""
    branches = {n: m for n, m in view.network.named_modules() if isinstance(m, Branch)}
    for name, branch in branches.items():
        layers = choose(Expansion(branch, f"{name}.layers.", view.initial))
        branch.forward = _around(branch, layers)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for branch in branches.values():
            del branch.forward


def _around(branch: Branch, layers: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        change = layers(x) * (branch.strength * branch.multiplier)
        return x + change if branch.skip else change

    return forward
