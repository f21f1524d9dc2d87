"""What was found about the parameters of a network of another author."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hypertransfer.networks.growth import _BY_GROWTH
from hypertransfer.networks.tagged import RoleError
from hypertransfer.parameterisation.algebra import Role

Shape = tuple[int, ...]
EXPERTS = (Role.EXPERT_UP, Role.EXPERT_DOWN)


@dataclass(frozen=True)
class Inferred:
    """What was found about one parameter.

    Attributes:
        name: its first name in the network.
        shape: its shape at the base.
        role: its role; None if the shapes and uses do not tell it.
        inputs: its dimensions that are inputs; none of a vector.
        growing: the dimensions that grow with the width.
        in_branch: whether it is inside a residual branch.
        shared: further roles in which it is used, as a tied embedding is as the readout.
        is_trained: whether it is trained.
        reason: what the role follows from.
        doubt: what cannot be told, with the override that settles it; empty without doubt.
    """

    name: str
    shape: Shape
    role: Role | None
    inputs: tuple[int, ...] = ()
    growing: tuple[int, ...] = ()
    in_branch: bool = False
    shared: tuple[Role, ...] = ()
    is_trained: bool = True
    reason: str = ""
    doubt: str = ""

    @property
    def scaled_as(self) -> Role:
        """The role whose rule scales the parameter, given the dimensions that grow.

        Raises:
            RoleError: the parameter has no role.
        """
        if self.role is None:
            raise RoleError(f"{self.name} has no role: {self.doubt}")
        if self.role is Role.HIDDEN and not self.inputs:
            return self._of_growing_alone()
        if self.role is Role.HIDDEN:
            inputs, grown = set(self.inputs), set(self.growing)
            return _BY_GROWTH[bool(grown & inputs), bool(grown - inputs)]
        if self.role in (Role.INPUT, Role.OUTPUT, Role.ROUTER) and not self.growing:
            return Role.FIXED
        return self.role

    def _of_growing_alone(self) -> Role:
        """The role of a hidden matrix whose inputs are not known.

        Raises:
            RoleError: a single dimension grows, and inputs or outputs could.
        """
        if len(self.growing) == 1:
            raise RoleError(
                f"one dimension of {self.name} grows, and whether it has the inputs or the outputs "
                "is not known: override its role with narrowing (inputs) or widening (outputs)"
            )
        return Role.HIDDEN if self.growing else Role.FIXED

    @property
    def fan_in(self) -> int:
        """The number of inputs over which each output sums; 1 for a vector."""
        return math.prod(self.shape[dimension] for dimension in self.inputs)

    @property
    def fan_out(self) -> int:
        """The number of outputs to which each input contributes; the entries of a vector.

        Those of a convolution count once for each place of its kernel, and of rows that are looked
        up only one is an output.
        """
        if self.role is Role.INPUT and not self.inputs:
            return math.prod(self.shape[dimension] for dimension in self.growing)
        experts = self.shape[0] if self.role in EXPERTS else 1
        inputs = self.shape[self.inputs[0]] if self.inputs else 1
        return math.prod(self.shape) // inputs // experts


@dataclass(frozen=True)
class Inference:
    """The parameters of a network, and the ends of its residual branches.

    Attributes:
        parameters: what was found about each parameter, in order.
        widths: the widths that were compared.
        depths: the depths that were compared.
        branches: the paths of the modules whose outputs are added to a residual stream.
        readouts: the paths of the modules that read out with a tied embedding.
        stacks: the paths of the modules whose numbered parts become more with the depth.
        branch_faults: residual branches that no table can scale.
        readout_faults: readouts with tied weights that no table can scale.
        doubts: what else may not be as intended.
        growing_products: the paths of the modules with a product of two computed tensors, as of
            queries and keys, that sums more terms in a wider network.
    """

    parameters: Sequence[Inferred]
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    branches: tuple[str, ...] = ()
    readouts: tuple[str, ...] = ()
    stacks: tuple[str, ...] = ()
    branch_faults: tuple[str, ...] = ()
    readout_faults: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    growing_products: tuple[str, ...] = ()

    def kind(self, path: str) -> str:
        """The path of a parameter or module with `#` in place of the numbers of blocks."""
        return kind(path, self.stacks)

    def relative_depth(self, path: str) -> float | None:
        """ℓ/(L − 1) of a parameter or module in block ℓ of a stack of L; None outside of stacks."""
        own = block(path, self.stacks)
        if not own:
            return None
        stack, _, number = own.rpartition(".")
        blocks = (block(one.name, self.stacks).rpartition(".") for one in self.parameters)
        last = max(int(other) for place, _, other in blocks if other and place == stack)
        return int(number) / max(last, 1)

    @property
    def faults(self) -> tuple[str, ...]:
        """What tables for the depth, or for tied weights, cannot scale."""
        return *self.branch_faults, *self.readout_faults

    @property
    def doubtful(self) -> list[Inferred]:
        """The parameters that need an override."""
        return [found for found in self.parameters if found.doubt]


def block(path: str, stacks: Collection[str]) -> str:
    """The path of the outermost block of a stack that a path lies in; empty if it lies in none."""
    parts = path.split(".")
    for place in range(len(parts)):
        if ".".join(parts[:place]) in stacks:
            return ".".join(parts[: place + 1])
    return ""


def kind(path: str, stacks: Collection[str]) -> str:
    """A path with `#` in place of the numbers of the parts of some modules."""
    parts = path.split(".")
    above = (".".join(parts[:place]) for place in range(len(parts)))
    return ".".join("#" if one in stacks else part for part, one in zip(parts, above, strict=True))
