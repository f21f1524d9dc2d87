"""Table × model × ratios → one row per parameter; the only place where scaling is applied."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch
from torch import nn

from hypertransfer.layers import Branch, Scaled
from hypertransfer.scaling import Parameterisation, Ratios, Role

# Roles of weight matrices: the table says how they are drawn. Vectors keep their module's values.
DRAWN = (Role.INPUT, Role.HIDDEN, Role.OUTPUT)


class RoleError(ValueError):
    """A parameter has no role, or one whose scaling its module cannot carry out."""


@dataclass(frozen=True)
class ParameterRow:
    """How one parameter is drawn, used and trained: the evidence that a table was applied.

    `init_std` is 0 for parameters that keep the value their module gave them (biases 0, norm
    gains 1). A vector of n entries has fan_in 1 and fan_out n. `lr`, `weight_decay` and `eps`
    are the values that the optimizer receives.
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

    def plain(self) -> dict:
        """Plain values for the run's record."""
        return {**asdict(self), "shape": list(self.shape)}


@dataclass(frozen=True)
class Base:
    """Hyperparameters at the base shape, the same for every parameter."""

    lr: float
    weight_decay: float = 0.0
    eps: float = 0.0
    weights: str = "fan_in"  # or 'unit': see RunSpec.weights


@dataclass(frozen=True)
class Tagged:
    """A parameter with the module that owns it, its role, and whether it is in a branch."""

    name: str
    attribute: str
    parameter: nn.Parameter
    module: nn.Module
    role: Role
    in_branch: bool


def named_roles(model: nn.Module) -> Iterator[Tagged]:
    """Every parameter of the model with its role.

    Raises:
        RoleError: a module has a parameter that its `roles` does not name.
    """
    branches = [name for name, module in model.named_modules() if isinstance(module, Branch)]
    for path, module in model.named_modules():
        for attribute, parameter in module.named_parameters(recurse=False):
            name = f"{path}.{attribute}" if path else attribute
            role = getattr(module, "roles", {}).get(attribute)
            if role is None:
                raise RoleError(
                    f"parameter {name} of {type(model).__name__} has no role: set "
                    f"self.roles = {{{attribute!r}: Role.…}} on its {type(module).__name__}"
                )
            inside = any(path == b or path.startswith(f"{b}.") for b in branches)
            yield Tagged(name, attribute, parameter, module, role, inside)


def base_std(tagged: Tagged, ratios: Ratios) -> float:
    """gain/√fan_in of a weight at the base shape; 0 for vectors, which are not drawn."""
    if not isinstance(tagged.module, Scaled) or tagged.attribute != "weight":
        return 0.0
    fan_in = tagged.module.fan_in
    if tagged.role in (Role.HIDDEN, Role.OUTPUT):  # the roles whose fan_in grows with width
        fan_in = fan_in / ratios.width
    return tagged.module.gain / math.sqrt(fan_in)


def resolve(
    model: nn.Module, table: Parameterisation, ratios: Ratios, base: Base
) -> list[ParameterRow]:
    """One row per parameter of the model, at the given distance from the base shape.

    Raises:
        RoleError: a parameter has no role, or one that its module cannot fulfil.
    """
    table = table.unit() if base.weights == "unit" else table
    return [_row(tagged, table, ratios, base) for tagged in named_roles(model)]


def _row(tagged: Tagged, table: Parameterisation, ratios: Ratios, base: Base) -> ParameterRow:
    rule = table.rules[tagged.role]
    ratios = ratios if tagged.in_branch else Ratios(ratios.width, 1, ratios.batch, ratios.duration)
    std = base_std(tagged, ratios)
    unit = base.weights == "unit" and std > 0
    weight = isinstance(tagged.module, Scaled) and tagged.attribute == "weight"
    if tagged.role in DRAWN and not weight:
        raise RoleError(
            f"{tagged.name} has the role {tagged.role.value}, whose weights the table draws and "
            "scales, and only layers of hypertransfer.layers let it: use such a layer for it"
        )
    if not std and rule.multiplier.at(ratios) != 1.0:
        raise RoleError(
            f"table {table.name!r} gives {tagged.name} ({tagged.role.value}) a multiplier, and "
            "only weights of hypertransfer.layers apply one: use such a layer, or another table"
        )
    return ParameterRow(
        name=tagged.name,
        role=tagged.role.value,
        shape=tuple(tagged.parameter.shape),
        fan_in=tagged.module.fan_in if weight else 1,
        fan_out=tagged.module.fan_out if weight else tagged.parameter.numel(),
        init_std=(1.0 if unit else std) * rule.init_std.at(ratios),
        multiplier=(std if unit else 1.0) * rule.multiplier.at(ratios),
        lr=base.lr * rule.lr.at(ratios),
        weight_decay=base.weight_decay * rule.weight_decay.at(ratios),
        eps=base.eps * rule.eps.at(ratios),
    )


def apply(
    model: nn.Module,
    rows: list[ParameterRow],
    table: Parameterisation,
    ratios: Ratios,
    seed: int,
) -> None:
    """Set multipliers and draw the weights, each from a generator of its own.

    A parameter's draw depends on the seed, its name and its shape alone, on the CPU: adding a
    parameter, or moving the model to another device, changes no other draw.
    """
    by_name = {row.name: row for row in rows}
    for tagged in named_roles(model):
        row = by_name[tagged.name]
        if isinstance(tagged.module, Scaled) and tagged.attribute == "weight":
            tagged.module.multiplier = row.multiplier
        if row.init_std > 0:
            generator = torch.Generator().manual_seed(parameter_seed(seed, row.name))
            draw = torch.randn(row.shape, generator=generator) * row.init_std
            tagged.parameter.data.copy_(draw)
        elif tagged.attribute == "bias":
            tagged.parameter.data.zero_()
    for module in model.modules():
        if isinstance(module, Branch):
            module.multiplier = table.residual_multiplier.at(ratios)


def parameter_seed(seed: int, name: str) -> int:
    """A seed for one parameter: 63 bits of SHA-256 of the run's seed and the name."""
    text = f"{seed}/{name}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


def groups(model: nn.Module, rows: list[ParameterRow]) -> list[dict]:
    """Optimizer groups: parameters with equal hyperparameters together, in order of rows."""
    parameters = dict(model.named_parameters())
    out: dict[tuple, dict] = {}
    for row in rows:
        hyper = (row.lr, row.weight_decay, row.eps)
        group = out.setdefault(
            hyper, {"params": [], "lr": row.lr, "weight_decay": row.weight_decay, "eps": row.eps}
        )
        group["params"].append(parameters[row.name])
    return list(out.values())
