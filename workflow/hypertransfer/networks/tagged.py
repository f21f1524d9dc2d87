"""The parameters of a network with their modules and roles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import nn

from hypertransfer.networks.layers import Branch, Scaled
from hypertransfer.parameterisation.algebra import Role


class RoleError(ValueError):
    """A parameter has no role, or its module cannot apply the table's rule for the role."""


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
