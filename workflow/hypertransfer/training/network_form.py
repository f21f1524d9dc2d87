"""What a network consists of, to compare networks that are built with different depths.

An attribute is described by what it holds, never by its address in memory, which differs between
any two networks. What cannot be described counts as equal.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

import numpy as np
from torch import Tensor, nn

from hypertransfer.networks.tagged import RoleError
from hypertransfer.runs.spec import RunSpec
from hypertransfer.training import randomness
from hypertransfer.training.code_state import CODE, held_by, name_of
from hypertransfer.training.network_tensors import own_attributes_of
from hypertransfer.training.state_kinds import GENERATORS, attributes_of, package_of

_GENERATORS = tuple(kind for kind, *_ in GENERATORS.values())
_PLAIN = (type(None), bool, int, float, complex, str, bytes)
_ADDRESS = re.compile(r"\bat 0x[0-9A-Fa-f]+")


def check_depth(spec: RunSpec, network: nn.Module, at_base: Callable[[], nn.Module]) -> None:
    """Check that a network is another one at the base depth, if it can be built there.

    Both are built with one seed: what they draw differs only if the depth decides it.

    Args:
        spec: the spec of the network.
        network: the network at the depth of the spec.
        at_base: builds the network of the base depth.

    Raises:
        RoleError: it is the same.
    """
    try:
        with randomness.seeded(f"{spec.seed}/modules"):
            other = at_base()
    except Exception:  # the user's network has no such depth
        return
    if alike(network, other):
        raise RoleError(
            f"{spec.model.name} is the same at the depths {spec.base.depth} and "
            f"{spec.shape.depth}, so that every hyperparameter would seem to transfer; "
            "let __init__ use depth"
        )


def alike(one: nn.Module, other: nn.Module) -> bool:
    """Whether two networks have the same modules, parameters of equal shapes, and equal attributes.

    Values of buffers count as attributes do, so both networks are built with one seed.
    """
    return _Forms().of_network(one) == _Forms().of_network(other)


class _Forms:
    """Describes the parts of one network; an object that is met again, by its type alone."""

    def __init__(self) -> None:
        self._met: dict[int, Any] = {}  # by address; the values keep the objects alive

    def of_network(self, network: nn.Module) -> list[tuple]:
        """Path, type, shapes of parameters, and attributes of each module."""
        modules = [(path, m) for path, m in network.named_modules() if id(m) not in self._met]
        self._met |= {id(module): module for _, module in modules}
        return [
            (
                path,
                type(module),
                module.training,
                {n: tuple(p.shape) for n, p in module.named_parameters(recurse=False)},
                {n: self.of(b) for n, b in module.named_buffers(recurse=False)},
                {n: self.of(v) for n, v in own_attributes_of(module).items()},
            )
            for path, module in modules
        ]

    def of(self, value: Any) -> Any:
        """What a value holds; its type if it has been met or cannot be read."""
        if type(value) in _PLAIN:
            return type(value), repr(value)
        if id(value) in self._met:
            return type(value)
        if isinstance(value, nn.Module):
            return self.of_network(value)
        self._met[id(value)] = value
        try:
            return type(value), self._content(value)
        except Exception:  # a method of the user's class, such as __repr__, may raise anything
            return type(value)

    def _content(self, value: Any) -> Any:
        if isinstance(value, _GENERATORS):
            return None
        if isinstance(value, CODE):
            code = value.__code__ if isinstance(value, FunctionType) else None
            return name_of(value), code, [(h.name, self.of(h.value)) for h in held_by(value)]
        walked = package_of(value) not in sys.stdlib_module_names
        attributes = attributes_of(value) if walked else {}
        return self._items(value, attributes), {n: self.of(v) for n, v in attributes.items()}

    def _items(self, value: Any, attributes: Mapping[str, Any]) -> Any:
        """What a value holds beside its attributes; its text if it is no container."""
        match value:
            case Tensor() | np.ndarray():
                return tuple(value.shape), str(value.dtype), _text(value)
            case dict():
                return [(self.of(key), self.of(item)) for key, item in value.items()]
            case list() | tuple() | deque():
                return [self.of(item) for item in value]
            case set() | frozenset():
                return sorted(_text(self.of(item)) for item in value)
            case int() | float() | complex() | str() | bytes():
                return _text(value)
        return None if attributes else _text(value)


def _text(value: Any) -> str:
    return _ADDRESS.sub("", repr(value))
