"""How a config adopts a network that was not written for the library: `model: {adopt: {…}}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypertransfer.runs.spec import Component

OPTION = "adopt"  # of a model


@dataclass(frozen=True)
class Adoption:
    """What a config says of a network whose roles are found from its shapes and uses.

    Attributes:
        width: the argument of the builder that is the width.
        depth: the argument of the builder that is the depth.
        inputs: the import path of a function that returns the arguments of a forward pass for a few
            samples; empty for inputs of the shape of the data set.
        roles: roles of parameters by patterns of their names, where they cannot be found; the
            longest pattern that matches a name counts.
    """

    width: str = "width"
    depth: str = "depth"
    inputs: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)

    @property
    def overrides(self) -> dict[str, str]:
        """The roles in the order in which a later pattern counts more."""
        return dict(sorted(self.roles.items(), key=lambda item: (len(item[0]), item[0])))


def adoption(model: Component) -> Adoption | None:
    """How a network is adopted; None for a network that states its own roles."""
    return Adoption(**model.options[OPTION]) if OPTION in model.options else None


def arguments(model: Component) -> dict[str, Any]:
    """The options that are passed to the builder of a network."""
    return {name: value for name, value in model.options.items() if name != OPTION}
