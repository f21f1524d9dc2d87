"""Families of measures: the modules that define them, found by the name of a measure.

Modules are imported by name, so that a claim's verdict depends on the code of the families that its
study uses, and not on that of the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from hypertransfer.claims.measure import MEASURES, Measure

FAMILIES = (
    "hypertransfer.claims.sweep_measures",
    "hypertransfer.claims.trajectory_measures",
    "hypertransfer.claims.arm_measures",
    "hypertransfer.claims.space_measures",
)


@cache
def measures() -> Mapping[str, Measure]:
    """All measures by name, in the order of their families, whichever was imported first."""
    for module in FAMILIES:
        import_module(module)
    return {
        name: measure
        for module in FAMILIES
        for name, measure in MEASURES.items()
        if measure.function.__module__ == module
    }


def family_of(name: str) -> str:
    """The module that defines the measure of that name."""
    return measures()[name].function.__module__
