"""Numeric packages that are imported when one of their attributes is first used.

Planning a workflow checks the configs, and for that imports the modules of measures. Planning must
not wait for the import of numpy, pandas and scipy, which only measuring needs.

    from hypertransfer.analysis.lazy import numpy as np
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any


class LazyModule(ModuleType):
    """A proxy of a module, which is imported when an attribute is first read."""

    def __getattr__(self, name: str) -> Any:
        """The attribute of the module, which the proxy keeps for later reads."""
        value = getattr(import_module(self.__name__), name)
        setattr(self, name, value)
        return value


if TYPE_CHECKING:
    import numpy
    import pandas
    from scipy import interpolate, optimize, special, stats
else:
    numpy = LazyModule("numpy")
    pandas = LazyModule("pandas")
    interpolate = LazyModule("scipy.interpolate")
    optimize = LazyModule("scipy.optimize")
    special = LazyModule("scipy.special")
    stats = LazyModule("scipy.stats")
