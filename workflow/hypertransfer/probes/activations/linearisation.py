"""The linearisation probe: how far each block is from being linear in its own weights."""

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
    """Whether blocks are lazy: whether all that training does to them is linear in their weights.

    Dey et al. 2505.01618, Section 4: a block is lazy if its output hardly differs from
    F(h; θ₀) + ∂F(h; θ₀)/∂θ · (θ_t − θ₀). `block_nonlinearity` is, for each residual branch with
    the stream h that it gets in the trained network, the mean of |F(h; θ_t) − linear| over that
    of the linear term, averaged over branches (our normalisation: the paper's is not known).
    `linearisation_distance` is the mean of |h − h_lin| over the coordinates of the last residual
    stream, h_lin that of the network with every branch replaced at once. Exact up to rounding;
    nothing at step 0.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        pass

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        module = residual_stream.last(view.network)
        shares: list[float] = []
        with replaced(view, lambda layers: layers.compared(shares)):
            now, _ = residual_stream.through(view.network, module, view.x)
        with replaced(view, lambda layers: layers.linear):
            linear, _ = residual_stream.through(view.network, module, view.x)
        moved = [share for share in shares if math.isfinite(share)]
        return {
            "block_nonlinearity": sum(moved) / len(moved) if moved else None,
            "linearisation_distance": float((now - linear).abs().mean()),
            "error": 0.0,
            "converged": True,
            "products": 0,
        }


class Expanded:
    """The layers of a branch, and their expansion to first order around the initial weights."""

    def __init__(self, branch: Branch, prefix: str, initial: Mapping[str, Tensor]) -> None:
        self.layers = branch.layers
        now = {name: p.detach() for name, p in self.layers.named_parameters()}
        self.start = {name: initial[prefix + name].to(p) for name, p in now.items()}
        self.moved = {name: p - self.start[name] for name, p in now.items()}

    def terms(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """F(x; θ₀) and ∂F(x; θ₀)/∂θ · (θ_t − θ₀)."""

        def layers(weights: dict[str, Tensor]) -> Tensor:
            return functional_call(self.layers, weights, (x,))

        with torch.enable_grad():
            value, tangent = jvp(layers, (self.start,), (self.moved,))
        return value.detach(), tangent.detach()

    def linear(self, x: Tensor) -> Tensor:
        """The expansion."""
        return sum(self.terms(x))  # type: ignore[return-value]

    def compared(self, shares: list[float]) -> Callable[[Tensor], Tensor]:
        """The layers as they are, which tell how far they are from their expansion."""

        def forward(x: Tensor) -> Tensor:
            value, tangent = self.terms(x)
            exact = self.layers(x)
            size = float(tangent.abs().mean())
            beyond = float((exact - value - tangent).abs().mean())
            shares.append(beyond / size if size else math.nan)
            return exact

        return forward


@contextmanager
def replaced(
    view: View, choose: Callable[[Expanded], Callable[[Tensor], Tensor]]
) -> Iterator[None]:
    """The network with the layers of every branch replaced by what `choose` makes of them."""
    branches = {n: m for n, m in view.network.named_modules() if isinstance(m, Branch)}
    for name, branch in branches.items():
        layers = choose(Expanded(branch, f"{name}.layers.", view.initial))
        branch.forward = _around(branch, layers)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for branch in branches.values():
            del branch.forward


def _around(branch: Branch, layers: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        out = layers(x) * (branch.strength * branch.multiplier)
        return x + out if branch.skip else out

    return forward
