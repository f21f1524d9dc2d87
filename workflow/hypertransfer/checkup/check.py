"""The check of every module over width and depth: networks that were trained a few steps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch

from hypertransfer.checkup.factors import FACTORS, expected_factor, located
from hypertransfer.checkup.judging import (
    SHRINKING,
    Expected,
    Finding,
    expected,
    expected_over_depth,
    status,
)
from hypertransfer.checkup.quantities import DivergedError, Loss, Measured, Setup, measure
from hypertransfer.checkup.slopes import Slope, slope
from hypertransfer.networks.adopted.inferred import Inferred
from hypertransfer.networks.resolve import ParameterRow
from hypertransfer.parameterisation.algebra import Role

OF_PARAMETERS = ("gain", "update", "bias update", "decay")
FEWEST = 3  # sizes beside the smallest that have a slope of their own, with two values each
Values = dict[Measured, dict[int, list[float]]]  # by quantity, size and seed


def over_sizes(
    make: Callable[[int, int], Setup],
    sizes: Sequence[int],
    seeds: int,
    loss: Loss,
    batches: Sequence[Any],
    steps: Collection[int],
    branches: Callable[[int], Collection[str]] = lambda size: (),
) -> Values:
    """The quantities of all modules at several sizes, each with several seeds.

    Args:
        make: the set-up of a size and a seed, of which torch's global generator has another start.
        sizes: the sizes.
        seeds: how many networks of each size.
        loss: the loss of a network on a batch.
        batches: a batch for each step.
        steps: the numbers of updates after which is measured.
        branches: the paths of the modules that end residual branches, by size.

    Raises:
        DivergedError: a loss is not finite, with the size.
    """
    found: Values = {}
    for size in sizes:
        for seed in range(seeds):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                try:
                    measured = measure(make(size, seed), loss, batches, steps, branches(size))
                except DivergedError as error:
                    text = f"{error} of the network of size {size} and seed {seed}"
                    raise DivergedError(f"{text}; a lower learning rate may help") from error
            for name, value in measured.items():
                found.setdefault(name, {}).setdefault(size, []).append(value)
    return found


def over_width(
    values: Values, roles: Mapping[str, Role], growing: Collection[str] = ()
) -> list[Finding]:
    """The findings over widths.

    The output of a module with others inside, such as a network with a table of positions of its
    own, is that of the others: its size is not judged, and its update only if no readout is inside.

    Args:
        values: the quantities over widths.
        roles: the roles of modules, by path (`module_roles`).
        growing: the paths of the modules with attention whose heads grow
            (`Inference.growing_products`).
    """

    attention = {_attending(_own(n), roles) for n in values if n.quantity == "logits"} | {*growing}

    def wanted(name: Measured) -> Expected | None:
        own = _own(name)
        prefix = f"{own}." if own else ""
        if name.quantity in FACTORS:
            return expected_factor(roles.get(own), name.behind, attends=_within(own, attention))
        inside = {role for path, role in roles.items() if path != own and path.startswith(prefix)}
        if name.quantity == "gain" and inside:
            return None
        if name.quantity in ("update", "bias update") and inside & {*SHRINKING}:
            return None
        heads_grow = own in growing or _attending(own, roles) in growing
        return expected(roles.get(own), name.quantity, heads_grow=heads_grow)

    return located(_findings(values, wanted, roles))


def _own(name: Measured) -> str:
    """The path of the module, without the number of a second product in it."""
    return name.module.partition(" ")[0]


def _attending(path: str, roles: Mapping[str, Role]) -> str:
    """The path of the module that has attention: the one around a softmax that is a module."""
    has_parameters = any(f"{one}.".startswith(f"{path}.") for one in roles)
    return path if has_parameters or not path else path.rpartition(".")[0]


def _within(path: str, modules: Collection[str]) -> bool:
    return any(not one or f"{path}.".startswith(f"{one}.") for one in modules)


def over_depth(values: Values) -> list[Finding]:
    """The findings over depths: the sizes of residual branches."""
    return list(_findings(values, lambda name: expected_over_depth(name.quantity), {}))


def _findings(
    values: Values, wanted: Callable[[Measured], Expected | None], roles: Mapping[str, Role]
) -> Iterator[Finding]:
    for name, by_size in values.items():
        bar, found = wanted(name), slope(by_size)
        if bar is None or found is None:
            continue
        role = roles.get(name.module)
        larger = _of_larger(by_size)
        yield Finding(
            module=name.module,
            role=role.value if role and name.quantity in OF_PARAMETERS else "",
            quantity=name.quantity,
            step=name.step,
            slope=found,
            expected=bar,
            status=status(found, larger, bar),
            larger=larger,
            between=(name.module, name.behind) if name.quantity in FACTORS else None,
        )


def _of_larger(by_size: Mapping[int, Sequence[float]]) -> Slope | None:
    """The slope without the smallest size; None with too few sizes or values to tell one."""
    larger = {size: values for size, values in by_size.items() if size > min(by_size)}
    enough = len(larger) >= FEWEST and sum(map(len, larger.values())) >= 2 * FEWEST
    return slope(larger) if enough else None


def module_roles(parameters: Iterable[Inferred | ParameterRow]) -> dict[str, Role]:
    """The role of each module with own parameters: that of its matrix, else of its vector."""
    roles: dict[str, Role] = {}
    for one in parameters:
        path = one.name.rpartition(".")[0]
        if path not in roles or len(one.shape) > 1:
            roles[path] = Role(one.scaled_as)
    return roles
