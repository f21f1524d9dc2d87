"""The attributes of an optimizer or a network as tensors and values that JSON can hold."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hypertransfer.training.code_state import CODE, held_by, name_of
from hypertransfer.training.state import StateError, Tensors, why_no_file
from hypertransfer.training.state_kinds import (
    CONTAINERS,
    FACTORIES,
    GENERATORS,
    MAPPINGS,
    MOST_BITS,
    PLAIN,
    attributes_of,
    class_values,
    is_dense,
    is_hooks,
    may_hold,
    memory_of,
    path_of,
    place_in_memory,
    slots_of,
    without_repeats,
    written_as,
)


class Writer:
    """Writes values as plain ones; each container, tensor and object only once.

    Args:
        root: the optimizer or network whose attributes are written.
        references: tensors that are saved elsewhere, and written by their index.
        package: objects of its classes are written, besides those of torch.optim.
    """

    def __init__(self, root: object, references: Sequence[Tensor], package: str) -> None:
        self.tensors: Tensors = {}
        self.classes: dict[str, list] = {}  # attributes of classes, by path
        self._references, self._package = references, package
        self._parameters = {id(p): index for index, p in enumerate(references)}
        self._memory_of = {memory_of(p): index for index, p in enumerate(references)}
        self._memory_of.pop(0, None)
        self._numbers = {id(root): 0}  # of values that have been written, by identity
        self._alive: list[object] = [root]  # whose identities must not be used again
        self._views: dict[int, list[tuple[str, dict, Tensor | None]]] = {}  # by memory

    def attributes(self, holder: object, place: str) -> list:
        """The attributes of an object, by name."""
        self._class_attributes(type(holder))
        return [
            [name, self._hooks(v, place) if is_hooks(holder, name) else self.value(v, place)]
            for name, v, place in ((n, v, f"{place}.{n}") for n, v in attributes_of(holder).items())
        ]

    def _class_attributes(self, kind: type) -> None:
        """Write the attributes of the class and its bases that are values."""
        for cls in kind.__mro__:
            path, package = path_of(cls), cls.__module__.partition(".")[0]
            known = package == "torch" or path in self.classes
            if known or not self._may_hold(cls):
                continue
            self.classes[path] = []
            self.classes[path] += [
                [name, self.value(value, f"{cls.__name__}.{name}")]
                for name, value in class_values(cls).items()
            ]

    def _hooks(self, hooks: Mapping, place: str) -> dict[str, Any]:
        return written_as("hooks", [self.value(hook, place) for hook in hooks.values()])

    def join_views(self) -> None:
        """Write the memory of tensors that have it in common once.

        Raises:
            StateError: these are of several types, or arrays of numpy.
        """
        for found in self._views.values():
            (_, first, tensor), *others = found
            if not others:
                continue
            _refuse_memory_of_several_kinds(found)
            storage = tensor.untyped_storage()
            shape = (storage.nbytes() // tensor.itemsize,)
            name = first["value"]
            for _, written, view in found:
                del self.tensors[written["value"]]
                written |= written_as("view", name, **place_in_memory(view, view.storage_offset()))
            self.tensors[name] = tensor.new_empty(0).set_(storage, 0, shape, (1,))

    def value(self, value: Any, place: str) -> Any:
        """Any value; `place` names it in errors."""
        if id(value) in self._parameters:
            return written_as("parameter", self._parameters[id(value)])
        if type(value) is int and value in self._parameters:  # of a dictionary by id(parameter)
            return written_as("id_of", self._parameters[value])
        if type(value) is int and value.bit_length() > MOST_BITS:
            raise StateError(f"{place} is a number of too many digits to be saved")
        if type(value) in PLAIN:
            return value
        if type(value) is float:
            return value if math.isfinite(value) else written_as("float", repr(value))
        if id(value) in self._numbers:
            return written_as("same", self._numbers[id(value)])
        number = self._numbers[id(value)] = len(self._alive)
        self._alive.append(value)
        written = self._compound(value, place)
        written["number"] = number
        return written

    def _compound(self, value: Any, place: str) -> dict[str, Any]:
        name = type(value).__name__
        if isinstance(value, CODE):
            held = [self.value(h.value, f"{place}.{h.name}") for h in held_by(value)]
            return written_as("code", name_of(value), held=held)
        if isinstance(value, Tensor):
            return self._tensor(value, place)
        if type(value) is CONTAINERS.get(name):
            if name in MAPPINGS:
                factory = {"factory": self._factory(value, place)} if name == "defaultdict" else {}
                return written_as(
                    name, [self._item(k, v, place) for k, v in value.items()], **factory
                )
            longest = {"longest": value.maxlen} if name == "deque" else {}
            items = [self.value(item, f"{place}[{index}]") for index, item in enumerate(value)]
            return written_as(name, items, **longest)
        if isinstance(value, Enum) and self._may_hold(type(value)):
            return written_as("enum", path_of(type(value)), name=value.name)
        if isinstance(value, torch.dtype):
            return written_as("dtype", str(value).removeprefix("torch."))
        if isinstance(value, torch.device):
            return written_as("device", str(value))
        if (isinstance(value, np.generic) or type(value) is np.ndarray) and (
            not value.dtype.hasobject
        ):
            return self._numpy(value, place)
        for kind, (generator, read, _) in GENERATORS.items():
            if type(value) is generator:
                return written_as(kind, self.value(read(value), place))
        if isinstance(value, tuple) and hasattr(value, "_fields") and self._may_hold(type(value)):
            items = [self.value(item, f"{place}.{n}") for n, item in value._asdict().items()]
            return written_as("namedtuple", path_of(type(value)), items=items)
        return self._object(value, place)

    def _factory(self, value: defaultdict, place: str) -> Any:
        """The name of a built-in factory, or what stands for another."""
        name = getattr(value.default_factory, "__name__", None)
        if value.default_factory is FACTORIES.get(name):
            return name
        return self.value(value.default_factory, f"{place}.default_factory")

    def _numpy(self, value: np.generic | np.ndarray, place: str) -> dict[str, Any]:
        if value.dtype.names:
            raise StateError(f"{place} has named fields, which cannot be saved: use one array each")
        if isinstance(value, np.generic):
            return written_as("numpy", value.dtype.str, hex=value.tobytes().hex())
        name = str(len(self._alive))
        order = "F" if value.flags.fnc else "C"
        content = bytearray(value.tobytes(order))
        self.tensors[name] = torch.from_numpy(np.frombuffer(content, np.uint8))
        layout = {"dtype": value.dtype.str, "shape": list(value.shape), "order": order}
        written = written_as("array", name, **layout)
        if value.size:
            owner = value
            while isinstance(owner.base, np.ndarray):
                owner = owner.base
            of_tensor = isinstance(owner.base, Tensor)
            memory = memory_of(owner.base) if of_tensor else owner.__array_interface__["data"][0]
            if memory in self._memory_of:
                raise StateError(f"{place} is an array on the memory of a parameter: use a tensor")
            self._views.setdefault(memory, []).append((place, written, None))
        return written

    def _item(self, key: object, value: object, place: str) -> list:
        label = self._parameters.get(id(key), key)
        return [self.value(key, place), self.value(value, f"{place}[{label!r}]")]

    def _tensor(self, value: Tensor, place: str) -> dict[str, Any]:
        if reason := why_no_file(value):
            raise StateError(f"{place} {reason}")
        # A tensor with a graph returns without it: backward has freed the graph.
        more: dict[str, Any] = (
            {"requires_grad": True} if value.requires_grad and value.is_leaf else {}
        )
        memory = memory_of(value)
        if memory in self._memory_of:
            return written_as("view_of", **self._in_parameter(value, memory, place), **more)
        name = str(len(self._alive))
        if 0 in value.stride():
            more["expanded"] = list(value.shape)
        entries = self.tensors[name] = without_repeats(value.detach())
        stride = list(entries.stride()) if is_dense(entries.shape, entries.stride()) else None
        more["host"] = value.device.type == "cpu"
        written = written_as("tensor", name, stride=stride, **more)
        if memory:
            self._views.setdefault(memory, []).append((place, written, value.detach()))
        return written

    def _in_parameter(self, value: Tensor, memory: int, place: str) -> dict[str, Any]:
        """Where a tensor lies on the memory of a parameter."""
        index = self._memory_of[memory]
        parameter = self._references[index]
        if value.dtype != parameter.dtype:
            raise StateError(f"{place} is on the memory of a parameter, but of another type")
        if value.grad_fn is not None:
            raise StateError(
                f"{place} is a view of a parameter with a graph, which cannot be saved: detach it"
            )
        offset = value.storage_offset() - parameter.storage_offset()
        strides = list(parameter.stride())
        return {"value": index, "strides": strides, **place_in_memory(value, offset)}

    def _object(self, value: object, place: str) -> dict[str, Any]:
        kind = type(value)
        if not self._may_hold(kind) or not (hasattr(value, "__dict__") or any(slots_of(kind))):
            name = path_of(kind).replace(":", ".")
            raise StateError(f"{place} holds an object of {name}, which cannot be saved")
        return written_as("object", path_of(kind), attributes=self.attributes(value, place))

    def _may_hold(self, kind: type) -> bool:
        return may_hold(self._package, kind.__module__)


def _refuse_memory_of_several_kinds(found: list[tuple[str, dict, Tensor | None]]) -> None:
    """Refuse arrays on common memory, and tensors of several types on one memory.

    Raises:
        StateError: with the places of two.
    """
    (first, _, tensor), (second, _, _), *_ = found
    if any(each is None for _, _, each in found):  # an array of numpy
        raise StateError(
            f"{first} and {second} have common memory, which arrays of numpy would lose in a saved "
            "state: keep one of them"
        )
    other = next((place for place, _, each in found if each.dtype != tensor.dtype), None)
    if other:
        raise StateError(
            f"{first} and {other} have common memory, but are of two types: such a state cannot be "
            "saved"
        )
