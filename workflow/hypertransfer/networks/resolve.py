"""Applies a parameterisation to a network: one row of hyperparameters per parameter.

No other module scales weights, multipliers or hyperparameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from hypertransfer.networks.growth import Growth, scaled_as
from hypertransfer.networks.layers import Branch, TiedLinear
from hypertransfer.networks.tagged import RoleError, Tagged, named_roles
from hypertransfer.parameterisation.algebra import Parameterisation, Ratios, Role
from hypertransfer.parameterisation.module_multipliers import (
    Factors,
    count_blocks,
    kind,
    relative_depth,
)
from hypertransfer.runs.seeds import seed_of

# Roles whose fan_in grows with the width.
GROWING = (
    Role.HIDDEN, Role.NARROWING, Role.OUTPUT, Role.ROUTER, Role.EXPERT_UP, Role.EXPERT_DOWN,
)  # fmt: skip
# Roles of weights that `apply` draws; vectors keep the values that their module gave them.
DRAWN = (Role.INPUT, Role.WIDENING, Role.FIXED, *GROWING)


@dataclass(frozen=True)
class ParameterRow:
    """How one parameter is initialised, multiplied and trained; part of the run's record.

    `init_std` is 0 for parameters that keep the value of their module (0 for biases, 1 for gains of
    norms), and for weights that begin at zero. A vector of n entries has fan_in 1 and fan_out n.
    `scaled_as` is the role whose rule scales the parameter, given the dimensions that grow.
    `lr` and `weight_decay` are 0 for parameters that are not trained. A parameter that the network
    itself has frozen keeps its values, with `init_std` 0 and `multiplier` 1. The optimizer receives
    `lr` and `weight_decay`, and `eps` and `betas`, which are None and empty if it gets none.
    `inputs_first` says that a matrix of an adopted network is stored as (inputs, outputs), or a
    stack of matrices as (expert, inputs, outputs). `looked_up` says that the rows of a matrix of an
    adopted network are looked up, or added, one by one, as those of an embedding are.
    """

    name: str
    role: str
    scaled_as: str
    shape: tuple[int, ...]
    fan_in: int
    fan_out: int
    init_std: float
    multiplier: float
    lr: float
    weight_decay: float
    eps: float | None
    betas: tuple[float, ...] = ()
    inputs_first: bool = False
    looked_up: bool = False

    def plain(self) -> dict:
        """The row as values that JSON can hold."""
        return {**asdict(self), "shape": list(self.shape), "betas": list(self.betas)}


@dataclass(frozen=True)
class Base:
    """Hyperparameters at the base shape, common to all parameters, and the modules' multipliers."""

    lr: float
    weight_decay: float = 0.0
    eps: float | None = None
    betas: tuple[float, ...] = ()
    weights: str = "fan_in"  # see RunSpec.weights
    multipliers: Mapping[str, Factors] = field(default_factory=dict)

    def factor(self, hyperparameter: str, name: str, blocks: int) -> float:
        """The factor of `multipliers` on a hyperparameter of the parameter or module `name`.

        `blocks` is the number of blocks of the network.
        """
        factors = self.multipliers.get(hyperparameter)
        return factors.at(kind(name), relative_depth(name, blocks)) if factors else 1.0


# Draws a weight of the parameter's shape; None stands for a Gaussian with the row's init_std.
Draw = Callable[[Tagged, torch.Generator], torch.Tensor | None]


def base_std(tagged: Tagged, role: Role, ratios: Ratios) -> float:
    """gain/√fan_in of a weight that scales as `role`, with its fan_in at the base shape.

    0 for vectors.

    Raises:
        RoleError: the gain is negative, or no number.
    """
    if not tagged.is_weight:
        return 0.0
    if not tagged.module.gain >= 0:
        raise RoleError(
            f"{tagged.name} has the gain {tagged.module.gain:g}: the standard deviation of the "
            "initial weights is gain/√fan_in, so let it be 0 or more"
        )
    return tagged.module.gain / math.sqrt(base_fan_in(tagged, role, ratios))


def base_fan_in(tagged: Tagged, role: Role, ratios: Ratios) -> float:
    """fan_in at the base shape of a weight that scales as `role`."""
    fan_in = tagged.module.fan_in
    if role in GROWING:
        fan_in = fan_in / ratios.width
    if role is Role.EXPERT_DOWN:
        fan_in = fan_in * ratios.granularity
    return fan_in


def resolve(
    model: nn.Module,
    table: Parameterisation,
    ratios: Ratios,
    base: Base,
    growth: Growth | None = None,
) -> list[ParameterRow]:
    """One row per parameter of the model, whose shape is `ratios` times the base shape.

    Args:
        model: the network.
        table: the parameterisation.
        ratios: those of the model's shape to the base shape.
        base: hyperparameters at the base shape.
        growth: `growth.measured` of the model, which tells the dimensions that grow; None if
            dimensions grow as the roles say.

    Raises:
        RoleError: a parameter has no role; its module cannot apply the table's rule for the role;
            a dimension grows otherwise than the role allows; input and output share weights that
            the table scales differently; or multipliers name a type that no parameter has.
        ValueError: a beta would be outside [0, 1).
    """
    table = table.unit() if base.weights == "unit" else table
    tagged = list(named_roles(model))
    branches = {kind(n) for n, module in model.named_modules() if isinstance(module, Branch)}
    parameters = {kind(name) for name, _ in model.named_parameters()}
    refuse_unknown_types(type(model).__name__, base, parameters, branches)
    ties = [p.name for p in tagged if any(role is not p.role for _, role in p.sharers)]
    ties += [name for name, module in model.named_modules() if isinstance(module, TiedLinear)]
    if ties and not table.ties:
        raise RoleError(
            f"table {table.name!r} scales outputs otherwise than inputs, which share weights here: "
            "do not tie them, or use a table whose two rules differ in the multiplier only"
        )
    blocks = count_blocks(parameter.name for parameter in tagged)
    roles = scaled_as(tagged, growth) if growth else {p.name: p.role for p in tagged}
    return [_row(p, roles[p.name], table, ratios, base, blocks) for p in tagged]


def refuse_unknown_types(
    model: str, base: Base, parameters: Collection[str], branches: Collection[str]
) -> None:
    """Refuse multipliers of types that a network does not have.

    Args:
        model: the network, for the error.
        base: hyperparameters at the base, with the multipliers.
        parameters: the types of the network's parameters.
        branches: the types of the modules that end its residual branches.

    Raises:
        RoleError: with the known types.
    """
    for name, factors in base.multipliers.items():
        known = branches if name == "residual" else parameters
        if unknown := sorted(set(factors.types) - set(known)):
            raise RoleError(
                f"multipliers.{name}: {model} has no {', '.join(unknown)}; "
                f"its types are {', '.join(sorted(known))}"
            )


def _row(
    tagged: Tagged, role: Role, table: Parameterisation, ratios: Ratios, base: Base, blocks: int
) -> ParameterRow:
    """The row of a parameter that scales as `role`."""
    if not tagged.parameter.requires_grad:
        return _frozen_row(tagged)
    whole = ratios
    rule = table.rules[role]
    ratios = ratios if tagged.in_branch else replace(ratios, depth=1)
    std = base_std(tagged, role, ratios)
    weight = tagged.is_weight
    unit = base.weights == "unit" and weight
    # A weight that begins at zero has a forward multiplier all the same, or it would stay there.
    forward = std or (1 / math.sqrt(base_fan_in(tagged, role, ratios)) if weight else 0.0)
    if tagged.role in DRAWN and not weight:
        raise RoleError(
            f"{tagged.name} has the role {tagged.role.value}, whose weights the table draws and "
            "scales; only layers of hypertransfer.networks.layers support that: use such a layer"
        )
    if not weight and rule.multiplier.at(ratios) != 1.0:
        raise RoleError(
            f"table {table.name!r} gives {tagged.name} ({role.value}) a multiplier, which "
            "only layers of hypertransfer.networks.layers apply: use such a layer, or another table"
        )

    def own(hyperparameter: str) -> float:
        return base.factor(hyperparameter, tagged.name, blocks)

    return ParameterRow(
        **_identity(tagged, role),
        init_std=(float(std > 0) if unit else std) * rule.init_std.at(ratios) * own("init_std"),
        multiplier=(forward if unit else 1.0) * rule.multiplier.at(ratios),
        lr=base.lr * rule.lr.at(ratios) * own("lr"),
        weight_decay=base.weight_decay * rule.weight_decay.at(ratios) * own("weight_decay"),
        eps=None if base.eps is None else base.eps * rule.eps.at(ratios) * own("eps"),
        betas=scaled_betas(table, base, whole, own),
    )


def scaled_betas(
    table: Parameterisation, base: Base, ratios: Ratios, own: Callable[[str], float]
) -> tuple[float, ...]:
    """The betas at some ratios, with the factors of a module on each 1 − β.

    Args:
        table: the parameterisation.
        base: hyperparameters at the base, with the betas.
        ratios: those of the run to the base.
        own: returns the factor of the module on a hyperparameter, such as `beta1`.
    """
    return tuple(
        max(0.0, 1 - (1 - beta) * own(f"beta{number}"))  # multipliers alone can go below 0
        for number, beta in enumerate(table.betas(base.betas, ratios), 1)
    )


def _identity(tagged: Tagged, role: Role) -> dict[str, Any]:
    """The columns of a row that say which parameter it is of, and that it scales as `role`."""
    weight = tagged.is_weight
    return {
        "name": tagged.name,
        "role": tagged.role.value,
        "scaled_as": role.value,
        "shape": tuple(tagged.parameter.shape),
        "fan_in": tagged.module.fan_in if weight else 1,
        "fan_out": tagged.module.fan_out if weight else tagged.parameter.numel(),
    }


def _frozen_row(tagged: Tagged) -> ParameterRow:
    """The row of a parameter that the network has frozen: nothing is drawn, scaled or trained."""
    values = {"init_std": 0.0, "multiplier": 1.0, "lr": 0.0, "weight_decay": 0.0}
    return ParameterRow(**_identity(tagged, tagged.role), **values, eps=None)


def apply(
    model: nn.Module,
    rows: list[ParameterRow],
    table: Parameterisation,
    ratios: Ratios,
    seed: int,
    base: Base | None = None,
    draw: Draw | None = None,
) -> None:
    """Set the multipliers of layers and branches, and draw the weights.

    Each weight is drawn on the CPU from a generator of its own, seeded by `parameter_seed`.
    Therefore a draw depends neither on the device nor on other parameters. The row `padding_idx` of
    an embedding is zero, and so are the biases of linear layers and convolutions. All other
    parameters, and those that the network has frozen, keep the values of their module.

    Args:
        model: the network, which is changed in place.
        rows: the result of `resolve`.
        table: the parameterisation, for the multipliers of branches and of a tied readout.
        ratios: those of `resolve`.
        seed: the seed of the run.
        base: hyperparameters at the base, whose multipliers of residual branches are applied.
        draw: draws weights with another distribution than a Gaussian.
    """
    by_name = {row.name: row for row in rows}
    for tagged in named_roles(model):
        row = by_name[tagged.name]
        if tagged.is_weight:
            tagged.module.multiplier = row.multiplier
            for module, role in tagged.sharers:
                tied = table.rules[role].multiplier.at(ratios) if role is not tagged.role else 1.0
                module.multiplier = row.multiplier * tied
        if not tagged.parameter.requires_grad:
            continue
        if row.init_std > 0:
            generator = torch.Generator().manual_seed(parameter_seed(seed, row.name))
            drawn = draw(tagged, generator) if draw else None
            if drawn is None:
                drawn = torch.randn(row.shape, generator=generator) * row.init_std
            tagged.parameter.data.copy_(drawn)
            _clear_padding(tagged)
        elif tagged.is_weight or is_bias_of_layer(tagged):
            tagged.parameter.data.zero_()
    blocks = count_blocks(by_name)
    for name, module in model.named_modules():
        if isinstance(module, TiedLinear):
            module.multiplier = table.rules[Role.OUTPUT].multiplier.at(ratios)
        if isinstance(module, Branch):
            own = base.factor("residual", name, blocks) if base else 1.0
            module.multiplier = table.residual_multiplier.at(ratios) * own


def is_bias_of_layer(tagged: Tagged) -> bool:
    """Whether a parameter is the bias of a linear layer or convolution, which torch draws."""
    return tagged.attribute == "bias" and isinstance(tagged.module, nn.Linear | _ConvNd)


def _clear_padding(tagged: Tagged) -> None:
    """Sets the row `padding_idx` to zero, if the parameter is an embedding's that has one."""
    modules = [tagged.module, *(module for module, _ in tagged.sharers)]
    for module in modules:
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            tagged.parameter.data[module.padding_idx] = 0


def parameter_seed(seed: int, name: str) -> int:
    """The seed of one parameter: 63 bits of the SHA-256 of `<seed>/<name>`."""
    return seed_of(f"{seed}/{name}")


def groups(model: nn.Module, rows: list[ParameterRow]) -> list[dict]:
    """Optimizer groups of parameters with one role and equal hyperparameters, in order of rows.

    Beside `params` and hyperparameters a group has the `role` of its parameters, and `one_hot`,
    which is true for parameters of embeddings, whose inputs are one-hot vectors. `inputs_first`
    is there, and true, if matrices are stored as (inputs, outputs).
    """
    parameters = dict(model.named_parameters())
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    by_values: dict[tuple, dict] = {}
    for row in rows:
        hyper = {"lr": row.lr, "weight_decay": row.weight_decay}
        hyper |= {} if row.eps is None else {"eps": row.eps}
        hyper |= {"betas": row.betas} if row.betas else {}
        parameter = parameters[row.name]
        hyper |= {"role": row.role, "one_hot": row.looked_up or id(parameter) in embeddings}
        hyper |= {"inputs_first": True} if row.inputs_first else {}
        group = by_values.setdefault(tuple(hyper.values()), {"params": [], **hyper})
        group["params"].append(parameter)
    return list(by_values.values())
