"""The kinds of values that a state may hold, and where tensors lie in memory.

These are the values of the attributes of an optimizer or of the modules of a network.
"""

from __future__ import annotations

import random
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import MemberDescriptorType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hypertransfer.catalogue.module_source import PACKAGE, own

PLAIN = (type(None), bool, int, str)  # types that JSON holds as they are
MOST_BITS = 14_000  # of an int: Python reads 4300 decimal digits, and refuses more
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


def parameters_of(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """The parameters of all groups, in order."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def path_of(kind: type) -> str:
    """The module and the name of a class."""
    return f"{kind.__module__}:{kind.__qualname__}"


def package_of(owner: object) -> str:
    """The package of an object's class."""
    return type(owner).__module__.partition(".")[0]


def may_hold(package: str, module: str) -> bool:
    """Whether objects of a module's classes are written: the package's, torch.optim's, the user's.

    The user's modules are those in the working directory.
    """
    known = module.partition(".")[0] == package or f"{module}.".startswith("torch.optim.")
    return known or is_users(module)


def is_users(module: str) -> bool:
    """Whether a module is the user's: it is in the working directory, and not of the library."""
    return module.partition(".")[0] != PACKAGE and _own_in(Path.cwd(), module)


@lru_cache(maxsize=16384)
def _own_in(_folder: Path, module: str) -> bool:
    return own(module) is not None


def written_as(kind: str, value: Any, **more: Any) -> dict[str, Any]:
    """What stands for a value that JSON does not hold as it is."""
    return {"kind": kind, "value": value, **more}


def attributes_of(holder: object) -> dict[str, Any]:
    """The attributes of an object, in its dictionary and in slots."""
    slots = (name for name in slots_of(type(holder)) if hasattr(holder, name))
    return {**getattr(holder, "__dict__", {}), **{name: getattr(holder, name) for name in slots}}


def class_values(cls: type) -> dict[str, Any]:
    """The attributes of a class, without those of its bases, that are values."""
    named = vars(cls).items()
    return {n: v for n, v in named if type(v) in VALUES and not n.startswith("__")}


def slots_of(kind: type) -> Iterator[str]:
    """The names of the slots of a class and its bases."""
    for cls in kind.__mro__:
        yield from (n for n, value in vars(cls).items() if isinstance(value, MemberDescriptorType))


def is_hooks(holder: object, name: str) -> bool:
    """Whether an attribute holds hooks, by numbers that differ from process to process."""
    of_hooks = name.startswith("_optimizer_") and name.endswith("_hooks")
    return of_hooks and isinstance(holder, torch.optim.Optimizer)


def memory_of(tensor: Tensor) -> int:
    """Where the memory of a tensor begins; 0 if it has none."""
    return tensor.untyped_storage().data_ptr() if tensor.numel() and not tensor.is_meta else 0


def place_in_memory(view: Tensor, offset: int) -> dict[str, Any]:
    """Shape and stride of a view, and its first entry in the memory."""
    return {"shape": list(view.shape), "strides_of_view": list(view.stride()), "offset": offset}


def is_dense(shape: tuple[int, ...], stride: tuple[int, ...]) -> bool:
    """Whether a tensor of this shape and stride fills its memory without gaps."""
    sides = sorted((step, side) for side, step in zip(shape, stride, strict=True) if side != 1)
    expected = 1
    for step, side in sides:
        if step != expected:
            return False
        expected *= side
    return True


def without_repeats(tensor: Tensor) -> Tensor:
    """A view of the entries that `expand` repeats, each once: one along dimensions of stride 0."""
    for dimension, stride in enumerate(tensor.stride()):
        if stride == 0:
            tensor = tensor.narrow(dimension, 0, min(1, tensor.shape[dimension]))
    return tensor


def of_type(value: Any, kind: Any) -> Any:
    """The value, whose type is checked.

    Raises:
        ValueError: the value is of another type.
    """
    if not isinstance(value, kind):
        raise ValueError(f"{value!r} stands where the state has a {kind}")
    return value
