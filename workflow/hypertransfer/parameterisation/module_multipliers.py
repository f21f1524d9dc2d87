"""Hyperparameters of single modules: a factor by type of module times a factor by depth.

Mlodozeniec et al. 2512.22382: log ζ(m, ℓ) = log ζ_type(m) + log ζ_depth(ℓ). Types are the names
of parameters without what tells one block from another; depth factors stand at even places over
the blocks, and a network of another depth takes them interpolated in log space.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

# Hyperparameters that can be multiplied. Of the betas it is what they forget, 1 − β.
NAMES = ("lr", "weight_decay", "eps", "init_std", "beta1", "beta2", "residual")
_STRUCTURE = ("blocks", "layers")  # names of lists of modules, which say nothing


@dataclass(frozen=True)
class Factors:
    """Of one hyperparameter: a factor for each type named, and factors over the depth."""

    types: Mapping[str, float] = field(default_factory=dict)
    depth: Sequence[float] = ()

    def at(self, kind: str, place: float | None) -> float:
        """The factor of a module of this type, at a place from 0 to 1 (None: in no block)."""
        return self.types.get(kind, 1.0) * (
            1.0 if place is None else interpolated(self.depth, place)
        )

    def plain(self) -> dict:
        """As the config has it."""
        return {"types": dict(self.types), "depth": list(self.depth)}


def interpolated(factors: Sequence[float], place: float) -> float:
    """The factor at a place from 0 to 1, log-linear between the even places of the given ones."""
    if not factors:
        return 1.0
    position = place * (len(factors) - 1)
    low = min(int(position), len(factors) - 2) if len(factors) > 1 else 0
    high = min(low + 1, len(factors) - 1)
    share = position - low
    return math.exp((1 - share) * math.log(factors[low]) + share * math.log(factors[high]))


def kind(name: str) -> str:
    """The type of a parameter or module: its path without numbers and lists of modules."""
    parts = [part for part in name.split(".") if not part.isdigit() and part not in _STRUCTURE]
    return ".".join(parts)


def block(name: str) -> int | None:
    """The number of the block that a parameter or module is in."""
    parts = name.split(".")
    if parts[0] != "blocks" or len(parts) < 2 or not parts[1].isdigit():
        return None
    return int(parts[1])


def place(name: str, blocks: int) -> float | None:
    """Where its block stands among so many: ℓ/(L − 1), 0 of a single one; None outside blocks."""
    number = block(name)
    return None if number is None else number / max(blocks - 1, 1)


def count_blocks(names: Iterable[str]) -> int:
    """The number of blocks that the named parameters are in."""
    return max((n + 1 for name in names if (n := block(name)) is not None), default=0)
