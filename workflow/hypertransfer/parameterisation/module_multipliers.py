"""Factors on the hyperparameters of single modules: a factor by type times a factor by depth.

Mlodozeniec et al. 2512.22382: log ζ(m, ℓ) = log ζ_type(m) + log ζ_depth(ℓ). The type of a parameter
is its name without the numbers of blocks. Depth factors belong to evenly spaced relative depths
between 0 and 1, and are interpolated in log space for networks of other depths.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

# Hyperparameters that can be multiplied; for betas the factor applies to 1 − β.
NAMES = ("lr", "weight_decay", "eps", "init_std", "beta1", "beta2", "residual")
_STRUCTURE = ("blocks", "layers")  # names of lists of modules, which are not part of a type


@dataclass(frozen=True)
class Factors:
    """The factors of one hyperparameter.

    Attributes:
        types: the factor of each type of module; other types have the factor 1.
        depth: the factors at evenly spaced relative depths from 0 to 1; empty for 1 at all depths.
    """

    types: Mapping[str, float] = field(default_factory=dict)
    depth: Sequence[float] = ()

    def at(self, kind: str, depth: float | None) -> float:
        """The factor of a module of type `kind` at a relative depth; None for no depth factor."""
        return self.types.get(kind, 1.0) * (
            1.0 if depth is None else interpolated(self.depth, depth)
        )

    def plain(self) -> dict:
        """The factors as a config writes them."""
        return {"types": dict(self.types), "depth": list(self.depth)}


def interpolated(factors: Sequence[float], depth: float) -> float:
    """The factor at a relative depth from 0 to 1, log-linear between evenly spaced factors."""
    if not factors:
        return 1.0
    position = depth * (len(factors) - 1)
    low = min(int(position), len(factors) - 2) if len(factors) > 1 else 0
    high = min(low + 1, len(factors) - 1)
    share = position - low
    return math.exp((1 - share) * math.log(factors[low]) + share * math.log(factors[high]))


def kind(name: str) -> str:
    """The type of a parameter or module: its path without numbers and names of module lists."""
    parts = [part for part in name.split(".") if not part.isdigit() and part not in _STRUCTURE]
    return ".".join(parts)


def block(name: str) -> int | None:
    """The number of the block that contains a parameter or module; None outside blocks."""
    parts = name.split(".")
    if parts[0] != "blocks" or len(parts) < 2 or not parts[1].isdigit():
        return None
    return int(parts[1])


def relative_depth(name: str, blocks: int) -> float | None:
    """ℓ/(L − 1) of a parameter or module in block ℓ of L; 0 if L is 1; None outside blocks."""
    number = block(name)
    return None if number is None else number / max(blocks - 1, 1)


def count_blocks(names: Iterable[str]) -> int:
    """The number of blocks of a network, from the names of its parameters."""
    return max((n + 1 for name in names if (n := block(name)) is not None), default=0)
