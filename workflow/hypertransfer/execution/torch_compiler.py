"""The import of torch's compiler, without which jobs can train.

The import of `torch._dynamo` takes about a second, a large part of the time of a job with small
networks. Two functions of torch import it although they compile nothing: optimizers mark what the
compiler shall not trace, and `torch.use_deterministic_algorithms` sets an option of the compiler.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

from hypertransfer.runs.spec import RunSpec

NAME = "torch._dynamo"
_use_deterministic_algorithms = torch.use_deterministic_algorithms


class Unused(ModuleType):
    """Stands for `torch._dynamo` as long as nothing is compiled.

    The two functions that optimizers call do nothing. Any other attribute imports the compiler,
    which then takes the place of this module.
    """

    def __init__(self) -> None:
        super().__init__(NAME, self.__doc__)

    def disable(self, function: Callable, *arguments: Any, **options: Any) -> Callable:
        """The function itself, since there is no compiler that would trace it."""
        del arguments, options
        return function

    def graph_break(self, message: str = "") -> None:
        """Nothing, since no graph is traced."""

    def __getattr__(self, name: str) -> Any:
        """An attribute of the compiler, which is imported now."""
        if name == "__path__":  # asked for by the import of a submodule
            return imported().__path__
        if name.startswith("__"):  # such as __file__, by which tools look through all modules
            raise AttributeError(f"{NAME} was not imported, and has no {name}")
        return getattr(imported(), name)


def leave_out(spec: RunSpec) -> None:
    """Train or probe a run without the compiler, unless a part of the run is not ours.

    Parts of the user and of packages may compile: for these the compiler is imported.
    """
    names = spec.model.name, spec.optimizer.name, spec.data.name, spec.parameterisation
    if any(":" in name for name in names):
        imported()
    elif NAME not in sys.modules:
        sys.modules[NAME] = torch._dynamo = Unused()
        torch.use_deterministic_algorithms = _deterministic


def _deterministic(mode: bool, *, warn_only: bool = False) -> None:
    torch._C._set_deterministic_algorithms(mode, warn_only=warn_only)


def imported() -> ModuleType:
    """The compiler itself, with the options that it would have got before."""
    if isinstance(sys.modules.get(NAME), Unused):
        del sys.modules[NAME], torch._dynamo
        torch.use_deterministic_algorithms = _use_deterministic_algorithms
        _use_deterministic_algorithms(
            torch.are_deterministic_algorithms_enabled(),
            warn_only=torch.is_deterministic_algorithms_warn_only_enabled(),
        )
    return importlib.import_module(NAME)
