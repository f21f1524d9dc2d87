"""The residual stream at the end of a network, as probes look at it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hypertransfer.parameterisation.algebra import Role


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
def _kept(
    network: nn.Module, modules: Sequence[nn.Module], x: Tensor, inputs: bool
) -> tuple[list[Tensor], Tensor]:
    """What each module is given, or puts out, when the network sees x; and its output."""
    kept: dict[int, Tensor] = {}

    def keep(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        kept[id(module)] = given[0] if inputs else output

    handles = [module.register_forward_hook(keep) for module in modules]
    try:
        output = network(x)
    finally:
        for handle in handles:
            handle.remove()
    return [kept[id(module)].double() for module in modules], output.double()


def inputs(network: nn.Module, modules: Sequence[nn.Module], x: Tensor) -> list[Tensor]:
    """What each module is given when the network sees x, in single precision."""
    return [one.float() for one in _kept(network, modules, x, inputs=True)[0]]


def outputs(network: nn.Module, modules: Sequence[nn.Module], x: Tensor) -> list[Tensor]:
    """What each module puts out when the network sees x, as doubles."""
    return _kept(network, modules, x, inputs=False)[0]


def through(network: nn.Module, module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """What the module is given when the network sees x, and the network's output, as doubles."""
    (given,), output = _kept(network, [module], x, inputs=True)
    return given, output
