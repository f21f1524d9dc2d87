"""Applies a parameterisation to a network: one row of hyperparameters per parameter.

No other module scales weights, multipliers or hyperparameters.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace

import torch
from torch import nn

from hypertransfer.networks.layers import Branch, Embedding, Scaled, TiedLinear
from hypertransfer.parameterisation.algebra import Parameterisation, Ratios, Role
from hypertransfer.parameterisation.module_multipliers import (
    Factors,
    count_blocks,
    kind,
    relative_depth,
)

# Roles whose fan_in grows with the width.
GROWING = (Role.HIDDEN, Role.OUTPUT, Role.ROUTER, Role.EXPERT_UP, Role.EXPERT_DOWN)
# Roles of weights that `apply` draws; vectors keep the values that their module gave them.
DRAWN = (Role.INPUT, *GROWING)


class RoleError(ValueError):
    """A parameter has no role, or its module cannot apply the table's rule for the role."""


@dataclass(frozen=True)
class ParameterRow:
    """How one parameter is initialised, multiplied and trained; part of the run's record.

    `init_std` is 0 for parameters that keep the value of their module (0 for biases, 1 for gains of
    norms), and for weights that begin at zero. A vector of n entries has fan_in 1 and fan_out n.
    `lr` and `weight_decay` are 0 for parameters that are not trained. The optimizer receives `lr`,
    `weight_decay`, `eps` and `betas`, which are empty if the optimizer has no betas.
    """

    name: str
    role: str
    shape: tuple[int, ...]
    fan_in: int
    fan_out: int
    init_std: float
    multiplier: float
    lr: float
    weight_decay: float
    eps: float
    betas: tuple[float, ...] = ()

    def plain(self) -> dict:
        """The row as values that JSON can hold."""
        return {**asdict(self), "shape": list(self.shape), "betas": list(self.betas)}


@dataclass(frozen=True)
class Base:
    """Hyperparameters at the base shape, common to all parameters, and the modules' multipliers."""

    lr: float
    weight_decay: float = 0.0
    eps: float = 0.0
    betas: tuple[float, ...] = ()
    weights: str = "fan_in"  # see RunSpec.weights
    multipliers: Mapping[str, Factors] = field(default_factory=dict)

    def factor(self, hyperparameter: str, name: str, blocks: int) -> float:
        """The factor of `multipliers` on a hyperparameter of the parameter or module `name`.

        `blocks` is the number of blocks of the network.
        """
        factors = self.multipliers.get(hyperparameter)
        return factors.at(kind(name), relative_depth(name, blocks)) if factors else 1.0


@dataclass(frozen=True)
class Tagged:
    """A parameter, its module, its role, and whether it is inside a residual branch.

    `name` is the parameter's first name in the model. Several modules may share one tensor;
    `sharers` are those beside `module`, with the roles that they give the tensor.
    """

    name: str
    attribute: str
    parameter: nn.Parameter
    module: nn.Module
    role: Role
    in_branch: bool
    sharers: tuple[tuple[nn.Module, Role], ...] = ()

    @property
    def is_weight(self) -> bool:
        """Whether the parameter is the weight of a layer that a parameterisation can scale."""
        return isinstance(self.module, Scaled) and self.attribute == "weight"


# Draws a weight of the parameter's shape; None stands for a Gaussian with the row's init_std.
Draw = Callable[[Tagged, torch.Generator], torch.Tensor | None]


def named_roles(model: nn.Module) -> Iterator[Tagged]:
    """All parameters of the model with their modules and roles, each tensor once.

    An embedding whose tensor is also a readout's weight has the role `input`, as under
    `TiedLinear`.

    Raises:
        RoleError: the `roles` of a module lack one of its parameters; a parameter has no shape yet;
            or modules share a tensor but give it roles that do not go together.
    """
    by_tensor: dict[int, list[Tagged]] = {}
    for tagged in _occurrences(model):
        by_tensor.setdefault(id(tagged.parameter), []).append(tagged)
    for occurrences in by_tensor.values():
        yield occurrences[0] if len(occurrences) == 1 else _shared(occurrences)


def _occurrences(model: nn.Module) -> Iterator[Tagged]:
    """Each parameter of each module."""
    branches = [name for name, module in model.named_modules() if isinstance(module, Branch)]
    for path, module in model.named_modules():
        for attribute, parameter in module.named_parameters(recurse=False):
            name = f"{path}.{attribute}" if path else attribute
            if isinstance(parameter, nn.parameter.UninitializedParameter):
                raise RoleError(
                    f"parameter {name} of {type(model).__name__} has no shape before the first "
                    f"forward pass: give its {type(module).__name__} its sizes"
                )
            role = getattr(module, "roles", {}).get(attribute)
            if role is None:
                raise RoleError(
                    f"parameter {name} of {type(model).__name__} has no role: set "
                    f"self.roles = {{{attribute!r}: Role.…}} on its {type(module).__name__}"
                )
            inside = any(path == b or path.startswith(f"{b}.") for b in branches)
            yield Tagged(name, attribute, parameter, module, role, inside)


TIED = {Role.INPUT, Role.OUTPUT}  # roles of a tensor that an embedding and a readout share


def _shared(occurrences: list[Tagged]) -> Tagged:
    """One entry for a tensor of several modules.

    Raises:
        RoleError: the modules need different treatments of the tensor.
    """
    roles = {tagged.role for tagged in occurrences}
    owner = next((o for o in occurrences if roles == TIED and o.role is Role.INPUT), occurrences[0])
    others = [tagged for tagged in occurrences if tagged is not owner]
    alike = len({tagged.in_branch for tagged in occurrences}) == 1
    weights = len({tagged.is_weight for tagged in occurrences}) == 1
    if not (alike and weights and (len(roles) == 1 or roles == TIED)):
        names = " and ".join(f"{o.name} ({o.role.value})" for o in occurrences)
        raise RoleError(
            f"{names} share one tensor, but a table treats them differently: only modules of one "
            "role, all inside or all outside residual branches, or an embedding and a readout, can"
        )
    sharers = tuple((tagged.module, tagged.role) for tagged in others)
    return replace(owner, name=occurrences[0].name, sharers=sharers)


def base_std(tagged: Tagged, ratios: Ratios) -> float:
    """gain/√fan_in of a weight, with its fan_in at the base shape; 0 for vectors."""
    if not tagged.is_weight:
        return 0.0
    return tagged.module.gain / math.sqrt(base_fan_in(tagged, ratios))


def base_fan_in(tagged: Tagged, ratios: Ratios) -> float:
    """fan_in of a weight at the base shape."""
    fan_in = tagged.module.fan_in
    if tagged.role in GROWING:
        fan_in = fan_in / ratios.width
    if tagged.role is Role.EXPERT_DOWN:
        fan_in = fan_in * ratios.granularity
    return fan_in


def resolve(
    model: nn.Module, table: Parameterisation, ratios: Ratios, base: Base
) -> list[ParameterRow]:
    """One row per parameter of the model, whose shape is `ratios` times the base shape.

    Raises:
        RoleError: a parameter has no role; its module cannot apply the table's rule for the role;
            input and output share weights that the table scales differently; or multipliers name a
            type that no parameter has.
        ValueError: a beta would be outside [0, 1).
    """
    table = table.unit() if base.weights == "unit" else table
    tagged = list(named_roles(model))
    _refuse_unknown_types(model, base)
    ties = [p.name for p in tagged if any(role is not p.role for _, role in p.sharers)]
    ties += [name for name, module in model.named_modules() if isinstance(module, TiedLinear)]
    if ties and not table.ties:
        raise RoleError(
            f"table {table.name!r} scales outputs otherwise than inputs, which share weights here: "
            "do not tie them, or use a table whose two rules differ in the multiplier only"
        )
    blocks = count_blocks(parameter.name for parameter in tagged)
    return [_row(parameter, table, ratios, base, blocks) for parameter in tagged]


def _refuse_unknown_types(model: nn.Module, base: Base) -> None:
    parameters = {kind(name) for name, _ in model.named_parameters()}
    modules = model.named_modules()
    branches = {kind(name) for name, module in modules if isinstance(module, Branch)}
    for name, factors in base.multipliers.items():
        known = branches if name == "residual" else parameters
        if unknown := sorted(set(factors.types) - known):
            raise RoleError(
                f"multipliers.{name}: {type(model).__name__} has no {', '.join(unknown)}; "
                f"its types are {', '.join(sorted(known))}"
            )


def _row(
    tagged: Tagged, table: Parameterisation, ratios: Ratios, base: Base, blocks: int
) -> ParameterRow:
    whole = ratios
    rule = table.rules[tagged.role]
    ratios = ratios if tagged.in_branch else replace(ratios, depth=1)
    std = base_std(tagged, ratios)
    weight = tagged.is_weight
    unit = base.weights == "unit" and weight
    # A weight that begins at zero has a forward multiplier all the same, or it would stay there.
    forward = std or (1 / math.sqrt(base_fan_in(tagged, ratios)) if weight else 0.0)
    if tagged.role in DRAWN and not weight:
        raise RoleError(
            f"{tagged.name} has the role {tagged.role.value}, whose weights the table draws and "
            "scales; only layers of hypertransfer.networks.layers support that: use such a layer"
        )
    if not weight and rule.multiplier.at(ratios) != 1.0:
        raise RoleError(
            f"table {table.name!r} gives {tagged.name} ({tagged.role.value}) a multiplier, which "
            "only layers of hypertransfer.networks.layers apply: use such a layer, or another table"
        )

    def own(hyperparameter: str) -> float:
        return base.factor(hyperparameter, tagged.name, blocks)

    return ParameterRow(
        name=tagged.name,
        role=tagged.role.value,
        shape=tuple(tagged.parameter.shape),
        fan_in=tagged.module.fan_in if weight else 1,
        fan_out=tagged.module.fan_out if weight else tagged.parameter.numel(),
        init_std=(float(std > 0) if unit else std) * rule.init_std.at(ratios) * own("init_std"),
        multiplier=(forward if unit else 1.0) * rule.multiplier.at(ratios),
        lr=base.lr * rule.lr.at(ratios) * own("lr"),
        weight_decay=base.weight_decay * rule.weight_decay.at(ratios) * own("weight_decay"),
        eps=base.eps * rule.eps.at(ratios) * own("eps"),
        betas=tuple(
            1 - (1 - beta) * own(f"beta{number}")
            for number, beta in enumerate(table.betas(base.betas, whole), 1)
        ),
    )


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
    Therefore a draw depends neither on the device nor on other parameters.

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
        if row.init_std > 0:
            generator = torch.Generator().manual_seed(parameter_seed(seed, row.name))
            drawn = draw(tagged, generator) if draw else None
            if drawn is None:
                drawn = torch.randn(row.shape, generator=generator) * row.init_std
            tagged.parameter.data.copy_(drawn)
        elif tagged.is_weight or tagged.attribute == "bias":
            tagged.parameter.data.zero_()
    blocks = count_blocks(by_name)
    for name, module in model.named_modules():
        if isinstance(module, TiedLinear):
            module.multiplier = table.rules[Role.OUTPUT].multiplier.at(ratios)
        if isinstance(module, Branch):
            own = base.factor("residual", name, blocks) if base else 1.0
            module.multiplier = table.residual_multiplier.at(ratios) * own


def parameter_seed(seed: int, name: str) -> int:
    """The seed of one parameter: 63 bits of the SHA-256 of `<seed>/<name>`."""
    text = f"{seed}/{name}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


def groups(model: nn.Module, rows: list[ParameterRow]) -> list[dict]:
    """Optimizer groups of parameters with one role and equal hyperparameters, in order of rows.

    Beside `params` and hyperparameters a group has the `role` of its parameters, and `one_hot`,
    which is true for parameters of embeddings, whose inputs are one-hot vectors.
    """
    parameters = dict(model.named_parameters())
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, Embedding)}
    by_values: dict[tuple, dict] = {}
    for row in rows:
        hyper = {"lr": row.lr, "weight_decay": row.weight_decay, "eps": row.eps}
        hyper |= {"betas": row.betas} if row.betas else {}
        parameter = parameters[row.name]
        hyper |= {"role": row.role, "one_hot": id(parameter) in embeddings}
        group = by_values.setdefault(tuple(hyper.values()), {"params": [], **hyper})
        group["params"].append(parameter)
    return list(by_values.values())
