"""The dimensions of a parameter that grow with the width, and the rule that follows from them.

A role says what a parameter does. Its rule depends on the dimensions that grow: the projection to a
single head of keys is a hidden matrix whose fan_out stays the same at all widths, and therefore
scales as a readout does. The dimensions are compared with those of the same network at the base
width (as `set_base_shapes` of the mup package does, Yang et al. 2203.03466, Appendix B).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import nn

from hypertransfer.networks.tagged import RoleError, Tagged, named_roles
from hypertransfer.parameterisation.algebra import Role

Size = tuple[int, int]  # fan_in and fan_out; 1 and the number of entries for a vector

# A dimension that grows as m_N^p does not grow if p < LEAST, and grows with the width if p > MOST.
# Rounding, such as that of the inner layer of a gated unit, makes p differ from 0 and 1.
LEAST, MOST = 0.3, 0.7

_BY_GROWTH = {  # of a matrix between hidden layers: whether fan_in and fan_out grow
    (True, True): Role.HIDDEN,
    (True, False): Role.NARROWING,
    (False, True): Role.WIDENING,
    (False, False): Role.FIXED,
}
_MATRICES = frozenset(_BY_GROWTH.values())
_VECTORS = (Role.VECTOR, Role.FINAL_VECTOR)


def size(tagged: Tagged) -> Size:
    """fan_in and fan_out of a parameter."""
    if tagged.is_weight:
        return tagged.module.fan_in, tagged.module.fan_out
    return 1, tagged.parameter.numel()


def sizes(model: nn.Module) -> dict[str, Size]:
    """fan_in and fan_out of each parameter of the model, by name."""
    return {tagged.name: size(tagged) for tagged in named_roles(model)}


def scaled_as(tagged: Tagged, base_sizes: Mapping[str, Size], width: float) -> Role:
    """The role whose rule scales a parameter: the parameter's own, unless dimensions say otherwise.

    Args:
        tagged: the parameter.
        base_sizes: `sizes` of the network at the base width. A parameter that is missing there
            keeps its role.
        width: m_N, the ratio of the width to that of the base.

    Raises:
        RoleError: the growth of a dimension contradicts the role, or is neither that of the width
            nor none.
    """
    role = tagged.role
    if width == 1 or tagged.name not in base_sizes:
        return role
    fan_in, fan_out = (
        _grows(tagged, name, base, here, width)
        for name, base, here in zip(
            ("fan_in", "fan_out"), base_sizes[tagged.name], size(tagged), strict=True
        )
    )
    if role in _MATRICES:
        return _BY_GROWTH[fan_in, fan_out]
    if role in _VECTORS:
        return role if fan_out else Role.QK_GAIN
    if (role is Role.INPUT and fan_in) or (role is Role.OUTPUT and fan_out):
        grown = "fan_in" if role is Role.INPUT else "fan_out"
        other = Role.OUTPUT if role is Role.INPUT else Role.INPUT
        fitting = Role.HIDDEN if fan_in and fan_out else other
        raise RoleError(
            f"{tagged.name} has the role {role.value}, but its {grown} grows with the width: "
            f"give it the role {fitting.value}"
        )
    if role in (Role.INPUT, Role.OUTPUT):
        return role if fan_in or fan_out else Role.FIXED
    return role


def _grows(tagged: Tagged, name: str, base: int, here: int, width: float) -> bool:
    """Whether a dimension grows with the width.

    Raises:
        RoleError: it grows by another power of the width.
    """
    if here == base:
        return False
    power = math.log(here / base) / math.log(width)
    if LEAST <= power <= MOST:
        raise RoleError(
            f"the {name} of {tagged.name} grows from {base} to {here} while the width grows by the "
            f"factor {width:g}: no rule of a table is for that; let it grow with the width, or "
            "not at all"
        )
    return power > MOST
