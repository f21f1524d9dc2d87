"""The attributes of an optimizer or a network from tensors and values that JSON can hold."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hypertransfer.training.code_state import CODE, held_by, name_of
from hypertransfer.training.state import Tensors
from hypertransfer.training.state_kinds import (
    CONTAINERS,
    FACTORIES,
    GENERATORS,
    MAPPINGS,
    attributes_of,
    is_dense,
    may_hold,
    of_type,
    path_of,
    slots_of,
)


class Reader:
    """The inverse of `Writer`, for another optimizer or network of the same spec.

    Lists, dictionaries and objects that stand at the same place now are filled anew, as others may
    refer to them.

    Args:
        root, references, package: as for `Writer`.
        tensors: those that the writer returned.
    """

    def __init__(
        self, root: object, references: Sequence[Tensor], package: str, tensors: Tensors
    ) -> None:
        self._root, self._references = root, references
        self._package, self._tensors = package, tensors
        self._values: dict[int, Any] = {0: root}  # by number
        self._memories: Tensors = {}  # of tensors that have memory in common
        self._filled: set[int] = set()  # identities of values that were present and are filled

    def attributes(self, written: list, holder: object) -> None:
        """Set the attributes of an object, and remove all others."""
        own = attributes_of(holder)
        values = {name: self.value(value, own.get(name)) for name, value in written}
        slots = set(slots_of(type(holder)))
        for name in slots & own.keys():
            object.__delattr__(holder, name)
        for name in slots & values.keys():
            object.__setattr__(holder, name, values[name])
        if hasattr(holder, "__dict__"):
            vars(holder).clear()
            vars(holder).update({n: value for n, value in values.items() if n not in slots})

    def class_attributes(self, written: Mapping[str, list]) -> None:
        """Set the attributes of classes."""
        for path, attributes in written.items():
            cls = self._class(path)
            for name, content in attributes:
                present = vars(cls).get(name)  # None if only training sets the attribute
                value = self.value(content, present)
                if name not in vars(cls) or value is not present:
                    setattr(cls, name, value)

    def value(self, written: Any, present: Any = None) -> Any:
        """The value; `present` stands at its place now."""
        if not isinstance(written, dict):
            return written
        kind, content = written["kind"], written["value"]
        match kind:
            case "parameter":
                return self._references[content]
            case "id_of":
                return id(self._references[content])
            case "float":
                return float(content)
            case "same":
                return self._values[content]
            case "code":
                return self._code(written, of_type(present, CODE))
            case "hooks":
                for hook, now in zip(content, present.values(), strict=True):
                    self.value(hook, now)
                return present
            case "list" | "set" | "object":
                return self._fill(kind, content, written, present)
        if kind in MAPPINGS:
            return self._fill(kind, content, written, present)
        value = self._values[written["number"]] = self._make(kind, content, written, present)
        return value

    def _code(self, written: dict, present: Any) -> Any:
        """A function that is present, with what it holds."""
        if name_of(present) != written["value"]:
            raise ValueError(f"{name_of(present)} stands where the state has {written['value']}")
        self._values[written["number"]] = present
        for held, content in zip(held_by(present), written["held"], strict=True):
            value = self.value(content, held.value)
            if held.put:
                held.put(value)
            elif isinstance(value, Tensor) and value is not held.value:
                held.value.detach().copy_(value)
            elif value is not held.value and value != held.value:
                raise ValueError(f"{name_of(present)} holds {held.value!r} for good, not {value!r}")
        return present

    def _fill(self, kind: str, content: Any, written: dict, present: Any) -> Any:
        """A value that may refer to itself: known by its number before its content is read."""
        cls = CONTAINERS.get(kind) or self._class(content, type(present))
        if type(present) is not cls or id(present) in self._filled:
            present = cls.__new__(cls) if kind == "object" else cls()
        self._filled.add(id(present))
        self._values[written["number"]] = present
        if kind == "defaultdict":
            factory = written["factory"]
            known = FACTORIES.get(factory) if not isinstance(factory, dict) else None
            present.default_factory = known or self.value(factory, present.default_factory)
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
            for key, item in items:  # `update` of a Counter adds
                present[key] = item
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
            case "namedtuple":
                items = self._items(written["items"], present if isinstance(present, tuple) else ())
                return of_type(self._class(content)._make(items), tuple)
            case "tensor":
                return self._tensor(content, written)
            case "view" | "view_of":
                return self._view(kind, content, written)
            case "enum":
                return of_type(self._class(content)[written["name"]], Enum)
            case "dtype":
                return of_type(getattr(torch, content), torch.dtype)
            case "device":
                return torch.device(content)
            case "numpy":
                return np.frombuffer(bytes.fromhex(written["hex"]), np.dtype(content))[0]
            case "array":
                entries = self._tensors[content].numpy().view(np.dtype(written["dtype"])).copy()
                return entries.reshape(written["shape"], order=written["order"])
        generator, _, write = GENERATORS[kind]
        write(of_type(present, generator), self.value(content))
        return present

    def _items(self, written: list, present: list | tuple = ()) -> list:
        now = [*present, *[None] * len(written)]
        return [self.value(item, old) for item, old in zip(written, now, strict=False)]

    def _view(self, kind: str, content: Any, written: dict) -> Tensor:
        """A tensor on the memory of a parameter, or on that of other tensors of the state."""
        offset = written["offset"]
        if kind == "view_of":
            memory = self._references[content].detach()
            if list(memory.stride()) != written["strides"]:
                raise ValueError(f"parameter {content} has another memory layout")
            offset += memory.storage_offset()
        else:
            if content not in self._memories:
                self._memories[content] = self._tensor(
                    content, {"stride": None, "host": written["host"]}
                )
            memory = self._memories[content]
        view = memory.as_strided(written["shape"], written["strides_of_view"], offset)
        return view.requires_grad_(written.get("requires_grad", False))

    def _tensor(self, name: str, written: dict) -> Tensor:
        saved, stride = self._tensors[name], written["stride"]
        device = saved.device if written["host"] else self._references[0].device
        if stride is None or not is_dense(saved.shape, stride):
            value = torch.empty(saved.shape, dtype=saved.dtype, device=device)
        else:
            value = torch.empty_strided(saved.shape, stride, dtype=saved.dtype, device=device)
        value = value.copy_(saved).expand(written.get("expanded", saved.shape))
        return value.requires_grad_(written.get("requires_grad", False))

    def _class(self, path: str, present: type = object) -> type:
        """A class whose objects may be held; nothing is imported."""
        module, _, name = path.partition(":")
        if not may_hold(self._package, module):
            kind = type(self._root).__name__
            raise ValueError(f"{path} is not of the package of {kind}")
        for cls in (present, *type(self._root).__mro__):  # classes made in functions, too
            if path_of(cls) == path:
                return cls
        return of_type(reduce(getattr, name.split("."), sys.modules[module]), type)
