"""Inputs and outputs of modules inside a network, such as the last residual stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from hypertransfer.parameterisation.algebra import Role


def module_of(network: nn.Module, role: Role) -> nn.Module:
    """The only module whose weight has the role.

    Raises:
        ValueError: no module has the role, or several modules have it.
    """
    modules = _with_role(network, role)
    if len(modules) != 1:
        raise ValueError(f"{len(modules)} layers have the role {role.value}; one must have it")
    return modules[0]


def _with_role(network: nn.Module, role: Role) -> list[nn.Module]:
    return [m for m in network.modules() if getattr(m, "roles", {}).get("weight") is role]


def last(network: nn.Module) -> nn.Module:
    """The module that reads the last residual stream: the norm before the readout, or the readout.

    Raises:
        ValueError: no module has this position, or several modules have it.
    """
    normed = bool(_with_role(network, Role.FINAL_VECTOR))
    return module_of(network, Role.FINAL_VECTOR if normed else Role.OUTPUT)


@contextmanager
def watched(
    modules: Iterable[nn.Module], keep: Callable[[nn.Module, Iterable[Any], Any], None]
) -> Iterator[None]:
    """In the `with` block, `keep(module, inputs, output)` follows each call of one of the modules.

    `inputs` are the arguments of the call by position, and then those by name.
    """

    def hook(
        module: nn.Module, given: tuple[Any, ...], named: Mapping[str, Any], output: object
    ) -> None:
        keep(module, [*given, *named.values()], output)

    handles = [module.register_forward_hook(hook, with_kwargs=True) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def _recorded(
    network: nn.Module, modules: Sequence[nn.Module], x: Tensor, inputs: bool
) -> tuple[list[Tensor], Tensor]:
    """The input (or output) of each module in a forward pass on x, and the network's output."""
    kept: dict[int, Tensor] = {}

    def keep(module: nn.Module, given: Iterable[Any], output: Tensor) -> None:
        kept[id(module)] = next(iter(given)) if inputs else output

    with watched(modules, keep):
        output = network(x)
    return [kept[id(module)].double() for module in modules], output.double()


def inputs(network: nn.Module, modules: Sequence[nn.Module], x: Tensor) -> list[Tensor]:
    """The input of each module in a forward pass on x, float32, in the shape of the input."""
    return [tensor.float() for tensor in _recorded(network, modules, x, inputs=True)[0]]


def outputs(network: nn.Module, modules: Sequence[nn.Module], x: Tensor) -> list[Tensor]:
    """The output of each module in a forward pass on x, float64, in the shape of the output."""
    return _recorded(network, modules, x, inputs=False)[0]


def through(network: nn.Module, module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """The input of a module and the output of the network in a forward pass on x, float64.

    The input is a residual stream of shape (samples, N), or (samples, tokens, N), with width N.
    """
    (stream,), output = _recorded(network, [module], x, inputs=True)
    return stream, output
