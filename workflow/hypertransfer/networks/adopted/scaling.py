"""A table applied from outside to a network of another author, in any training loop.

The network keeps its modules, its forward pass and the names in its `state_dict`. Three things
carry a table:

* initial values: each weight has the standard deviation that it has at the base, times the factor
  of the table;
* param groups for an optimizer of torch, with the learning rate, weight decay, eps and betas of
  each parameter; a schedule of torch multiplies them all alike;
* factors on the outputs of residual branches, and on the inputs of a tied readout, as forward
  hooks.

All other multipliers are folded into initial values and groups, which gives the same training
(`Rule.shifted`, the abc symmetry of Yang and Hu 2011.14522).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hypertransfer.networks.adopted.inferred import Inference, Inferred
from hypertransfer.networks.adopted.shapes import Build
from hypertransfer.networks.tagged import RoleError
from hypertransfer.parameterisation.algebra import ONE, Parameterisation, Ratios, Role, Rule

HALVES = (0.0, -0.5, 0.5, -1.0, 1.0)  # powers of ratios by which networks scale their own values
MOST_NOISE = 5.0  # standard errors of a measured deviation within which a power is taken


@dataclass(frozen=True)
class Factors:
    """The factors of a table on one parameter, with its multiplier folded into the others.

    Attributes:
        name: the name of the parameter.
        role: the role whose rule scales the parameter.
        init_std: on the standard deviation of the initial values.
        lr: on the learning rate.
        weight_decay: on the weight decay.
        eps: on the optimizer's eps.
    """

    name: str
    role: Role
    init_std: float
    lr: float
    weight_decay: float
    eps: float


@dataclass(frozen=True)
class Scaling:
    """A table at the ratios of a network to its base.

    Attributes:
        factors: the factors on each trained parameter, in the order of the network.
        residual: the factor on the outputs of residual branches.
        readout: the factor on the inputs of a tied readout; 1 without one.
        table: the parameterisation.
        ratios: those of the network to its base.
    """

    factors: Sequence[Factors]
    residual: float
    readout: float
    table: Parameterisation
    ratios: Ratios

    def groups(
        self,
        network: nn.Module,
        lr: float,
        weight_decay: float = 0.0,
        eps: float | None = None,
        betas: tuple[float, ...] | None = None,
    ) -> list[dict[str, Any]]:
        """Param groups for an optimizer, of parameters with equal hyperparameters.

        Args:
            network: the network, or a wrapper such as `DistributedDataParallel` or the result of
                `torch.compile`, whose names have a prefix.
            lr: the learning rate at the base.
            weight_decay: the weight decay at the base.
            eps: the optimizer's eps at the base; None leaves it out of the groups.
            betas: the optimizer's betas at the base; None leaves them out of the groups.

        Raises:
            RoleError: the network lacks a parameter.
            ValueError: a beta would be outside [0, 1).
        """
        parameters = _named(network)
        scaled = {} if betas is None else {"betas": self.table.betas(betas, self.ratios)}
        by_values: dict[tuple, dict[str, Any]] = {}
        for one in self.factors:
            if one.name not in parameters:
                raise RoleError(f"{type(network).__name__} has no parameter {one.name}")
            values = {"lr": lr * one.lr, "weight_decay": weight_decay * one.weight_decay}
            values |= {} if eps is None else {"eps": eps * one.eps}
            values |= {**scaled, "role": one.role.value}
            group = by_values.setdefault(tuple(values.values()), {"params": [], **values})
            group["params"].append(parameters[one.name])
        return list(by_values.values())


def scaling(found: Inference, table: Parameterisation, ratios: Ratios) -> Scaling:
    """The factors of a table on the parameters of a network.

    Args:
        found: the roles of the parameters of the network, whose names are those at its depth.
        table: the parameterisation, for the family of the optimizer.
        ratios: those of the network to its base.

    Raises:
        RoleError: a parameter has no role, or a tied embedding is scaled otherwise than a readout.
    """
    tied = any(Role.OUTPUT in parameter.shared for parameter in found.parameters)
    if tied and not table.ties:
        raise RoleError(
            f"table {table.name!r} scales outputs otherwise than inputs, which share weights here: "
            "do not tie them, or use a table whose two rules differ in the multiplier only"
        )
    trained = [parameter for parameter in found.parameters if parameter.is_trained]
    readout = table.rules[Role.OUTPUT].multiplier * table.rules[Role.INPUT].multiplier ** -1
    return Scaling(
        factors=[_factors(parameter, table, ratios) for parameter in trained],
        residual=table.residual_multiplier.at(ratios),
        readout=readout.at(replace(ratios, depth=1)) if tied else 1.0,
        table=table,
        ratios=ratios,
    )


def _factors(parameter: Inferred, table: Parameterisation, ratios: Ratios) -> Factors:
    role = parameter.scaled_as
    rule = _folded(table.rules[role], table.gradient_power)
    here = ratios if parameter.in_branch else replace(ratios, depth=1)
    return Factors(
        name=parameter.name,
        role=role,
        init_std=rule.init_std.at(here),
        lr=rule.lr.at(here),
        weight_decay=rule.weight_decay.at(here),
        eps=rule.eps.at(here),
    )


def _folded(rule: Rule, gradient_power: float) -> Rule:
    """The equivalent rule without a multiplier."""
    folded = rule.shifted(rule.multiplier**-1, gradient_power)
    assert folded.multiplier == ONE
    return folded


def at_depth(found: Inference, network: nn.Module) -> Inference:
    """The inference for a network of another depth or width, from blocks of the same names.

    A block that the base lacks is like those whose names differ from its own in numbers only.

    Raises:
        RoleError: nothing of the base is like a parameter, or several that differ are.
    """
    alike: dict[str, list[Inferred]] = {}
    for parameter in found.parameters:
        alike.setdefault(found.kind(parameter.name), []).append(parameter)
    known = {one.name: [one] for one in found.parameters}
    parameters = []
    for name, parameter in network.named_parameters():
        own = known.get(name) or alike.get(found.kind(name), [])
        if len({(one.role, one.inputs, one.growing, one.in_branch) for one in own}) != 1:
            raise RoleError(
                f"nothing at the base tells the role of {name}: infer the roles at a depth that "
                "has each kind of block"
            )
        about = replace(own[0], name=name, shape=tuple(parameter.shape))
        parameters.append(replace(about, is_trained=parameter.requires_grad))
    kinds = {found.kind(path) for path in found.branches}
    branches = (path for path, _ in network.named_modules() if found.kind(path) in kinds)
    return replace(found, parameters=parameters, branches=tuple(branches))


class Drawn(NamedTuple):
    """The standard deviation of the entries of a parameter, and their number."""

    deviation: float
    entries: int


def deviations(build: Build, width: int, depth: int) -> dict[str, Drawn]:
    """The standard deviation of each parameter of the network at the base, by its name."""
    with torch.random.fork_rng(devices=[]):
        network = build(width, depth)
    return {name: _drawn(parameter) for name, parameter in network.named_parameters()}


def _drawn(parameter: Tensor) -> Drawn:
    entries = parameter.numel()
    values = parameter.detach().float()
    return Drawn(float(values.std(correction=0)) if entries > 1 else 0.0, entries)


def _own_change(base: Drawn, now: Drawn, ratios: Ratios) -> float:
    """The ratio of a parameter's own deviations: a power of the shape's ratios, or as measured."""
    measured = math.log(now.deviation / base.deviation)
    noise = math.sqrt(0.5 / base.entries + 0.5 / now.entries)
    width, depth = math.log(ratios.width), math.log(ratios.depth)
    powers = [a * width + b * depth for a, b in product(HALVES, repeat=2)]
    nearest = min(powers, key=lambda power: abs(power - measured))
    return math.exp(nearest if abs(nearest - measured) <= MOST_NOISE * noise else measured)


def apply(
    network: nn.Module, found: Inference, scaled: Scaling, at_base: Mapping[str, Drawn]
) -> Callable[[], None]:
    """Give a network the initial values and the hooks of a table; returns what removes the hooks.

    Parameters whose entries are all equal, such as gains and biases at their start, keep their
    values. All others are multiplied so that their standard deviation is that at the base times the
    factor of the table. How the network's own deviations change with its shape is taken for a power
    of half a width or depth ratio, if their draws allow it.

    Args:
        network: the network at its width and depth, which is changed in place.
        found: the roles of its parameters (`at_depth`).
        scaled: the table (`scaling`).
        at_base: the standard deviations at the base (`deviations`).

    Raises:
        RoleError: the tied readout is computed in no module of its own.
    """
    parameters = dict(network.named_parameters())
    by_kind = {found.kind(name): value for name, value in reversed(at_base.items())}
    with torch.no_grad():
        for one in scaled.factors:
            parameter, now = parameters[one.name], _drawn(parameters[one.name])
            base = at_base.get(one.name) or by_kind.get(found.kind(one.name))
            if base and base.deviation > 0 and now.deviation > 0:
                parameter.mul_(one.init_std / _own_change(base, now, scaled.ratios))
    handles = []
    modules = dict(network.named_modules())
    if scaled.residual != 1.0:
        ends = [modules[path] for path in found.branches]
        handles += [m.register_forward_hook(partial(_times, scaled.residual)) for m in ends]
    if scaled.readout != 1.0:
        if not found.readouts or not set(found.readouts) <= set(modules) - {""}:
            raise RoleError("the tied readout is computed in no module of its own: see the doubts")
        for path in found.readouts:
            scale = partial(_inputs_times, scaled.readout)
            handles.append(modules[path].register_forward_pre_hook(scale))

    def remove() -> None:
        for handle in handles:
            handle.remove()

    return remove


def _times(factor: float, module: nn.Module, inputs: Any, output: Any) -> Any:
    """The output of a module, or the first of several, times a factor."""
    if isinstance(output, tuple):
        return (output[0] * factor, *output[1:])
    return output * factor


def _inputs_times(factor: float, module: nn.Module, inputs: tuple) -> tuple:
    return (inputs[0] * factor, *inputs[1:])


def _named(network: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters by name, without the prefixes of wrappers."""
    return {
        re.sub(r"^(module\.|_orig_mod\.)+", "", name): parameter
        for name, parameter in network.named_parameters()
    }
