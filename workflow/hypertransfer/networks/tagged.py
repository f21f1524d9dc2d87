"""The parameters of a network with their modules and roles."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

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
        RoleError: the `roles` of a module lack one of its parameters; a parameter has no shape yet,
            or is part of a module whose weights no table can scale; modules share a tensor but give
            it roles that do not go together; or two parameters have common memory.
    """
    by_tensor: dict[int, list[Tagged]] = {}
    for tagged in _occurrences(model):
        by_tensor.setdefault(id(tagged.parameter), []).append(tagged)
    _refuse_common_memory([occurrences[0] for occurrences in by_tensor.values()])
    for occurrences in by_tensor.values():
        yield occurrences[0] if len(occurrences) == 1 else _shared(occurrences)


def _occurrences(model: nn.Module) -> Iterator[Tagged]:
    """Each parameter of each module; twice for a module inside and outside residual branches."""
    for path, module, inside in _places(model, "", False, set()):
        for attribute, parameter in module.named_parameters(recurse=False):
            name = f"{path}.{attribute}" if path else attribute
            if isinstance(parameter, nn.parameter.UninitializedParameter):
                raise RoleError(
                    f"parameter {name} of {type(model).__name__} has no shape before the first "
                    f"forward pass: give its {type(module).__name__} its sizes"
                )
            _refuse_unsupported(name, module, parameter)
            role = getattr(module, "roles", {}).get(attribute)
            if role is None:
                raise RoleError(_untagged(model))
            if not isinstance(role, Role):
                known = ", ".join(f"Role.{role.name}" for role in Role)
                raise RoleError(f"{name} has the role {role!r}, which is not one of {known}")
            yield Tagged(name, attribute, parameter, module, role, inside)


def _untagged(model: nn.Module) -> str:
    """Which parameters have no role, and how to give them one, module by module."""
    names, settings = [], []
    for path, module, _ in _places(model, "", False, set()):
        roles = getattr(module, "roles", {})
        lacking = {n: p for n, p in module.named_parameters(recurse=False) if roles.get(n) is None}
        if not lacking:
            continue
        names += [f"{path}.{name}" if path else name for name in lacking]
        advised = {n: "Role.VECTOR" if p.dim() < 2 else "Role.…" for n, p in lacking.items()}
        listed = ", ".join(f"{name!r}: {role}" for name, role in advised.items())
        place = re.sub(r"\.(\d+)\b", r"[\1]", f"self.{path}" if path else "self")
        settings.append(f"{place}.roles = {{{listed}}} of {type(module).__name__}")
    names, settings = list(dict.fromkeys(names)), list(dict.fromkeys(settings))
    noun, verb = ("parameter", "has") if len(names) == 1 else ("parameters", "have")
    return (
        f"{noun} {', '.join(names)} of {type(model).__name__} {verb} no role: set "
        f"{'; '.join(settings)}"
    )


def _places(
    module: nn.Module, path: str, inside: bool, seen: set[tuple[int, bool]]
) -> Iterator[tuple[str, nn.Module, bool]]:
    """Each module with its first path outside, and its first path inside residual branches."""
    inside = inside or isinstance(module, Branch)
    if (id(module), inside) in seen:
        return
    seen.add((id(module), inside))
    yield path, module, inside
    for name, child in module.named_children():
        yield from _places(child, f"{path}.{name}" if path else name, inside, seen)


# torch's modules that hold several matrices in one parameter.
PACKED = (nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention)


def _refuse_unsupported(name: str, module: nn.Module, parameter: nn.Parameter) -> None:
    """Refuses trained parameters to which no table can be applied, whatever their role.

    Raises:
        RoleError: with the module to use instead.
    """
    if not parameter.requires_grad:
        return
    if parameter.is_complex():
        raise RoleError(
            f"parameter {name} is complex: use two real parameters, and torch.view_as_complex or "
            "torch.complex in the forward pass"
        )
    matrix = parameter.dim() >= 2
    if (isinstance(module, ParametrizationList) and matrix) or _is_of_old_norm(module, name):
        raise RoleError(
            f"{name} is part of a weight under weight_norm, spectral_norm, orthogonal or another "
            "parametrization of torch.nn.utils, which no table can draw and scale: remove the "
            "parametrization, and use a layer of hypertransfer.networks.layers, with RMSNorm or "
            "LayerNorm for its outputs"
        )
    if not matrix:
        return
    if isinstance(module, PACKED):
        raise RoleError(
            f"{name} of torch's {type(module).__name__} packs several matrices, which no table can "
            "draw and scale: build the module from Linear of hypertransfer.networks.layers, with "
            "one layer for each matrix, or train the network as it is, by model.adopt"
        )


def _is_of_old_norm(module: nn.Module, name: str) -> bool:
    """Whether a parameter is one that torch.nn.utils.weight_norm or spectral_norm made.

    These are functions of torch before the parametrizations; they compute the weight in a hook.
    """
    own = name.rpartition(".")[2]
    return any(
        isinstance(hook, WeightNorm | SpectralNorm)
        and own in (f"{hook.name}_g", f"{hook.name}_v", f"{hook.name}_orig")
        for hook in module._forward_pre_hooks.values()
    )


def _refuse_common_memory(parameters: list[Tagged]) -> None:
    """Refuses two parameters on one memory, which an optimizer would update twice.

    Raises:
        RoleError: with the names of both.
    """
    by_storage: dict[int, list[Tagged]] = {}
    for tagged in parameters:
        tensor = tagged.parameter
        if tensor.numel() and tensor.layout is torch.strided and not tensor.is_meta:
            by_storage.setdefault(tensor.untyped_storage().data_ptr(), []).append(tagged)
    for group in by_storage.values():
        for one, other in itertools.combinations(group, 2):
            if _overlap(one.parameter, other.parameter):
                raise RoleError(
                    f"{one.name} and {other.name} are two parameters with common memory: assign "
                    "the Parameter itself to both modules, or compute with it in a method"
                )


def _overlap(one: Tensor, other: Tensor) -> bool:
    """Whether two views of one storage have a common entry."""
    (start, end), (begin, stop) = _span(one), _span(other)
    if one.dtype != other.dtype or stop <= start or end <= begin:
        return one.dtype != other.dtype
    entries = []
    for view in (one, other):  # they may interleave, as columns of one matrix do
        used = torch.zeros(max(end, stop), dtype=torch.bool)
        used.as_strided(view.shape, view.stride(), view.storage_offset()).fill_(True)
        entries.append(used)
    return bool((entries[0] & entries[1]).any())


def _span(view: Tensor) -> tuple[int, int]:
    """The first entry of the storage that a view covers, and the one after its last."""
    steps = zip(view.shape, view.stride(), strict=True)
    start = view.storage_offset()
    return start, start + sum((side - 1) * step for side, step in steps) + 1


TIED = {Role.INPUT, Role.OUTPUT}  # roles of a tensor that an embedding and a readout share


def _shared(occurrences: list[Tagged]) -> Tagged:
    """One entry for a tensor of several modules.

    Raises:
        RoleError: the modules need different treatments of the tensor.
    """
    roles = {tagged.role for tagged in occurrences}
    owner = next((o for o in occurrences if roles == TIED and o.role is Role.INPUT), occurrences[0])
    others = [tagged for tagged in occurrences if tagged.module is not owner.module]
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
