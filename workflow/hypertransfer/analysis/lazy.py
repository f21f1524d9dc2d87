"""Numeric packages that are imported when one of their attributes is first used.

Configs are checked when a workflow is planned, and the modules of measures are imported for that.
Planning must not wait for numpy, pandas and scipy, which only measuring needs.

    from hypertransfer.analysis.lazy import numpy as np
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any


class LazyModule(ModuleType):
    """Stands for a module, and imports it when an attribute is first read."""

    def __getattr__(self, name: str) -> Any:
        """The attribute of the module that this object stands for, kept for later reads."""
        value = getattr(import_module(self.__name__), name)
        setattr(self, name, value)
        return value


if TYPE_CHECKING:
    import numpy
    import pandas
    from scipy import optimize, special, stats
else:
    numpy = LazyModule("numpy")
    pandas = LazyModule("pandas")
    optimize = LazyModule("scipy.optimize")
    special = LazyModule("scipy.special")
    stats = LazyModule("scipy.stats")
