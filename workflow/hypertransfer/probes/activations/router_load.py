"""The router_load probe: whether routers of experts are saturated, and experts dead.

Dimensions: S samples times tokens, N inputs, X experts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hypertransfer.parameterisation.algebra import Role
from hypertransfer.probes.checkpoint import View


class Probe:
    """How evenly the routers of a network spread tokens over experts.

    r, of shape (S, X), are the logits of a router: the output of a module whose matrix has the role
    `router`, or, if this is no tensor of X entries, the product of its input and the matrix.
    `routing_entropy` is the mean entropy of softmax(r) over ln X: 1 if all experts are as likely,
    0 if the router is saturated. `busiest_expert` is X times the share of tokens whose largest
    logit is that of the busiest expert: 1 if loads are equal, X if all tokens choose one expert.
    `dead_experts` is the share of experts that are the first choice of no token. All three are
    means over routers. What is added to the logits later, such as a bias that balances the loads,
    is not seen. Exact up to rounding.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        pass

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        found = [_load(logits) for logits in router_logits(view.network, view.x)]
        entropy, busiest, dead = (sum(values) / len(found) for values in zip(*found, strict=True))
        return {
            "routing_entropy": entropy,
            "busiest_expert": busiest,
            "dead_experts": dead,
            "error": 0.0,
            "converged": True,
            "products": 0,
        }


def _load(logits: Tensor) -> tuple[float, float, float]:
    """The entropy, the load of the busiest expert, and the share of dead experts of logits."""
    experts = logits.shape[1]
    log_shares = logits.log_softmax(1)
    entropy = -(log_shares.exp() * log_shares).sum(1).mean() / math.log(experts)
    loads = torch.bincount(logits.argmax(1), minlength=experts) / len(logits)
    return float(entropy), float(loads.max() * experts), float((loads == 0).double().mean())


@torch.no_grad()
def router_logits(network: nn.Module, x: Tensor) -> list[Tensor]:
    """The logits of each router in a forward pass on x, float64, of shape (S, X).

    Raises:
        ValueError: no matrix has the role `router`.
    """
    routers = {module: name for module in network.modules() if (name := _matrix_of(module))}
    if not routers:
        raise ValueError("the network has no router: no parameter has the role router")
    kept: dict[nn.Module, Tensor] = {}

    def keep(module: nn.Module, arguments: tuple[Tensor, ...], output: object) -> None:
        kept[module] = _logits(getattr(module, routers[module]), arguments[0], output)

    handles = [module.register_forward_hook(keep) for module in routers]
    try:
        network(x)
    finally:
        for handle in handles:
            handle.remove()
    return list(kept.values())


def _matrix_of(module: nn.Module) -> str:
    """The name of a module's matrix with the role `router`; empty if there is none."""
    roles = getattr(module, "roles", {})
    named = (name for name, role in roles.items() if role is Role.ROUTER)
    return next((name for name in named if getattr(module, name).dim() == 2), "")


def _logits(weight: Tensor, given: Tensor, output: object) -> Tensor:
    """The logits of a router from its weight, (X, N) or (N, X), its input and its output."""
    matrix = weight.T if weight.shape[1] == given.shape[-1] else weight
    experts = matrix.shape[1]
    if isinstance(output, Tensor) and output.shape[-1] == experts:
        return output.reshape(-1, experts).double()
    return given.reshape(-1, len(matrix)).double() @ matrix.double()
