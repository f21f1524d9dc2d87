"""Attributes of a network's modules that training changes: saved with a run's state.

A network may count its steps in an attribute, average activations in a tensor that is no buffer, or
draw from a generator of its own. These attributes decide its outputs as buffers do.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from torch import Tensor, nn

from hypertransfer.training.class_values import recorded
from hypertransfer.training.code_state import CODE
from hypertransfer.training.network_tensors import INTERNAL, own_attributes_of, tensors_of
from hypertransfer.training.optimizer_state import Structure, nesting_refused, others_refused
from hypertransfer.training.state import StateError, Tensors
from hypertransfer.training.state_kinds import class_values, may_hold, package_of, path_of
from hypertransfer.training.state_reader import Reader
from hypertransfer.training.state_writer import Writer

HOOKS = sorted(name for name in INTERNAL if name.endswith("_hooks"))


class ModuleState:
    """Attributes of a network's modules and their classes, compared with those before training."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._parts = self._modules()
        self._start = self._values()
        self._digests = self._digests_of(self._start)

    def changed(self) -> tuple[Tensors, Structure]:
        """The attributes that changed: tensors by number, and structure, which JSON can hold.

        Raises:
            StateError: an attribute holds an object that has no place in a file, or the network
                has got or lost modules or hooks.
        """
        kind = type(self._model).__name__
        if others := sorted({n for n, _ in self._parts ^ self._modules()}):
            raise StateError(
                f"{kind} has changed modules or hooks in training, which cannot be saved: "
                f"{', '.join(others)}"
            )
        now = self._values()
        digests = self._digests_of(now)
        changed = {n: v for n, v in now.items() if self._differs(n, v, digests[n])}
        attributes = {name: v for name, v in changed.items() if isinstance(name, str)}
        for name, value in attributes.items():
            if isinstance(value, CODE):
                raise StateError(
                    f"{kind}.{name} is code that the network changed, which cannot be saved"
                )
        writer = Writer(self._model, self._references(), package_of(self._model))
        with nesting_refused(kind):
            written = [[name, writer.value(v, f"{kind}.{name}")] for name, v in attributes.items()]
            complete = set(writer.classes)  # those of objects that the attributes hold
            for cls, name in (key for key in changed if key not in attributes):
                if (path := path_of(cls)) not in complete:
                    content = writer.value(changed[cls, name], f"{cls.__name__}.{name}")
                    writer.classes.setdefault(path, []).append([name, content])
        writer.join_views()
        return writer.tensors, {
            "attributes": written,
            "classes": writer.classes,
            "removed": sorted(n for n in self._start.keys() - now.keys() if isinstance(n, str)),
            "evaluating": [n for n, m in self._model.named_modules() if not m.training],
        }

    def restore(self, tensors: Tensors, structure: Structure) -> None:
        """Give a network that is not trained yet the attributes that `changed` returned.

        Raises:
            StateError: the state is of another network.
        """
        modules, own = dict(self._model.named_modules()), self._attributes()
        with others_refused("network"):
            package = package_of(self._model)
            reader = Reader(self._model, self._references(), package, tensors)
            values = {n: reader.value(v, own.get(n)) for n, v in structure["attributes"]}
            reader.class_attributes(structure["classes"])
            for name in (*structure["removed"], *values):
                path, _, attribute = name.rpartition(".")
                attributes = vars(modules[path])
                attributes.pop(attribute, None)
                if name in values:
                    attributes[attribute] = values[name]
            for name, module in modules.items():
                module.training = name not in structure["evaluating"]

    def _modules(self) -> set[tuple[str, tuple]]:
        """Names of modules, each with its class and its hooks, which come from the constructor."""
        return {
            (path, (type(module), *((n, *vars(module)[n]) for n in HOOKS if n in vars(module))))
            for path, module in self._model.named_modules()
        }

    def _values(self) -> dict[Any, Any]:
        """Attributes of modules by name, and of their classes by class and name."""
        package = package_of(self._model)
        classes = dict.fromkeys([*self._classes(), *recorded()])
        own = [cls for cls in classes if may_hold(package, cls.__module__)]
        of_classes = {(cls, n): value for cls in own for n, value in class_values(cls).items()}
        return {**self._attributes(), **of_classes}

    def _classes(self) -> list[type]:
        """The classes of the modules, with their bases, in the order of the modules."""
        modules = self._model.modules()
        return list(dict.fromkeys(cls for module in modules for cls in type(module).__mro__))

    def _attributes(self) -> dict[str, Any]:
        """Attributes by the name of their module and their own, as modules let them be copied."""
        named: dict[str, Any] = {}
        for path, module in self._model.named_modules():
            attributes, copied = own_attributes_of(module), _copied(module)
            if isinstance(copied, dict):
                attributes = {name: copied[name] for name in attributes if name in copied}
            named |= {f"{path}.{n}" if path else n: value for n, value in attributes.items()}
        return named

    def _differs(self, name: Any, value: Any, digest: str | None) -> bool:
        """Whether an attribute changed in training, or may have changed unseen."""
        if name not in self._start or digest != self._digests[name]:
            return True
        if digest is not None:
            return False
        return value is not self._start[name] or not isinstance(value, CODE)

    def _digests_of(self, attributes: Mapping[Any, Any]) -> dict[Any, str | None]:
        """A digest of each value with all that it holds; None for what cannot be read.

        The network's modules and tensors count by name only: their content is saved elsewhere. What
        cannot be read in classes of other objects than the network's modules counts by identity.
        """
        named = {**dict(self._model.named_modules()), **tensors_of(self._model)}
        own, classes = {id(item): name for name, item in named.items()}, {*self._classes()}
        return {
            name: _digest(value, own)
            if isinstance(name, str) or name[0] in classes
            else _digest_by_parts(value, own)
            for name, value in attributes.items()
        }

    def _references(self) -> list[Tensor]:
        """The network's tensors, which are saved elsewhere."""
        return [tensor for _, tensor in sorted(tensors_of(self._model).items())]


def _copied(module: nn.Module) -> Any:
    """What a module lets be copied; None if it cannot be copied."""
    try:
        return module.__getstate__()
    except Exception:  # a module that refuses to be copied may raise anything
        return None


class _Hash:
    """A file that keeps the SHA-256 of what is written to it only."""

    def __init__(self) -> None:
        self.hash = sha256()

    def write(self, content: bytes | memoryview) -> int:
        """Add to what has been written."""
        self.hash.update(content)
        return len(content)


class _Pickler(pickle.Pickler):
    """Writes objects of `own` by name. Nothing reads what it writes."""

    def __init__(self, file: _Hash, own: Mapping[int, str]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._own = own

    def persistent_id(self, item: Any) -> str | None:
        """The name of an object of the network."""
        return self._own.get(id(item))


def _digest(value: Any, own: Mapping[int, str]) -> str | None:
    file = _Hash()
    try:
        _Pickler(file, own).dump(value)
    except Exception:  # an object that cannot be pickled may raise anything
        return None
    return file.hash.hexdigest()


def _digest_by_parts(
    value: Any, own: Mapping[int, str], around: frozenset[int] = frozenset()
) -> str:
    """A digest in which an object that cannot be read counts by its identity.

    `around` are the identities of the containers that hold the value.
    """
    if whole := _digest(value, own):
        return whole
    parts = [*value.items()] if isinstance(value, dict) else value
    if id(value) in around or not isinstance(parts, list | tuple | set | frozenset | deque):
        return f"{type(value)} {id(value)}"
    digests = [_digest_by_parts(part, own, around | {id(value)}) for part in parts]
    return str(_digest([type(value).__qualname__, *digests], {}))
