"""A table for networks of another author at any size, for a training loop of one's own.

recipe = Recipe(build, width=64, depth=2, table="completed_p")
network, scaling = recipe.make(width=1024, depth=16)
optimizer = torch.optim.AdamW(scaling.groups(network, lr=2e-3, weight_decay=0.1))
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from torch import nn

from hypertransfer.networks.adopted.example import example_inputs, forward_arguments
from hypertransfer.networks.adopted.inferred import Inference
from hypertransfer.networks.adopted.overrides import with_patterns
from hypertransfer.networks.adopted.roles import infer
from hypertransfer.networks.adopted.scaling import (
    Drawn,
    Scaling,
    apply,
    deviations,
    of_network,
    scaling,
)
from hypertransfer.networks.adopted.shapes import Build, built, shapes_of
from hypertransfer.networks.tagged import RoleError
from hypertransfer.parameterisation.algebra import Parameterisation, Ratios, Role
from hypertransfer.parameterisation.tables import PARAMETERISATIONS, SCALE_FREE, SGD
from hypertransfer.runs.problem import known_names

FAMILIES = {"adam": SCALE_FREE, "sgd": SGD}


class Recipe:
    """The roles of the parameters of a network at its base, and a table that scales them.

    Args:
        build: returns the network of a width and a depth.
        width: the base width, at which hyperparameters are tuned.
        depth: the base depth.
        table: the name of a parameterisation, or one of your own.
        family: `adam` for updates that do not scale with the gradient (Adam, Lion, Muon), `sgd`
            for those that do; a table of your own has its family.
        inputs: the arguments of a forward pass for a few samples: a tensor, a sequence, a mapping
            of keyword arguments, or a function that returns one of them; guessed by default
            (`example_inputs`).
        roles: roles of parameters by patterns of their names, where they cannot be found.

    Raises:
        RoleError: the roles cannot be found, a parameter is doubtful, or the table cannot scale
            tied weights.
        ValueError: there is no such table, or none for this family.

    Warns:
        UserWarning: notes and faults, as `hypertransfer adopt` prints them.
    """

    def __init__(
        self,
        build: Build,
        width: int,
        depth: int,
        table: str | Parameterisation = "completed_p",
        family: str = "adam",
        inputs: Any = None,
        roles: Mapping[str, Role | str] | None = None,
    ) -> None:
        self.build, self.width, self.depth = build, width, depth
        self.table = table if isinstance(table, Parameterisation) else _table(table, family)
        if inputs is None:
            inputs = example_inputs(built(build, width, depth))
        self.inputs, self.roles = forward_arguments(inputs), roles
        self._found: dict[int, Inference] = {}
        self._drawn: dict[int, dict[str, Drawn]] = {}
        base = self.found(depth)
        scaling(base, self.table, Ratios())
        for fault in dict.fromkeys(map(with_patterns, base.faults)):
            warnings.warn(f"fault: {fault}", stacklevel=2)
        for doubt in base.doubts:
            warnings.warn(f"note: {doubt}", stacklevel=2)

    def found(self, depth: int) -> Inference:
        """The roles of the parameters of the network of a depth, at the base width.

        Raises:
            RoleError: the roles cannot be found, or a parameter is doubtful.
        """
        if depth not in self._found:
            found = infer(self.build, self.width, depth, self.inputs, self.roles)
            if doubts := found.doubtful:
                listed = "; ".join(f"{one.name}: {one.doubt}" for one in doubts)
                raise RoleError(f"{len(doubts)} parameters are doubtful: {listed}")
            self._found[depth] = found
        return self._found[depth]

    def make(
        self, width: int, depth: int, batch: float = 1.0, duration: float = 1.0
    ) -> tuple[nn.Module, Scaling]:
        """The network of a width and depth with the table applied, and its scaling.

        Args:
            width: the width.
            depth: the depth.
            batch: the batch size over that at the base.
            duration: the number of samples, or tokens, over that at the base.

        Raises:
            RoleError: the roles cannot be found at this depth, or the table cannot be applied.
        """
        network = self.build(width, depth)
        return network, self.apply(network, width, depth, batch, duration)

    def apply(
        self,
        network: nn.Module,
        width: int,
        depth: int,
        batch: float = 1.0,
        duration: float = 1.0,
    ) -> Scaling:
        """Apply the table to a network that was built at a width and depth; see `make`.

        Raises:
            RoleError: the network is of another width or depth, as well.
        """
        there, wanted = shapes_of(network), shapes_of(built(self.build, width, depth, meta=True))
        if there != wanted:
            name = next(n for n in {**wanted, **there} if there.get(n) != wanted.get(n))
            raise RoleError(
                f"the network is not of width {width} and depth {depth}: {name} has the shape "
                f"{there.get(name)}, and the builder makes {wanted.get(name)}"
            )
        found = of_network(self.found(depth), network)
        ratios = Ratios(width / self.width, depth / self.depth, batch, duration)
        scaled = scaling(found, self.table, ratios)
        apply(network, found, scaled, self.at_base(depth))
        return scaled

    def at_base(self, depth: int) -> dict[str, Drawn]:
        """The deviations at the base of the parameters that a network of a depth has.

        Of a parameter that has none like it at the base, as the readout in a list of layers that
        becomes longer, they are those at the base width and this depth.
        """
        for one in {self.depth, depth} - self._drawn.keys():
            self._drawn[one] = deviations(self.build, self.width, one)
        base, found = self.found(self.depth), self.found(depth)
        alike = {base.kind(one.name): one for one in reversed(base.parameters)}
        drawn = {}
        for one in found.parameters:
            own = alike.get(found.kind(one.name))
            if own and own.scaled_as is one.scaled_as and own.inputs == one.inputs:
                drawn[one.name] = self._drawn[self.depth][own.name]
            else:
                drawn[one.name] = self._drawn[depth][one.name]
        return drawn


def _table(name: str, family: str) -> Parameterisation:
    """The table of a name for a family of optimizers.

    Raises:
        ValueError: there is none.
    """
    if name not in PARAMETERISATIONS:
        raise ValueError(f"no table {name!r}; {known_names(name, PARAMETERISATIONS)}")
    if family not in FAMILIES:
        raise ValueError(f"no family {family!r} of optimizers; {known_names(family, FAMILIES)}")
    tables = PARAMETERISATIONS[name]
    if FAMILIES[family] not in tables:
        known = ", ".join(word for word, power in FAMILIES.items() if power in tables)
        raise ValueError(f"the table {name!r} is not for the family {family!r}, but for {known}")
    return tables[FAMILIES[family]]
