"""The residual stream at the end of a network, as probes look at it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hypertransfer.scaling import Role


def input_of(network: nn.Module, role: Role) -> nn.Module:
    """The one module whose weight has that role.

    Raises:
        ValueError: there is none, or there are several.
    """
    found = _with(network, role)
    if len(found) != 1:
        raise ValueError(f"{len(found)} layers have the role {role.value}, and one is needed")
    return found[0]


def _with(network: nn.Module, role: Role) -> list[nn.Module]:
    return [m for m in network.modules() if getattr(m, "roles", {}).get("weight") is role]


def last(network: nn.Module) -> nn.Module:
    """What takes the last residual stream: the norm in front of the readout, or the readout."""
    normed = bool(_with(network, Role.FINAL_VECTOR))
    return input_of(network, Role.FINAL_VECTOR if normed else Role.OUTPUT)


@torch.no_grad()
def through(network: nn.Module, module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """What the module is given when the network sees x, and the network's output, as doubles."""
    kept: list[Tensor] = []
    handle = module.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
    try:
        output = network(x)
    finally:
        handle.remove()
    return kept[0].double(), output.double()
