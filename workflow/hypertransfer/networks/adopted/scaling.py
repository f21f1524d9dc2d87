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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hypertransfer.networks.adopted.inferred import Inference, Inferred
from hypertransfer.networks.adopted.shapes import Build, built
from hypertransfer.networks.tagged import RoleError
from hypertransfer.parameterisation.algebra import ONE, Parameterisation, Ratios, Role, Rule

VECTORS = (Role.VECTOR, Role.FINAL_VECTOR, Role.READOUT_BIAS, Role.QK_GAIN)
HALVES = (0.0, -0.5, 0.5, -1.0, 1.0)  # powers of ratios by which networks scale their own values
MOST_NOISE = 4.0  # standard errors of a measured deviation within which a power is taken


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
        branches: further factors on the outputs of residual branches, by the paths of the modules
            that end them.
    """

    factors: Sequence[Factors]
    residual: float
    readout: float
    table: Parameterisation
    ratios: Ratios
    branches: Mapping[str, float] = field(default_factory=dict)

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
            RoleError: the network trains other parameters than when the table was applied.
            ValueError: a beta would be outside [0, 1).
        """
        parameters = _named(network)
        scaled = {} if betas is None else {"betas": self.table.betas(betas, self.ratios)}
        by_values: dict[tuple, dict[str, Any]] = {}
        trained = {name for name, parameter in parameters.items() if parameter.requires_grad}
        if other := sorted(trained ^ {one.name for one in self.factors}):
            raise RoleError(
                f"{other[0]} is trained here, and was not when the table was applied, or the other "
                "way round: freeze parameters, and add modules, in the builder"
            )
        for one in self.factors:
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
            "do not tie them, or use a table whose two rules differ in the multiplier only, such "
            "as mup or completep"
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
    rule = folded(table.rules[role], table.gradient_power)
    here = ratios if parameter.in_branch else replace(ratios, depth=1)
    return Factors(
        name=parameter.name,
        role=role,
        init_std=rule.init_std.at(here),
        lr=rule.lr.at(here),
        weight_decay=rule.weight_decay.at(here),
        eps=rule.eps.at(here),
    )


def folded(rule: Rule, gradient_power: float) -> Rule:
    """The equivalent rule without a multiplier."""
    folded = rule.shifted(rule.multiplier**-1, gradient_power)
    assert folded.multiplier == ONE
    return folded


def of_network(found: Inference, network: nn.Module) -> Inference:
    """The inference with the shapes of a network of the same depth, and of what it trains.

    Raises:
        RoleError: the network has other parameters.
    """
    known = {one.name: one for one in found.parameters}
    own = dict(network.named_parameters())
    if other := sorted(known.keys() ^ own.keys()):
        raise RoleError(f"the network has other parameters than its builder makes: {other[0]}")
    parameters = [
        replace(known[name], shape=tuple(p.shape), is_trained=p.requires_grad)
        for name, p in own.items()
    ]
    return replace(found, parameters=parameters)


class Drawn(NamedTuple):
    """The standard deviation of the entries of a parameter, and their number."""

    deviation: float
    entries: int


def deviations(build: Build, width: int, depth: int) -> dict[str, Drawn]:
    """The standard deviation of each parameter of the network at the base, by its name."""
    return drawn_values(built(build, width, depth))


def drawn_values(network: nn.Module) -> dict[str, Drawn]:
    """The standard deviation of each parameter of a network, by its name."""
    return {name: _drawn(parameter) for name, parameter in network.named_parameters()}


def _drawn(parameter: Tensor) -> Drawn:
    values = parameter.detach().float()
    is_constant = values.numel() == 0 or bool((values == values.flatten()[0]).all())
    return Drawn(0.0 if is_constant else float(values.std(correction=0)), values.numel())


def _own_change(base: Drawn, now: Drawn, ratios: Ratios) -> float:
    """The ratio of a parameter's own deviations: a power of the shape's ratios, or as measured."""
    measured = math.log(now.deviation / base.deviation)
    noise = math.sqrt(0.5 / base.entries + 0.5 / now.entries)
    width, depth = math.log(ratios.width), math.log(ratios.depth)
    powers = [(a * width + b * depth, (a != 0) + (b != 0)) for a, b in product(HALVES, repeat=2)]
    near = [
        (terms, abs(power - measured), power)
        for power, terms in powers
        if abs(power - measured) <= MOST_NOISE * noise
    ]
    return math.exp(min(near)[2] if near else measured)


def apply(
    network: nn.Module, found: Inference, scaled: Scaling, at_base: Mapping[str, Drawn]
) -> None:
    """Give a network the initial values and the hooks of a table.

    Vectors, and matrices whose entries are all equal, keep the values that the builder gives them,
    and so do all parameters under a table that keeps values (`Parameterisation.keeps_values`).
    Other matrices are multiplied so that their standard deviation is that at the base times the
    factor of the table. How the builder's own deviations change with the shape is taken for a power
    of half a width or depth ratio, the simplest that the draws allow.

    Args:
        network: the network at its width and depth, which is changed in place.
        found: the roles of its parameters (`of_network`).
        scaled: the table (`scaling`).
        at_base: the standard deviations at the base, by the names of the network's parameters.

    Raises:
        RoleError: a table has been applied to the network before, or cannot be applied to a branch
            or a tied readout.
    """
    if any(_is_ours(hook) for module in network.modules() for hook in _hooks(module)):
        raise RoleError("a table has been applied to this network before: build it anew")
    if faults := refused(found, scaled):
        raise RoleError("; ".join(faults))
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for one in scaled.factors:
            parameter, now = parameters[one.name], _drawn(parameters[one.name])
            base = at_base.get(one.name, Drawn(0.0, 1))
            if one.role in VECTORS or now.deviation == 0:
                continue
            if scaled.table.keeps_values:
                parameter.mul_(one.init_std)
            elif base.deviation > 0:
                parameter.mul_(one.init_std / _own_change(base, now, scaled.ratios))
    modules = dict(network.named_modules())
    for path in found.branches:
        if (factor := scaled.residual * scaled.branches.get(path, 1.0)) != 1.0:
            modules[path].register_forward_hook(partial(_times, factor))
    if scaled.readout != 1.0:
        for path in found.readouts:
            modules[path].register_forward_pre_hook(partial(_inputs_times, scaled.readout))


def refused(found: Inference, scaled: Scaling) -> Sequence[str]:
    """The faults of a network because of which a table cannot be applied to it.

    A table whose factor on branches is 1 at these ratios needs no hooks on branches, and likewise
    for tied readouts.

    Args:
        found: the roles of the network's parameters, with its faults.
        scaled: the table.

    Returns:
        The faults; none if the table can be applied.
    """
    return (
        *(found.branch_faults if scaled.residual != 1.0 else ()),
        *(found.readout_faults if scaled.readout != 1.0 else ()),
    )


def _hooks(module: nn.Module) -> list[Any]:
    return [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]


def _is_ours(hook: Any) -> bool:
    return isinstance(hook, partial) and hook.func in (_times, _inputs_times)


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
