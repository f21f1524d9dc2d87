"""The dimensions of a parameter that grow with the width, and the rule that follows from them.

A role says what a parameter does. Its rule depends on the dimensions that grow: the projection to a
single head of keys is a hidden matrix whose fan_out stays the same at all widths, and therefore
scales as a readout does. Dimensions are compared between networks of several widths, as
`set_base_shapes` of the mup package compares two (Yang et al. 2203.03466, Appendix B). These widths
follow from the base width alone, so that a parameter has one rule at all widths of a sweep.
"""

from __future__ import annotations

import itertools
import logging
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from hypertransfer.networks.tagged import RoleError, Tagged, named_roles
from hypertransfer.parameterisation.algebra import Role

log = logging.getLogger(__name__)

Size = tuple[int, ...]  # fan_in and fan_out of a layer's weight; the shape of another parameter

FANS = ("fan_in", "fan_out")
STEP = 4  # ratio of the widths that are compared: base, STEP · base, STEP² · base
# A dimension a·N + b of width N is one that grows. Rounding, such as that of the inner layer of a
# gated unit, makes the power of N in its increments differ from 1, by this much at most.
LEAST, MOST = 0.7, 1.3
FEW = 0.3  # largest power of the width at which a dimension counts as fixed; of two widths alone

_BY_GROWTH = {  # of a matrix between hidden layers: whether fan_in and fan_out grow
    (True, True): Role.HIDDEN,
    (True, False): Role.NARROWING,
    (False, True): Role.WIDENING,
    (False, False): Role.FIXED,
}
_MATRICES = frozenset(_BY_GROWTH.values())
_GROWTH_OF = {  # whether fan_in and fan_out of the other matrices grow
    Role.INPUT: (False, True),
    Role.OUTPUT: (True, False),
    Role.ROUTER: (True, False),
    Role.EXPERT_UP: (True, True),
    Role.EXPERT_DOWN: (True, True),
}
_ADVISED = {  # the role that a network gives to a matrix with this growth
    (True, True): Role.HIDDEN,
    (True, False): Role.OUTPUT,
    (False, True): Role.INPUT,
}


def size(tagged: Tagged) -> Size:
    """fan_in and fan_out of a layer's weight; the shape of another parameter."""
    if tagged.is_weight:
        return tagged.module.fan_in, tagged.module.fan_out
    return tuple(tagged.parameter.shape)


@dataclass(frozen=True)
class Growth:
    """The sizes of a network's parameters, by name, at several widths.

    Attributes:
        widths: the base width, and those that are compared with it.
        sizes: `size` of each parameter at each of the widths.
        width: that of the network whose parameters are scaled.
    """

    widths: tuple[int, ...]
    sizes: tuple[Mapping[str, Size], ...]
    width: int

    def of(self, tagged: Tagged) -> list[bool]:
        """Whether each dimension of `size(tagged)` grows with the width.

        Raises:
            RoleError: a dimension grows otherwise than the width.
        """
        here = size(tagged)
        at_widths = [sizes.get(tagged.name, ()) for sizes in self.sizes]
        if any(len(found) != len(here) for found in at_widths):
            raise RoleError(
                f"{tagged.name} does not exist, or has another number of dimensions, at one of the "
                f"widths {_listed(self.widths)}: build one set of parameters at all widths"
            )
        numbered = [f"dimension {number}" for number in range(len(here))]
        names = FANS if tagged.is_weight else numbered
        return [
            self._grows(f"{name} of {tagged.name}", found, now)
            for name, *found, now in zip(names, *at_widths, here, strict=True)
        ]

    def _grows(self, what: str, found: Sequence[int], here: int) -> bool:
        """Whether a dimension that is `found` at the widths, and `here` at this one, grows.

        Raises:
            RoleError: neither in proportion to the width, nor not at all.
        """
        if {*found, here} == {found[0]}:
            return False
        power = _power(self.widths, found)
        if len(found) == 2 and abs(power) < FEW:
            return False
        if not (LEAST < power < MOST and self._fits(found, here)):
            widths, sizes = (*self.widths, self.width), (*found, here)
            raise RoleError(
                f"the {what} is {_listed(sizes)} at the widths {_listed(widths)}: no table "
                "has a rule for this; let it grow in proportion to the width, but for a constant, "
                "or not at all"
            )
        return True

    def _fits(self, found: Sequence[int], here: int) -> bool:
        """Whether `here` is within a factor of 2 of the line through the first two sizes."""
        (width, wider), (least, more) = self.widths[:2], found[:2]
        line = least + (more - least) / (wider - width) * (self.width - width)
        return line / 2 <= here <= 2 * max(line, 1)


def _power(widths: Sequence[int], found: Sequence[int]) -> float:
    """The power of the width in the increments of a size, or in the size if there are only two."""
    changes = [b - a for a, b in itertools.pairwise(found)] if len(found) > 2 else found
    if min(changes) <= 0:
        return math.nan
    return math.log(changes[-1] / changes[0]) / math.log(widths[-1] / widths[-2])


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def measured(
    make: Callable[[int], nn.Module], network: nn.Module, base: int, width: int
) -> Growth | None:
    """The growth of a network that `make` builds at a width; `network` has the given width.

    Networks are compared at the widths base, STEP·base and STEP²·base, and built without memory for
    their parameters. If the network cannot be built so, a warning says it, and the network at
    `base` is compared with that of `width`; None if these widths are equal. What was found is kept
    for functions `make` that are equal.
    """
    found = _at_larger_widths(make, base, type(network).__name__)
    if found:
        return Growth(tuple(found), tuple(found.values()), width)
    if width == base:
        return None
    return Growth((base, width), (_sizes(make(base)), _sizes(network)), width)


@lru_cache(maxsize=64)
def _at_larger_widths(
    make: Callable[[int], nn.Module], base: int, name: str
) -> dict[int, Mapping[str, Size]] | None:
    """The sizes of parameters by width; None if the network, called `name`, cannot be built."""
    try:
        widths = [base * STEP**power for power in range(3)]
        return {width: _sizes(_without_memory(make, width)) for width in widths}
    except RoleError:
        raise
    except Exception as error:  # the user's network has no such width, or reads its weights
        log.warning(
            "%s cannot be built at the widths %s without memory for its parameters (%r): the base "
            "width is compared with that of the run; a run at the base width itself is not checked",
            name,
            _listed(widths),
            error,
        )
        return None


def _sizes(network: nn.Module) -> dict[str, Size]:
    """The size of each parameter of the network, by name."""
    return {tagged.name: size(tagged) for tagged in named_roles(network)}


def _without_memory(make: Callable[[int], nn.Module], width: int) -> nn.Module:
    """The network with its parameters on the device `meta`.

    Other tensors have their memory and values, as networks read some of them while they are built.
    """

    def on_meta(module: nn.Module, name: str, parameter: nn.Parameter) -> nn.Parameter | None:
        if parameter.is_meta or isinstance(parameter, nn.parameter.UninitializedParameter):
            return None
        return nn.Parameter(parameter.detach().to("meta"), parameter.requires_grad)

    handle = register_module_parameter_registration_hook(on_meta)
    try:
        return make(width)
    finally:
        handle.remove()


def scaled_as(parameters: Sequence[Tagged], growth: Growth) -> dict[str, Role]:
    """The role whose rule scales each parameter, by name.

    This is the parameter's own role, unless its dimensions say otherwise. A parameter that the
    network does not have at the base width, because the number of its modules grows, scales as its
    siblings, whose names differ from its own in numbers only. A frozen parameter keeps its role.

    Raises:
        RoleError: the growth of a dimension contradicts the role, or is neither that of the width
            nor none; siblings do not tell how a parameter scales; or no parameter grows at all.
    """
    _refuse_constant({tagged.name: size(tagged) for tagged in parameters}, growth)
    trained = [tagged for tagged in parameters if tagged.parameter.requires_grad]
    known = [tagged for tagged in trained if tagged.name in growth.sizes[0]]
    roles = {tagged.name: tagged.role for tagged in parameters}
    roles |= {tagged.name: _by_growth(tagged, growth.of(tagged)) for tagged in known}
    siblings: dict[str, set] = {}
    for tagged in known:
        alike = siblings.setdefault(_without_numbers(tagged.name), set())
        alike.add((size(tagged), tagged.role, roles[tagged.name]))
    for tagged in trained:
        if tagged.name not in growth.sizes[0]:
            roles[tagged.name] = _of_siblings(tagged, siblings, growth.widths[0])
    return roles


def _refuse_constant(sizes: Mapping[str, Size], growth: Growth) -> None:
    """Refuses a network that is the same at all widths, if it stands for one of another width.

    Raises:
        RoleError: with the widths.
    """
    widths = dict.fromkeys((*growth.widths, growth.width))
    if growth.width != growth.widths[0] and all(sizes == found for found in growth.sizes):
        raise RoleError(
            f"no dimension of any parameter grows with the width: the network is the same at the "
            f"widths {_listed(widths)}, so that every hyperparameter would seem to transfer; let "
            "__init__ use width for the sizes of its layers"
        )


def _of_siblings(tagged: Tagged, siblings: Mapping[str, set], base: int) -> Role:
    found = siblings.get(_without_numbers(tagged.name), set())
    if len(found) == 1:
        ((sibling_size, own_role, role),) = found
        if (sibling_size, own_role) == (size(tagged), tagged.role):
            return role
    raise RoleError(
        f"{tagged.name} does not exist at the base width {base}, and no parameters of the same "
        "name but for numbers, size and role tell how it scales: use one module whose size grows, "
        "or a base width at which the module exists"
    )


def _without_numbers(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def _by_growth(tagged: Tagged, grows: Sequence[bool]) -> Role:
    """The role whose rule scales a parameter of which some dimensions grow.

    Raises:
        RoleError: this growth contradicts the role.
    """
    role = tagged.role
    if not tagged.is_weight:
        return _of_vector(tagged, sum(grows))
    fans = (grows[0], grows[1])
    if role in _MATRICES:
        return _BY_GROWTH[fans]
    if role not in _GROWTH_OF or fans == _GROWTH_OF[role]:
        return role
    if fans == (False, False):
        return Role.FIXED
    wrong = [
        f"its {name} {'grows' if grown else 'does not grow'} with the width"
        for name, grown, expected in zip(FANS, fans, _GROWTH_OF[role], strict=True)
        if grown != expected
    ]
    fitting = _ADVISED[fans] if role in (Role.INPUT, Role.OUTPUT) else Role.HIDDEN
    raise RoleError(
        f"{tagged.name} has the role {role.value}, but {' and '.join(wrong)}: "
        f"give it the role {fitting.value}"
    )


def _of_vector(tagged: Tagged, growing: int) -> Role:
    """The role whose rule scales a vector of which a number of dimensions grow: 1, or none.

    A gain of queries or keys that grows has one entry for each coordinate, as other vectors have;
    one that does not is shared by a growing number of heads.

    Raises:
        RoleError: more than one dimension grows, or a bias of the readout grows.
    """
    role = tagged.role
    if growing > 1:
        raise RoleError(
            f"{tagged.name} has the role {role.value}, but {growing} of its dimensions grow with "
            "the width: a matrix needs a layer of hypertransfer.networks.layers"
        )
    if role is Role.READOUT_BIAS and growing:
        raise RoleError(
            f"{tagged.name} has the role {role.value}, but it grows with the width: "
            f"give it the role {Role.VECTOR.value}"
        )
    if role is Role.QK_GAIN and growing:
        return Role.VECTOR
    if role in (Role.VECTOR, Role.FINAL_VECTOR) and not growing:
        return Role.QK_GAIN
    return role
