"""Families of measures: the modules that define measures.

The modules are imported by name, so that a verdict depends on the code of the families that its
study uses, and not on the code of the other families.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module

from hypertransfer.claims.claim import Claim
from hypertransfer.claims.measure import MEASURES, Measure

FAMILIES = (
    "hypertransfer.claims.sweep_measures",
    "hypertransfer.claims.trajectory_measures",
    "hypertransfer.claims.arm_measures",
    "hypertransfer.claims.contrast_measures",
    "hypertransfer.claims.space_measures",
)


def measures() -> Mapping[str, Measure]:
    """All measures by name: in the order of `FAMILIES`, then measures of other modules."""
    for module in FAMILIES:
        import_module(module)
    return dict(sorted(MEASURES.items(), key=_family_number))


def _family_number(item: tuple[str, Measure]) -> int:
    module = item[1].function.__module__
    return FAMILIES.index(module) if module in FAMILIES else len(FAMILIES)


def families_of(claims: Iterable[Claim]) -> list[str]:
    """The modules that define the measures of the claims and of their controls, sorted."""
    parts = [part for claim in claims for part in (claim, claim.control) if part]
    return sorted({family_of(part.measure) for part in parts})


def family_of(name: str) -> str:
    """The name of the module that defines a measure."""
    return measures()[name].function.__module__
