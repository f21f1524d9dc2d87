"""The linearisation probe: how far each block is from being linear in its own weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, jvp

from hypertransfer.layers import Branch
from hypertransfer.probes import streams
from hypertransfer.probes.view import View


class Probe:
    """Distance of the last residual stream from that of blocks linearised at initialisation.

    Dey et al. 2505.01618, Section 4: a block is lazy if its output hardly differs from
    F(h; θ₀) + ∂F(h; θ₀)/∂θ · (θ_t − θ₀). Here every residual branch is so replaced at once, each
    with the stream that the ones below hand on; the rest of the network keeps its weights.
    `linearisation_distance` is the mean of |h − h_lin| over coordinates, `linearisation_share`
    that over the mean of |h_t − h_0|. Exact up to rounding; nothing at step 0.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        pass

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        module = streams.last(view.network)
        now, _ = streams.through(view.network, module, view.x)
        with linearised(view):
            linear, _ = streams.through(view.network, module, view.x)
        with view.at_start():
            start, _ = streams.through(view.network, module, view.x)
        distance, moved = (float((now - other).abs().mean()) for other in (linear, start))
        return {
            "linearisation_distance": distance,
            "linearisation_share": distance / moved if moved else None,
            "error": 0.0,
            "converged": True,
            "products": 0,
        }


@contextmanager
def linearised(view: View) -> Iterator[None]:
    """The network with every branch linear in its weights, around the initial ones."""
    branches = {n: m for n, m in view.network.named_modules() if isinstance(m, Branch)}
    for name, branch in branches.items():
        branch.forward = _linear(branch, f"{name}.layers.", view.initial)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for branch in branches.values():
            del branch.forward


def _linear(branch: Branch, prefix: str, initial: Mapping[str, Tensor]):
    now = {name: p.detach() for name, p in branch.layers.named_parameters()}
    start = {name: initial[prefix + name].to(p) for name, p in now.items()}
    moved = {name: p - start[name] for name, p in now.items()}

    def forward(x: Tensor) -> Tensor:
        def layers(weights: dict[str, Tensor]) -> Tensor:
            return functional_call(branch.layers, weights, (x,))

        with torch.enable_grad():
            value, tangent = jvp(layers, (start,), (moved,))
        out = (value + tangent).detach() * (branch.strength * branch.multiplier)
        return x + out if branch.skip else out

    return forward
