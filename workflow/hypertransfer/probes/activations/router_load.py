"""The router_load probe: whether routers of experts are saturated, and experts dead.

Dimensions: S samples times tokens, N inputs, X experts.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hypertransfer.parameterisation.algebra import Role
from hypertransfer.probes.activations import residual_stream
from hypertransfer.probes.checkpoint import View


class Probe:
    """How evenly the routers of a network as it is spread tokens over experts.

    r, of shape (S, X), are the logits of a router: the product of its input and of its matrix,
    which has the role `router`, with its bias. `routing_entropy` is the mean entropy of softmax(r)
    over ln X: 1 if all experts are as likely, 0 if the router is saturated. `busiest_expert` is X
    times the share of tokens whose largest logit is that of the busiest expert: 1 if loads are
    equal, X if all tokens choose one expert first. `dead_experts` is the share of experts that are
    the first choice of no token; of even loads it is (1 − 1/X)^S by chance. All three are means
    over routers. Scores other than a softmax, and a bias that another module adds to balance the
    loads, are not seen. Exact up to rounding.
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
    entropy = torch.special.entr(logits.softmax(1)).sum(1).mean() / math.log(max(experts, 2))
    loads = torch.bincount(logits.argmax(1), minlength=experts) / len(logits)
    return float(entropy), float(loads.max() * experts), float((loads == 0).double().mean())


@torch.no_grad()
def router_logits(network: nn.Module, x: Tensor) -> list[Tensor]:
    """The logits of each router in a forward pass on x, float64, of shape (S, X).

    Those of all calls of a router, such as one that several blocks share, are together.

    Raises:
        ValueError: no matrix has the role `router`, or no forward pass reaches the module of one.
    """
    named = {module: (path, name) for path, module in network.named_modules()
             if (name := _matrix_of(module))}  # fmt: skip
    if not named:
        raise ValueError("the network has no router: no matrix has the role router")
    kept: dict[nn.Module, list[Tensor]] = defaultdict(list)

    def keep(module: nn.Module, given: Iterable[Any], output: object) -> None:
        kept[module].append(_logits(module, named[module][1], given, output))

    with residual_stream.watched(named, keep):
        network(x)
    if missed := [path for module, (path, _) in named.items() if module not in kept]:
        raise ValueError(f"no forward pass calls the router {', '.join(missed)}")
    return [torch.cat(kept[module]) for module in named]


def _matrix_of(module: nn.Module) -> str:
    """The name of a module's matrix with the role `router`; empty if there is none."""
    roles = getattr(module, "roles", None)
    if not isinstance(roles, Mapping):  # an attribute of the user's
        return ""
    named = (name for name, role in roles.items() if role is Role.ROUTER)
    return next((name for name in named if getattr(module, name).dim() == 2), "")


def _logits(module: nn.Module, name: str, given: Iterable[Any], output: object) -> Tensor:
    """The logits of a call of a router, from its input and its matrix, (X, N) or (N, X).

    Of a square matrix, and of a module with a bias, the output shows how they are used.
    """
    weight = getattr(module, name).double()
    first = next(one for one in given if isinstance(one, Tensor) and one.is_floating_point())
    rows = first.reshape(-1, first.shape[-1]).double()
    products = [rows @ one for one in (weight.T, weight) if len(one) == rows.shape[1]]
    bias = getattr(module, "bias", None)
    if isinstance(bias, Tensor) and name != "bias":
        products = [*(one + bias.double() for one in products if one.shape[1:] == bias.shape),
                    *products]  # fmt: skip
    told = [one.reshape(len(rows), -1).double() for one in _floats(output)
            if one.numel() % len(rows) == 0]  # fmt: skip
    shown = (one for one in products for other in told if _alike(one, other))
    return next(shown, products[0])


def _floats(output: object) -> Iterator[Tensor]:
    """The tensors of floats that a module returns."""
    for one in output if isinstance(output, tuple | list) else (output,):
        if isinstance(one, Tensor) and one.is_floating_point():
            yield one


def _alike(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal up to rounding in float32."""
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-3, atol=1e-5)
