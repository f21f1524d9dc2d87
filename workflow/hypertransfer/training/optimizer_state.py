"""The whole state of an optimizer as tensors and plain values, and back, bit for bit.

`torch.optim.Optimizer.state_dict` leaves out what an optimizer keeps in other attributes, and
`load_state_dict` casts tensors to the dtype of their parameter. Here the attributes of the object
are written as they are: containers, numbers, generators, tensors with their memory layout, and
objects of the optimizer's own package. Tensors with common memory have common memory again, be it
that of a parameter. Of functions is written what they hold (`code_state`), of classes of the
optimizer's package the values of their attributes; functions and classes themselves are those of a
new optimizer of the same spec. Nothing is pickled.
"""

from __future__ import annotations

import math
import random
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import reduce
from types import MemberDescriptorType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hypertransfer.training.code_state import CODE, held_by, name_of
from hypertransfer.training.state import StateError, Tensors

PLAIN = (type(None), bool, int, str)  # types that JSON holds as they are
MAPPING_TYPES = (dict, OrderedDict, defaultdict, Counter)
CONTAINERS: Mapping[str, type] = {
    kind.__name__: kind for kind in (list, tuple, torch.Size, set, frozenset, deque, *MAPPING_TYPES)
}
MAPPINGS = tuple(kind.__name__ for kind in MAPPING_TYPES)
FACTORIES = {kind.__name__: kind for kind in (int, float, str, bool, list, tuple, dict, set)}
GENERATORS: Mapping[str, tuple[type, Callable, Callable]] = {  # type, read and write the state
    "torch.Generator": (torch.Generator, torch.Generator.get_state, torch.Generator.set_state),
    "random.Random": (random.Random, random.Random.getstate, random.Random.setstate),
    "numpy.RandomState": (
        np.random.RandomState,
        lambda generator: generator.get_state(legacy=False),
        np.random.RandomState.set_state,
    ),
    "numpy.Generator": (
        np.random.Generator,
        lambda generator: generator.bit_generator.state,
        lambda generator, state: setattr(generator.bit_generator, "state", state),
    ),
}
# Types of attributes of classes that are values, not part of the definition of the class.
VALUES = (
    *PLAIN, float, Tensor, np.ndarray, *CONTAINERS.values(),
    *(kind for kind, *_ in GENERATORS.values()),
)  # fmt: skip
Structure = dict[str, Any]  # what `of_optimizer` returns beside tensors


def of_optimizer(optimizer: torch.optim.Optimizer) -> tuple[Tensors, Structure]:
    """An optimizer's tensors by number, not copied, and its structure, which JSON can hold.

    Raises:
        StateError: the optimizer holds an object that has no place in a file.
    """
    writer = _Writer(optimizer)
    attributes = writer.attributes(optimizer, type(optimizer).__name__)
    writer.join_views()
    return writer.tensors, {"attributes": attributes, "classes": writer.classes}


def to_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors, structure: Structure) -> None:
    """Put the state that `of_optimizer` returned into an optimizer of the same spec.

    Tensors are copied; each gets the dtype and the memory layout that it had.

    Raises:
        StateError: the state is of another optimizer.
    """
    try:
        reader = _Reader(optimizer, tensors)
        reader.attributes(structure["attributes"], optimizer)
        reader.class_attributes(structure["classes"])
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


def _attributes(holder: object) -> dict[str, Any]:
    """The attributes of an object, in its dictionary and in slots."""
    slots = (name for name in _slots(type(holder)) if hasattr(holder, name))
    return {**getattr(holder, "__dict__", {}), **{name: getattr(holder, name) for name in slots}}


def _slots(kind: type) -> Iterator[str]:
    for cls in kind.__mro__:
        yield from (n for n, value in vars(cls).items() if isinstance(value, MemberDescriptorType))


def _is_hooks(holder: object, name: str) -> bool:
    """Whether an attribute holds hooks, by numbers that differ from process to process."""
    of_hooks = name.startswith("_optimizer_") and name.endswith("_hooks")
    return of_hooks and isinstance(holder, torch.optim.Optimizer)


def _memory(tensor: Tensor) -> int:
    """Where the memory of a tensor begins; 0 if it has none."""
    return tensor.untyped_storage().data_ptr() if tensor.numel() and not tensor.is_meta else 0


class _Writer:
    """Writes values as plain ones; each container, tensor and object only once."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.tensors: Tensors = {}
        self.classes: dict[str, list] = {}  # attributes of classes, by path
        self._optimizer = optimizer
        self._all_parameters = _parameters(optimizer)
        self._parameters = {id(p): index for index, p in enumerate(self._all_parameters)}
        self._memory_of = {_memory(p): index for index, p in enumerate(self._all_parameters)}
        self._memory_of.pop(0, None)
        self._numbers = {id(optimizer): 0}  # of values that have been written, by identity
        self._alive: list[object] = [optimizer]  # whose identities must not be used again
        self._views: dict[int, list[tuple[str, dict, Tensor | None]]] = {}  # by memory

    def attributes(self, holder: object, place: str) -> list:
        """The attributes of an object, by name."""
        self._class_attributes(type(holder))
        return [
            [name, self._hooks(v, place) if _is_hooks(holder, name) else self.value(v, place)]
            for name, v, place in ((n, v, f"{place}.{n}") for n, v in _attributes(holder).items())
        ]

    def _class_attributes(self, kind: type) -> None:
        """Write the attributes of the class and its bases that are values."""
        for cls in kind.__mro__:
            path, package = _path(cls), cls.__module__.partition(".")[0]
            known = package == "torch" or path in self.classes
            if known or not self._may_hold(cls):
                continue
            self.classes[path] = []
            self.classes[path] += [
                [name, self.value(value, f"{cls.__name__}.{name}")]
                for name, value in vars(cls).items()
                if type(value) in VALUES and not name.startswith("__")
            ]

    def _hooks(self, hooks: Mapping, place: str) -> dict[str, Any]:
        return _written("hooks", [self.value(hook, place) for hook in hooks.values()])

    def join_views(self) -> None:
        """Write the memory of tensors that have it in common once.

        Raises:
            StateError: these are of several types.
        """
        for found in self._views.values():
            (place, first, tensor), *others = found
            if not others:
                continue
            dtypes = {getattr(each, "dtype", None) for _, _, each in found}
            if len(dtypes) > 1 or None in dtypes:  # an array of numpy stands as None
                raise StateError(
                    f"{place} and {others[0][0]} have common memory, but are of two types: such "
                    "a state cannot be saved"
                )
            storage = tensor.untyped_storage()
            shape = (storage.nbytes() // tensor.itemsize,)
            name = first["value"]
            for _, written, view in found:
                del self.tensors[written["value"]]
                written |= _written("view", name, **_place_in_memory(view, view.storage_offset()))
            self.tensors[name] = tensor.new_empty(0).set_(storage, 0, shape, (1,))

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
        if id(value) in self._numbers:
            return _written("same", self._numbers[id(value)])
        number = self._numbers[id(value)] = len(self._alive)
        self._alive.append(value)
        written = self._compound(value, place)
        written["number"] = number
        return written

    def _compound(self, value: Any, place: str) -> dict[str, Any]:
        name = type(value).__name__
        if isinstance(value, CODE):
            held = [self.value(h.value, f"{place}.{h.name}") for h in held_by(value)]
            return _written("code", name_of(value), held=held)
        if isinstance(value, Tensor):
            return self._tensor(value, place)
        if type(value) is CONTAINERS.get(name):
            if name in MAPPINGS:
                factory = {"factory": self._factory(value, place)} if name == "defaultdict" else {}
                return _written(
                    name, [self._item(k, v, place) for k, v in value.items()], **factory
                )
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
            return self._numpy(value, place)
        for kind, (generator, read, _) in GENERATORS.items():
            if type(value) is generator:
                return _written(kind, self.value(read(value), place))
        if isinstance(value, tuple) and hasattr(value, "_fields") and self._may_hold(type(value)):
            items = [self.value(item, f"{place}.{n}") for n, item in value._asdict().items()]
            return _written("namedtuple", _path(type(value)), items=items)
        return self._object(value, place)

    def _factory(self, value: defaultdict, place: str) -> Any:
        """The name of a built-in factory, or what stands for another."""
        name = getattr(value.default_factory, "__name__", None)
        if value.default_factory is FACTORIES.get(name):
            return name
        return self.value(value.default_factory, f"{place}.default_factory")

    def _numpy(self, value: np.generic | np.ndarray, place: str) -> dict[str, Any]:
        shape = list(value.shape) if isinstance(value, np.ndarray) else None
        written = _written("numpy", value.dtype.str, shape=shape, hex=value.tobytes().hex())
        if isinstance(value, np.ndarray) and value.size:
            owner = value
            while isinstance(owner.base, np.ndarray):
                owner = owner.base
            of_tensor = isinstance(owner.base, Tensor)
            memory = _memory(owner.base) if of_tensor else owner.__array_interface__["data"][0]
            if memory in self._memory_of:
                raise StateError(f"{place} is an array on the memory of a parameter: use a tensor")
            self._views.setdefault(memory, []).append((place, written, None))
        return written

    def _item(self, key: object, value: object, place: str) -> list:
        label = self._parameters.get(id(key), key)
        return [self.value(key, place), self.value(value, f"{place}[{label!r}]")]

    def _tensor(self, value: Tensor, place: str) -> dict[str, Any]:
        if value.layout is not torch.strided:
            raise StateError(f"{place} is a sparse tensor, which cannot be saved")
        more = {"requires_grad": True} if value.requires_grad else {}
        memory = _memory(value)
        if memory in self._memory_of:
            return _written("view_of", **self._in_parameter(value, memory, place), **more)
        name = str(len(self._alive))
        self.tensors[name] = value.detach()
        stride = list(value.stride()) if _is_dense(value.shape, value.stride()) else None
        more["host"] = value.device.type == "cpu"
        written = _written("tensor", name, stride=stride, **more)
        if memory:
            self._views.setdefault(memory, []).append((place, written, value.detach()))
        return written

    def _in_parameter(self, value: Tensor, memory: int, place: str) -> dict[str, Any]:
        """Where a tensor lies on the memory of a parameter."""
        index = self._memory_of[memory]
        parameter = self._all_parameters[index]
        if value.dtype != parameter.dtype:
            raise StateError(f"{place} is on the memory of a parameter, but of another type")
        offset = value.storage_offset() - parameter.storage_offset()
        strides = list(parameter.stride())
        return {"value": index, "strides": strides, **_place_in_memory(value, offset)}

    def _object(self, value: object, place: str) -> dict[str, Any]:
        kind = type(value)
        if not self._may_hold(kind) or not (hasattr(value, "__dict__") or any(_slots(kind))):
            raise StateError(f"{place} is a {_path(kind)}, which cannot be saved")
        return _written("object", _path(kind), attributes=self.attributes(value, place))

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
        self._values: dict[int, Any] = {0: optimizer}  # by number
        self._memories: Tensors = {}  # of tensors that have memory in common
        self._filled: set[int] = set()  # identities of values that were present and are filled

    def attributes(self, written: list, holder: object) -> None:
        """Set the attributes of an object, and remove all others."""
        own = _attributes(holder)
        values = {name: self.value(value, own.get(name)) for name, value in written}
        slots = set(_slots(type(holder)))
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
                value, present = self.value(content, vars(cls)[name]), vars(cls)[name]
                if value is not present:
                    setattr(cls, name, value)

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
                return self._code(written, _of_type(present, CODE))
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
                return _of_type(self._class(content)._make(items), tuple)
            case "tensor":
                return self._tensor(content, written)
            case "view" | "view_of":
                return self._view(kind, content, written)
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

    def _view(self, kind: str, content: Any, written: dict) -> Tensor:
        """A tensor on the memory of a parameter, or on that of other tensors of the state."""
        offset = written["offset"]
        if kind == "view_of":
            memory = self._parameters[content].detach()
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
        device = saved.device if written["host"] else self._parameters[0].device
        if stride is None or not _is_dense(saved.shape, stride):
            value = torch.empty(saved.shape, dtype=saved.dtype, device=device)
        else:
            value = torch.empty_strided(saved.shape, stride, dtype=saved.dtype, device=device)
        return value.copy_(saved).requires_grad_(written.get("requires_grad", False))

    def _class(self, path: str, present: type = object) -> type:
        """A class whose objects an optimizer may hold; nothing is imported."""
        module, _, name = path.partition(":")
        if not _may_hold(self._optimizer, module):
            raise ValueError(f"{path} is not of the optimizer's package")
        for cls in (present, *type(self._optimizer).__mro__):  # classes made in functions, too
            if _path(cls) == path:
                return cls
        return _of_type(reduce(getattr, name.split("."), sys.modules[module]), type)


def _place_in_memory(view: Tensor, offset: int) -> dict[str, Any]:
    """Shape and stride of a view, and its first entry in the memory."""
    return {"shape": list(view.shape), "strides_of_view": list(view.stride()), "offset": offset}


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
