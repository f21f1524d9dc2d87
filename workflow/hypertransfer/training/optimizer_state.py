"""The whole state of an optimizer as tensors and plain values, and back, bit for bit.

`torch.optim.Optimizer.state_dict` leaves out what an optimizer keeps in other attributes, and
`load_state_dict` casts tensors to the dtype of their parameter. Here the attributes of the object
are written as they are: containers, numbers, tensors with their memory layout, and objects of the
optimizer's own package. Functions are not written: a new optimizer of the same spec has them
already. Nothing is pickled.
"""

from __future__ import annotations

import math
import random
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hypertransfer.training.state import StateError, Tensors

PLAIN = (type(None), bool, int, str)  # types that JSON holds as they are
CODE = (FunctionType, BuiltinFunctionType, MethodType, type, partial)
CONTAINERS: Mapping[str, type] = {
    kind.__name__: kind
    for kind in (list, tuple, torch.Size, set, frozenset, deque, dict, OrderedDict, defaultdict)
}
MAPPINGS = ("dict", "OrderedDict", "defaultdict")
GENERATORS: Mapping[str, tuple[type, Callable, Callable]] = {  # type, read and write the state
    "torch.Generator": (torch.Generator, torch.Generator.get_state, torch.Generator.set_state),
    "random.Random": (random.Random, random.Random.getstate, random.Random.setstate),
    "numpy.Generator": (
        np.random.Generator,
        lambda generator: generator.bit_generator.state,
        lambda generator, state: setattr(generator.bit_generator, "state", state),
    ),
}


def of_optimizer(optimizer: torch.optim.Optimizer) -> tuple[Tensors, list]:
    """An optimizer's tensors by number, not copied, and its structure, which JSON can hold.

    Raises:
        StateError: the optimizer holds an object that has no place in a file.
    """
    writer = _Writer(optimizer)
    structure = writer.attributes(optimizer, type(optimizer).__name__)
    return writer.tensors, structure


def to_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors, structure: list) -> None:
    """Put the state that `of_optimizer` returned into an optimizer of the same spec.

    Tensors are copied; each gets the dtype and the memory layout that it had.

    Raises:
        StateError: the state is of another optimizer.
    """
    try:
        _Reader(optimizer, tensors).attributes(structure, optimizer)
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise StateError(f"is of another optimizer: {error!r}") from error


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def _path(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _may_hold(optimizer: torch.optim.Optimizer, module: str) -> bool:
    """Whether objects of a module's classes are written: torch.optim's, or the optimizer's own."""
    own = type(optimizer).__module__.partition(".")[0]
    return module.partition(".")[0] == own or f"{module}.".startswith("torch.optim.")


def _written(kind: str, value: Any, **more: Any) -> dict[str, Any]:
    """What stands for a value that JSON does not hold as it is."""
    return {"kind": kind, "value": value, **more}


class _Writer:
    """Writes values as plain ones; each container, tensor and object only once."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.tensors: Tensors = {}
        self._optimizer = optimizer
        self._parameters = {id(p): index for index, p in enumerate(_parameters(optimizer))}
        self._numbers: dict[int, int] = {}  # of values that have been written, by identity
        self._alive: list[object] = []  # these values, whose identities must not be used again

    def attributes(self, holder: object, place: str) -> list:
        """The attributes of an object, by name."""
        return [[name, self.value(v, f"{place}.{name}")] for name, v in vars(holder).items()]

    def value(self, value: Any, place: str) -> Any:
        """Any value; `place` names it in errors."""
        if id(value) in self._parameters:
            return _written("parameter", self._parameters[id(value)])
        if type(value) is int and value in self._parameters:  # of a dictionary by id(parameter)
            return _written("id_of", self._parameters[value])
        if type(value) in PLAIN:
            return value
        if type(value) is float:
            return value if math.isfinite(value) else _written("float", repr(value))
        if isinstance(value, CODE):
            return _written("code", None)
        if id(value) in self._numbers:
            return _written("same", self._numbers[id(value)])
        number = self._numbers[id(value)] = len(self._alive)
        self._alive.append(value)
        return {**self._compound(value, place), "number": number}

    def _compound(self, value: Any, place: str) -> dict[str, Any]:
        name = type(value).__name__
        if isinstance(value, Tensor):
            return self._tensor(value, place)
        if type(value) is CONTAINERS.get(name):
            if name in MAPPINGS:
                return _written(name, [self._item(k, v, place) for k, v in value.items()])
            longest = {"longest": value.maxlen} if name == "deque" else {}
            items = [self.value(item, f"{place}[{index}]") for index, item in enumerate(value)]
            return _written(name, items, **longest)
        if isinstance(value, Enum) and self._may_hold(type(value)):
            return _written("enum", _path(type(value)), name=value.name)
        if isinstance(value, torch.dtype):
            return _written("dtype", str(value).removeprefix("torch."))
        if isinstance(value, torch.device):
            return _written("device", str(value))
        if isinstance(value, np.generic | np.ndarray) and not value.dtype.hasobject:
            shape = list(value.shape) if isinstance(value, np.ndarray) else None
            return _written("numpy", value.dtype.str, shape=shape, hex=value.tobytes().hex())
        for kind, (generator, read, _) in GENERATORS.items():
            if isinstance(value, generator):
                return _written(kind, self.value(read(value), place))
        return self._object(value, place)

    def _item(self, key: object, value: object, place: str) -> list:
        label = self._parameters.get(id(key), key)
        return [self.value(key, place), self.value(value, f"{place}[{label!r}]")]

    def _tensor(self, value: Tensor, place: str) -> dict[str, Any]:
        if value.layout is not torch.strided:
            raise StateError(f"{place} is a sparse tensor, which cannot be saved")
        name = str(len(self.tensors))
        self.tensors[name] = value.detach()
        stride = list(value.stride()) if _is_dense(value.shape, value.stride()) else None
        more = {"requires_grad": True} if value.requires_grad else {}
        return _written("tensor", name, stride=stride, host=value.device.type == "cpu", **more)

    def _object(self, value: object, place: str) -> dict[str, Any]:
        if not self._may_hold(type(value)) or not hasattr(value, "__dict__"):
            raise StateError(f"{place} is a {_path(type(value))}, which cannot be saved")
        attributes = self.attributes(value, place)
        return _written("object", _path(type(value)), attributes=attributes)

    def _may_hold(self, kind: type) -> bool:
        return _may_hold(self._optimizer, kind.__module__)


class _Reader:
    """The inverse of `_Writer`, for another optimizer of the same spec.

    Lists, dictionaries and objects that the optimizer has at the same place are filled anew, as
    others may refer to them.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
        self._optimizer, self._tensors = optimizer, tensors
        self._parameters = _parameters(optimizer)
        self._values: dict[int, Any] = {}  # by number
        self._filled: set[int] = set()  # identities of values that were present and are filled

    def attributes(self, written: list, holder: object) -> None:
        """Set the attributes of an object, and remove all others."""
        own = vars(holder)
        values = {name: self.value(value, own.get(name)) for name, value in written}
        own.clear()
        own.update(values)

    def value(self, written: Any, present: Any = None) -> Any:
        """The value; `present` stands at its place now."""
        if not isinstance(written, dict):
            return written
        kind, content = written["kind"], written["value"]
        match kind:
            case "parameter":
                return self._parameters[content]
            case "id_of":
                return id(self._parameters[content])
            case "float":
                return float(content)
            case "same":
                return self._values[content]
            case "code":
                return _of_type(present, CODE)
            case "list" | "set" | "object":
                return self._fill(kind, content, written, present)
        if kind in MAPPINGS:
            return self._fill(kind, content, written, present)
        value = self._values[written["number"]] = self._make(kind, content, written, present)
        return value

    def _fill(self, kind: str, content: Any, written: dict, present: Any) -> Any:
        """A value that may refer to itself: known by its number before its content is read."""
        cls = self._class(content) if kind == "object" else CONTAINERS[kind]
        if type(present) is not cls or id(present) in self._filled:
            present = cls.__new__(cls) if kind == "object" else cls()
        self._filled.add(id(present))
        self._values[written["number"]] = present
        if kind == "object":
            self.attributes(written["attributes"], present)
        elif kind == "list":
            present[:] = self._items(content, present)
        elif kind == "set":
            items = self._items(content)
            present.clear()
            present.update(items)
        else:
            pairs = [(self.value(key), value) for key, value in content]
            items = [(key, self.value(value, present.get(key))) for key, value in pairs]
            present.clear()
            present.update(items)
        return present

    def _make(self, kind: str, content: Any, written: dict, present: Any) -> Any:
        """A value that cannot refer to itself."""
        match kind:
            case "tuple" | "Size":
                items = self._items(content, present if isinstance(present, tuple) else ())
                return CONTAINERS[kind](items)
            case "frozenset":
                return frozenset(self._items(content))
            case "deque":
                return deque(self._items(content), written["longest"])
            case "tensor":
                return self._tensor(content, written)
            case "enum":
                return _of_type(self._class(content)[written["name"]], Enum)
            case "dtype":
                return _of_type(getattr(torch, content), torch.dtype)
            case "device":
                return torch.device(content)
            case "numpy":
                array = np.frombuffer(bytes.fromhex(written["hex"]), np.dtype(content)).copy()
                return array[0] if written["shape"] is None else array.reshape(written["shape"])
        generator, _, write = GENERATORS[kind]
        write(_of_type(present, generator), self.value(content))
        return present

    def _items(self, written: list, present: list | tuple = ()) -> list:
        now = [*present, *[None] * len(written)]
        return [self.value(item, old) for item, old in zip(written, now, strict=False)]

    def _tensor(self, name: str, written: dict) -> Tensor:
        saved, stride = self._tensors[name], written["stride"]
        device = saved.device if written["host"] else self._parameters[0].device
        if stride is None or not _is_dense(saved.shape, stride):
            value = torch.empty(saved.shape, dtype=saved.dtype, device=device)
        else:
            value = torch.empty_strided(saved.shape, stride, dtype=saved.dtype, device=device)
        return value.copy_(saved).requires_grad_(written.get("requires_grad", False))

    def _class(self, path: str) -> type:
        """A class whose objects an optimizer may hold; nothing is imported."""
        module, _, name = path.partition(":")
        if not _may_hold(self._optimizer, module):
            raise ValueError(f"{path} is not of the optimizer's package")
        return _of_type(getattr(sys.modules[module], name), type)


def _is_dense(shape: tuple[int, ...], stride: tuple[int, ...]) -> bool:
    """Whether a tensor of this shape and stride fills its memory without gaps."""
    sides = sorted((step, side) for side, step in zip(shape, stride, strict=True) if side != 1)
    expected = 1
    for step, side in sides:
        if step != expected:
            return False
        expected *= side
    return True


def _of_type(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{value!r} stands where the state has a {kind}")
    return value
