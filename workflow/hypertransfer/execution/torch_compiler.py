"""The import of torch's compiler, without which jobs can train.

The import of `torch._dynamo` takes about a second, a large part of the time of a job with small
networks. Two functions of torch import it although they compile nothing: optimizers mark what the
compiler shall not trace, and `torch.use_deterministic_algorithms` sets an option of the compiler.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch

from hypertransfer.runs.spec import RunSpec

NAME = "torch._dynamo"
MARK = "__dynamo_disable"  # the attribute by which torch keeps what `disable` has returned
_use_deterministic_algorithms = torch.use_deterministic_algorithms


class Unused(ModuleType):
    """Stands for `torch._dynamo` as long as nothing is compiled.

    The two functions that optimizers call do nothing. Any other attribute imports the compiler,
    which then takes the place of this module.
    """

    def __init__(self) -> None:
        super().__init__(NAME, self.__doc__)
        self.__spec__, self.__path__ = find_spec(NAME), []
        self.marked: list[Callable] = []

    def disable(self, fn: Callable | None = None, *arguments: Any, **options: Any) -> Callable:
        """The function itself, since there is no compiler that would trace it."""
        if fn is None:  # a decorator with arguments
            return imported().disable(fn, *arguments, **options)
        self.marked.append(fn)
        return fn

    def graph_break(self, msg: str = "") -> None:
        """Nothing, since no graph is traced."""

    def __getattr__(self, name: str) -> Any:
        """An attribute of the compiler, which is imported now."""
        if name.startswith("__"):  # such as __file__, by which tools look through all modules
            raise AttributeError(f"{NAME} was not imported, and has no {name}")
        return getattr(imported(), name)


class _Submodules(MetaPathFinder, Loader):
    """Imports the compiler before a submodule of it is imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path
        if not name.startswith(f"{NAME}."):
            return None
        compiler = imported()
        module = sys.modules.get(name)
        if module is None:
            return PathFinder.find_spec(name, compiler.__path__, target)
        # Python takes the module's own spec, by whose loader it would load the module again.
        # Modules of settings refuse attributes that are no settings.
        spec = ModuleSpec(name, self, loader_state=(module, module.__spec__))
        vars(module)["__spec__"] = spec
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The submodule that the import of the compiler has loaded."""
        return spec.loader_state[0]

    def exec_module(self, module: ModuleType) -> None:
        """Nothing, since the submodule is loaded."""
        vars(module)["__spec__"] = module.__spec__.loader_state[1]


_submodules = _Submodules()


def leave_out(spec: RunSpec) -> None:
    """Train or probe a run without the compiler, unless a part of the run is not ours.

    Parts of the user and of packages may compile: for these the compiler is imported.
    """
    if spec.import_paths:
        imported()
    elif NAME not in sys.modules:
        sys.modules[NAME] = torch._dynamo = Unused()
        sys.meta_path.insert(0, _submodules)
        torch.use_deterministic_algorithms = _deterministic


def _deterministic(mode: bool, *, warn_only: bool = False) -> None:
    torch._C._set_deterministic_algorithms(mode, warn_only=warn_only)


def imported() -> ModuleType:
    """The compiler itself, with the options and marks that it would have got before."""
    unused = sys.modules.get(NAME)
    if isinstance(unused, Unused):
        del sys.modules[NAME], torch._dynamo
        sys.meta_path.remove(_submodules)
        for function in unused.marked:
            vars(function).pop(MARK, None)
        torch.use_deterministic_algorithms = _use_deterministic_algorithms
        _use_deterministic_algorithms(
            torch.are_deterministic_algorithms_enabled(),
            warn_only=torch.is_deterministic_algorithms_warn_only_enabled(),
        )
    return importlib.import_module(NAME)
