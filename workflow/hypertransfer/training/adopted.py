"""The table of a spec on a network that its config adopts, applied from outside."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import torch
from torch import nn

from hypertransfer.catalogue import lookup
from hypertransfer.networks.adopted import scaling as outside
from hypertransfer.networks.adopted.example import example_inputs
from hypertransfer.networks.adopted.inferred import Inference, Inferred
from hypertransfer.networks.adopted.recipe import Recipe
from hypertransfer.networks.adopted.scaling import VECTORS, Drawn, Factors, Scaling
from hypertransfer.networks.adopted.shapes import built
from hypertransfer.networks.resolve import Base, ParameterRow, refuse_unknown_types, scaled_betas
from hypertransfer.networks.tagged import RoleError
from hypertransfer.parameterisation.algebra import Parameterisation, Role, Rule
from hypertransfer.parameterisation.module_multipliers import kind
from hypertransfer.runs.adoption import Adoption, arguments
from hypertransfer.runs.ratios import ratios
from hypertransfer.runs.spec import RunSpec
from hypertransfer.training import imports, randomness
from hypertransfer.training.settings import reproducible

log = logging.getLogger(__name__)
KEPT = 4  # recipes in memory: runs that differ in rates and seeds have one in common
SAMPLES = 2  # in a batch by which roles are found

_recipes: dict[tuple, Recipe] = {}


@dataclass(frozen=True)
class Adopted:
    """A table on a network of another author.

    Attributes:
        found: the roles of the network's parameters.
        scaling: the factors on them, with those of single modules.
        at_base: the deviations of the initial values at the base, by the names of the parameters;
            those at the network's own size under a table that keeps values.
        base: hyperparameters at the base.
    """

    found: Inference
    scaling: Scaling
    at_base: Mapping[str, Drawn]
    base: Base

    @cached_property
    def rows(self) -> list[ParameterRow]:
        """One row for each parameter, in the order of the network.

        Multipliers are folded into initial values and rates, so that those of rows are 1.
        """
        factors = {one.name: one for one in self.scaling.factors}
        return [self._row(one, factors.get(one.name)) for one in self.found.parameters]

    def _row(self, found: Inferred, factors: Factors | None) -> ParameterRow:
        at = self.scaling.ratios
        base = self.base
        frozen = factors is None
        drawn = not frozen and factors.role not in VECTORS
        own = partial(own_factor, base, self.found, name=found.name)
        return ParameterRow(
            name=found.name,
            role=found.role.value,
            scaled_as=found.role.value if frozen else factors.role.value,
            shape=found.shape,
            fan_in=found.fan_in,
            fan_out=found.fan_out,
            init_std=self.at_base[found.name].deviation * factors.init_std if drawn else 0.0,
            multiplier=1.0,
            lr=0.0 if frozen else base.lr * factors.lr,
            weight_decay=0.0 if frozen else base.weight_decay * factors.weight_decay,
            eps=None if frozen or base.eps is None else base.eps * factors.eps,
            betas=() if frozen else scaled_betas(self.scaling.table, base, at, own),
            looked_up=found.role is Role.INPUT and not found.inputs,
            inputs_first=0 in found.inputs or (len(found.shape) == 3 and found.inputs == (1,)),
        )

    @property
    def branch_ends(self) -> Sequence[str]:
        """The paths of the modules that end residual branches."""
        return self.found.branches

    @property
    def faults(self) -> Sequence[str]:
        """What no table can scale in the network, if it has to."""
        return self.found.faults

    def refused(self, width: float = 1.0, depth: float = 1.0) -> Sequence[str]:
        """The faults because of which the table cannot be applied to a network of another size.

        Args:
            width: the width over that at the base.
            depth: the depth over that at the base.
        """
        at = replace(self.scaling.ratios, width=width, depth=depth)
        return outside.refused(self.found, outside.scaling(self.found, self.scaling.table, at))

    @property
    def growing_products(self) -> tuple[str, ...]:
        """The paths of the modules with attention whose heads grow with the width."""
        return self.found.growing_products

    @property
    def branches(self) -> int:
        """The number of residual branches."""
        return len(self.found.branches)

    @property
    def in_branches(self) -> set[str]:
        """The names of the parameters in residual branches."""
        return {one.name for one in self.found.parameters if one.in_branch}

    @property
    def tied(self) -> Sequence[str]:
        """The paths of the readouts that share the weights of an embedding."""
        return self.found.readouts

    def rule(self, role: Role) -> Rule:
        """The rule by which parameters are scaled that scale as a role, without a multiplier."""
        return outside.folded(self.scaling.table.rules[role], self.scaling.table.gradient_power)

    def apply(self, network: nn.Module) -> None:
        """Give a network of the same sizes its initial values and hooks.

        Raises:
            RoleError: the table cannot be applied to a branch or a tied readout.
        """
        outside.apply(network, self.found, self.scaling, self.at_base)
        self._tag(network)

    def _tag(self, network: nn.Module) -> None:
        """Give the modules the roles of their parameters, which probes read."""
        modules = dict(network.named_modules())
        roles: dict[str, dict[str, Role]] = {path: {"weight": Role.OUTPUT} for path in self.tied}
        for one in self.found.parameters:
            path, _, attribute = one.name.rpartition(".")
            roles.setdefault(path, {})[attribute] = one.role
        for path, own in roles.items():
            if not hasattr(modules[path], "roles"):  # an attribute of the user's
                modules[path].roles = own


def own_factor(base: Base, found: Inference, hyperparameter: str, name: str) -> float:
    """The factor of the config's `multipliers` on a parameter or module."""
    factors = base.multipliers.get(hyperparameter)
    return factors.at(kind(name), found.relative_depth(name)) if factors else 1.0


def adopted(
    spec: RunSpec,
    how: Adoption,
    network: nn.Module,
    table: Parameterisation,
    base: Base,
    input_shape: tuple[int, ...],
) -> Adopted:
    """The table of a spec on its network, which is not changed yet.

    Raises:
        RoleError: roles cannot be found, or the table cannot scale them.
    """
    recipe = _recipe(spec, how, table, input_shape)
    with randomness.seeded("adopted"):
        found = outside.of_network(recipe.found(spec.shape.depth), network)
        kept = table.keeps_values
        at_base = outside.drawn_values(network) if kept else recipe.at_base(spec.shape.depth)
    reproducible()
    if found.faults and "residual" in base.multipliers:
        raise RoleError(f"multipliers.residual cannot be applied: {'; '.join(found.faults)}")
    names = {kind(one.name) for one in found.parameters}
    refuse_unknown_types(type(network).__name__, base, names, set(map(kind, found.branches)))
    scaled = outside.scaling(found, table, ratios(spec))
    factors = [
        replace(
            one,
            **{
                name: getattr(one, name) * own_factor(base, found, name, one.name)
                for name in ("init_std", "lr", "weight_decay", "eps")
            },
        )
        for one in scaled.factors
    ]
    branches = {path: own_factor(base, found, "residual", path) for path in found.branches}
    return Adopted(found, replace(scaled, factors=factors, branches=branches), at_base, base)


def _recipe(
    spec: RunSpec, how: Adoption, table: Parameterisation, input_shape: tuple[int, ...]
) -> Recipe:
    make = imports.load("model", lookup.import_path("model", spec.model.name))
    key = id(make), spec.model.text, spec.base, id(table), input_shape
    if key not in _recipes:
        options = arguments(spec.model)

        def build(width: int, depth: int) -> nn.Module:
            with randomness.seeded(f"adopted/{width}/{depth}"):  # whatever was built before
                return make(**{how.width: width, how.depth: depth}, **options)

        with randomness.seeded("adopted"), warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            inputs = (
                imports.load("model", how.inputs)
                if how.inputs
                else inputs_like(built(build, spec.base.width, spec.base.depth), input_shape)
            )
            size = spec.base.width, spec.base.depth
            made = Recipe(build, *size, table, inputs=inputs, roles=how.overrides)
        if len(made.inputs) != 1:
            raise RoleError(
                f"{spec.model.name} takes several inputs, and a run calls it with one tensor: wrap "
                "it in a module whose forward pass takes one"
            )
        for one in noted:
            log.warning("%s: %s", spec.model.name, one.message)
        while len(_recipes) >= KEPT:
            _recipes.pop(next(iter(_recipes)))
        _recipes[key] = made
    return _recipes[key]


def inputs_like(network: nn.Module, input_shape: tuple[int, ...]) -> list[torch.Tensor]:
    """Inputs of zeros for a few samples of a data set: tokens if the network looks rows up first.

    Args:
        network: the network.
        input_shape: the shape of the input of one sample.
    """
    tokens = False
    if len(input_shape) == 1:
        guess = example_inputs(network)
        values = guess.values() if isinstance(guess, Mapping) else guess
        tokens = any(not value.is_floating_point() for value in values)
    dtype = torch.long if tokens else torch.float32
    return [torch.zeros(SAMPLES, *input_shape, dtype=dtype)]
