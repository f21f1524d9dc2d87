"""The tensors of a network, read, given and restored by name, and measurements without a trace.

Buffers count whether they are persistent or not: a table of random features that is not persistent
decides a network's output, too. Buffers may be made, widened or dropped while a network computes,
such as a table of positions that grows with the longest text. Modules may share a buffer, and stop
doing so: a buffer has the names of all modules that hold it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hypertransfer.training.state_kinds import GENERATORS

INTERNAL = frozenset(vars(nn.Module()))  # attributes that torch gives to each module
# Containers whose content may be changed; a kind stands before those that it derives from.
CHANGEABLE = (OrderedDict, dict, list, set, deque, np.ndarray)


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """Parameters by name, each once, and buffers by all their names; those not persistent, too."""
    return {**dict(model.named_parameters()), **_buffers(model)}


def _buffers(model: nn.Module) -> dict[str, Tensor]:
    return {
        f"{path}.{name}" if path else name: buffer
        for path, module in model.named_modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    }


def copies_of(model: nn.Module) -> dict[str, Tensor]:
    """Copies of the network's parameters and buffers on the CPU, by name."""
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors_of(model).items()
    }


@torch.no_grad()
def load_tensors(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a network the parameters and buffers of `tensors`, by the names of `tensors_of`.

    Values are copied; device and memory layout of the network's tensors stay. A buffer of another
    shape or dtype is replaced, one that the network lacks is made, and one that `tensors` lacks is
    None. Modules go on sharing a buffer if all its names have equal values.

    Raises:
        ValueError: names or shapes of parameters differ, or the network has no module for a buffer,
            or a parameter or module of its name.
    """
    parameters, buffers = dict(model.named_parameters()), _buffers(model)
    modules = dict(model.named_modules())
    given = {n: t for n, t in tensors.items() if not _may_be_buffer(modules, n)}
    unlike = {n for n, t in parameters.items() if n not in given or given[n].shape != t.shape}
    if unlike := sorted(unlike | set(given) - set(parameters)):
        raise ValueError(f"the tensors are of another network: {', '.join(unlike)} differ")
    for name, tensor in parameters.items():
        tensor.copy_(tensors[name])
    device = next((t.device for t in (*parameters.values(), *buffers.values())), None)
    for names in _holders(buffers, tensors, set(parameters)):
        values = [tensors.get(name) for name in names]
        shared = all(same(value, values[0]) for value in values)
        for part in [names] if shared else [[name] for name in names]:
            value, own = tensors.get(part[0]), buffers.get(part[0])
            if shared and own is not None and _fits(own, value) and _can_change(own):
                own.copy_(value)
                continue
            new = None if value is None else value.detach().clone().to(device)
            for name in part:
                modules[_home(name)]._buffers[name.rpartition(".")[2]] = new


def _holders(
    buffers: Mapping[str, Tensor], tensors: Mapping[str, Tensor], parameters: set[str]
) -> list[list[str]]:
    """The names of each buffer of the network, and of each further one in `tensors`."""
    by_tensor: dict[int, list[str]] = {}
    for name, buffer in buffers.items():
        by_tensor.setdefault(id(buffer), []).append(name)
    return [*by_tensor.values(), *([n] for n in sorted({*tensors} - {*buffers} - parameters))]


def _fits(own: Tensor, value: Tensor | None) -> bool:
    return value is not None and (own.shape, own.dtype) == (value.shape, value.dtype)


def _may_be_buffer(modules: Mapping[str, nn.Module], name: str) -> bool:
    """Whether a module can have a buffer of this name: no parameter, not one that is None."""
    home, _, own = name.rpartition(".")
    module = modules.get(home)
    return module is not None and own not in module._parameters and own not in module._modules


def _home(name: str) -> str:
    """The name of the module that holds a tensor."""
    return name.rpartition(".")[0]


def _can_change(tensor: Tensor) -> bool:
    """Whether a tensor can be changed in place; not if entries share memory, as after expand."""
    if tensor.is_inference() or tensor.layout is not torch.strided:
        return not tensor.is_inference()
    pairs = zip(tensor.stride(), tensor.shape, strict=True)
    return all(stride or size <= 1 for stride, size in pairs)


def same(first: Tensor | None, second: Tensor | None) -> bool:
    """Whether two tensors have equal values; NaN equals NaN."""
    if first is None or second is None or first.layout != second.layout:
        return first is second
    if first.layout is not torch.strided:
        first, second = first.to_dense(), second.to_dense()
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    return bool(((first == second) | (first != first) & (second != second)).all())


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Within the context the network is in evaluation mode; afterwards it is as it was.

    Parameters are restored if `train` or `eval` of a module is the user's, as modes may then change
    them: networks with low-rank updates add these to their weights for evaluation.
    """
    defined = {(type(module).train, type(module).eval) for module in model.modules()}
    own = defined != {(nn.Module.train, nn.Module.eval)}
    with _restored(model, list(model.parameters()) if own else []):
        model.eval()
        yield


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Restores the network after the context, as `evaluating` does, and parameters, gradients."""
    parameters = list(model.parameters())
    gradients = [parameter.grad for parameter in parameters]
    try:
        with _restored(model, parameters):
            yield
    finally:
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient


@contextmanager
def _restored(model: nn.Module, parameters: list[Tensor]) -> Iterator[None]:
    """Restores the parameters that are given, buffers, modes and attributes of modules.

    Attributes get the values that they had, and so does what these hold: containers, arrays,
    tensors without a graph, and random generators. Other objects stay as they are changed.
    """
    training = model.training
    modules = [(m, m.training, dict(m._buffers), own_attributes_of(m)) for m in model.modules()]
    attribute_values = [value for *_, named in modules for value in named.values()]
    put_contents_back = contents_of([*attribute_values, *model.buffers()])
    values = [(parameter, parameter.detach().clone()) for parameter in parameters]
    try:
        yield
    finally:
        if any(module.training != mode for module, mode, *_ in modules):
            model.train(training)
        for module, mode, buffers, attributes in modules:
            module.training = mode
            _put_back(module, buffers)
            for name in own_attributes_of(module).keys() - attributes.keys():
                del module.__dict__[name]
            module.__dict__.update(attributes)
        put_contents_back()
        with torch.no_grad():
            for parameter, value in values:
                parameter.copy_(value)


def contents_of(values: Iterable[Any]) -> Callable[[], None]:
    """A function that gives containers, arrays, tensors and generators what they hold now.

    These are the values, and what their containers hold; tensors that require gradients are left
    out.
    """
    held = _held(values)
    containers = [(value, _items(value)) for value in held if isinstance(value, CHANGEABLE)]
    states = [state for value in held for state in _generator_state(value)]
    tensors = [t for t in held if isinstance(t, Tensor) and not t.requires_grad and _can_change(t)]
    copies = [(tensor, tensor.detach().clone()) for tensor in tensors]

    def put_back() -> None:
        for container, items in containers:
            _refill(container, items)
        with torch.no_grad():
            for tensor, value in copies:
                tensor.copy_(value)
        for generator, write, state in states:
            write(generator, state)

    return put_back


def _put_back(module: nn.Module, buffers: Mapping[str, Tensor | None]) -> None:
    """Give a module these buffers; compiled modules can change buffers, but not remove one."""
    now = dict(module._buffers)
    for name in now.keys() - buffers.keys():
        del module._buffers[name]
    for name, buffer in buffers.items():
        if name not in now or now[name] is not buffer:
            module._buffers[name] = buffer


def own_attributes_of(module: nn.Module) -> dict[str, Any]:
    """The attributes of a module that are neither parameters, buffers, modules nor torch's own."""
    return {name: value for name, value in vars(module).items() if name not in INTERNAL}


def _held(values: Iterable[Any]) -> list[Any]:
    """The values and what their containers hold, each object once."""
    found: dict[int, Any] = {}
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if id(value) in found or type(value) in (int, float, bool, str, type(None)):
            continue
        found[id(value)] = value
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple | set | frozenset | deque):
            waiting += value
    return list(found.values())


def _items(container: Any) -> Any:
    """A copy of what a container holds, as `_refill` takes it."""
    if isinstance(container, np.ndarray):
        return container.copy()
    return dict(container) if isinstance(container, dict) else list(container)


def _refill(container: Any, items: Any) -> None:
    """Give a container the items that `_items` returned, by the methods of its built-in kind."""
    if isinstance(container, np.ndarray):
        if container.flags.writeable:
            container[...] = items
        return
    kind = next(kind for kind in CHANGEABLE if isinstance(container, kind))
    kind.clear(container)
    (kind.extend if issubclass(kind, list | deque) else kind.update)(container, items)


def _generator_state(value: Any) -> Iterator[tuple]:
    for kind, read, write in GENERATORS.values():
        if isinstance(value, kind):
            yield value, write, read(value)
