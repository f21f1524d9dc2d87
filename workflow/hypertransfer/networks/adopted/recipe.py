"""A table for networks of another author at any size, for a training loop of one's own.

recipe = Recipe(build, width=64, depth=2, table="completed_p")
network, scaling = recipe.make(width=1024, depth=16)
optimizer = torch.optim.AdamW(scaling.groups(network, lr=2e-3, weight_decay=0.1))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from torch import nn

from hypertransfer.networks.adopted.example import example_inputs
from hypertransfer.networks.adopted.inferred import Inference
from hypertransfer.networks.adopted.roles import infer
from hypertransfer.networks.adopted.scaling import (
    Drawn,
    Scaling,
    apply,
    at_depth,
    deviations,
    scaling,
)
from hypertransfer.networks.adopted.shapes import Build
from hypertransfer.networks.tagged import RoleError
from hypertransfer.parameterisation.algebra import Parameterisation, Ratios, Role
from hypertransfer.parameterisation.tables import PARAMETERISATIONS, SCALE_FREE, SGD

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
        inputs: the arguments of a forward pass for a few samples; guessed by default
            (`example_inputs`).
        roles: roles of parameters by patterns of their names, where they cannot be found.

    Raises:
        RoleError: the roles cannot be found, or a parameter is doubtful.
        ValueError: there is no such table, or none for this family.
    """

    def __init__(
        self,
        build: Build,
        width: int,
        depth: int,
        table: str | Parameterisation = "completed_p",
        family: str = "adam",
        inputs: Mapping[str, Any] | Sequence[Any] | None = None,
        roles: Mapping[str, Role | str] | None = None,
    ) -> None:
        self.build, self.width, self.depth = build, width, depth
        self.table = table if isinstance(table, Parameterisation) else _table(table, family)
        inputs = example_inputs(build(width, depth)) if inputs is None else inputs
        self.found: Inference = infer(build, width, depth, inputs, roles)
        if doubts := self.found.doubtful:
            listed = "; ".join(f"{one.name}: {one.doubt}" for one in doubts)
            raise RoleError(f"{len(doubts)} parameters are doubtful: {listed}")

    @cached_property
    def _at_base(self) -> dict[str, Drawn]:
        return deviations(self.build, self.width, self.depth)

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
            RoleError: the network has parameters that are like none of the base.
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
        """Apply the table to a network that was built at a width and depth; see `make`."""
        found = at_depth(self.found, network)
        ratios = Ratios(width / self.width, depth / self.depth, batch, duration)
        scaled = scaling(found, self.table, ratios)
        apply(network, found, scaled, self._at_base)
        return scaled


def _table(name: str, family: str) -> Parameterisation:
    """The table of a name for a family of optimizers.

    Raises:
        ValueError: there is none.
    """
    if name not in PARAMETERISATIONS:
        raise ValueError(f"no table {name!r}; known: {', '.join(PARAMETERISATIONS)}")
    if family not in FAMILIES:
        raise ValueError(f"no family {family!r} of optimizers; known: {', '.join(FAMILIES)}")
    tables = PARAMETERISATIONS[name]
    if FAMILIES[family] not in tables:
        known = ", ".join(word for word, power in FAMILIES.items() if power in tables)
        raise ValueError(f"the table {name!r} is not for the family {family!r}, but for {known}")
    return tables[FAMILIES[family]]
