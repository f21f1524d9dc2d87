"""The tensors of a network: parameters and buffers, read, given and restored by name.

Buffers count whether they are persistent or not: a table of random features that is not persistent
decides a network's output, too. Buffers may be made, widened or dropped while a network computes,
such as a table of positions that grows with the longest text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, each tensor once; buffers that are not persistent, too."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


@torch.no_grad()
def load_tensors(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a network the parameters and buffers of `tensors`, by the names of `tensors_of`.

    Values are copied; device and memory layout of the network's tensors stay. A buffer of another
    shape is replaced, one that the network lacks is made, and one that `tensors` lacks is None.

    Raises:
        ValueError: names or shapes of parameters differ, or the module of a buffer is missing.
    """
    parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    modules = dict(model.named_modules())
    given = {n: t for n, t in tensors.items() if _home(n) not in modules or n in parameters}
    unlike = {n for n, t in parameters.items() if n not in given or given[n].shape != t.shape}
    if unlike := sorted(unlike | set(given) - set(parameters)):
        raise ValueError(f"the tensors are of another network: {', '.join(unlike)} differ")
    for name, tensor in parameters.items():
        tensor.copy_(tensors[name])
    device = next((t.device for t in (*parameters.values(), *buffers.values())), None)
    for name in sorted({*buffers, *tensors} - set(parameters)):
        value, own = tensors.get(name), buffers.get(name)
        if value is not None and own is not None and own.shape == value.shape:
            own.copy_(value)
        else:
            home = modules[_home(name)]
            home._buffers[name.rpartition(".")[2]] = (
                None if value is None else value.detach().clone().to(device)
            )


def _home(name: str) -> str:
    """The name of the module that holds a tensor."""
    return name.rpartition(".")[0]


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Restores parameters, gradients, buffers and modes of the network after the context."""
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(module, dict(module._buffers)) for module in model.modules()]
    tensors = [*model.parameters(), *model.buffers()]
    values = [tensor.detach().clone() for tensor in tensors]
    gradients = [parameter.grad for parameter in model.parameters()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        for module, own in buffers:
            module._buffers.clear()
            module._buffers.update(own)
        with torch.no_grad():
            for tensor, value in zip(tensors, values, strict=True):
                tensor.copy_(value)
        for parameter, gradient in zip(model.parameters(), gradients, strict=True):
            parameter.grad = gradient
