"""The role of each parameter of a network of another author, from its shapes and its uses.

The network is built at several widths and depths. A dimension that differs grows. With the uses of
one forward pass (`trace`), this gives fan-in and fan-out, whether each grows, and the place of the
parameter in the network, from which the role follows. What cannot be told is named, with the
override that settles it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from hypertransfer.networks.adopted.inferred import Inference, Inferred, Shape, block, kind
from hypertransfer.networks.adopted.operations import Kind
from hypertransfer.networks.adopted.overrides import advice, overridden
from hypertransfer.networks.adopted.shapes import (
    DEEPER,
    WIDER,
    Build,
    built,
    grows,
    refuse_constant,
    shapes_of,
    stacks_of,
)
from hypertransfer.networks.adopted.trace import trace
from hypertransfer.networks.adopted.traced import Residual, Trace, Use
from hypertransfer.networks.tagged import RoleError
from hypertransfer.parameterisation.algebra import Role

READOUT_FAULT = (
    "the tied readout is computed in no module of its own, so that no table can scale it: compute "
    "it in a module such as torch.nn.Linear that has the embedding's weight"
)


def infer(
    build: Build,
    width: int,
    depth: int,
    inputs: Mapping[str, Any] | Sequence[Any],
    overrides: Mapping[str, Role | str] | None = None,
) -> Inference:
    """The roles of the parameters of the networks that `build` returns.

    Args:
        build: returns the network of a width and a depth.
        width: the base width.
        depth: the base depth.
        inputs: the arguments of the forward pass, for a few samples; a mapping of keyword
            arguments, or a sequence.
        overrides: the role of parameters by patterns of their names, such as `*.router.weight`; of
            several patterns that match, the last one counts.

    Raises:
        RoleError: the network cannot be built at a width or depth, or does not depend on the width;
            its forward pass fails; an override matches no parameter or names no role.
    """
    widths = tuple(width * WIDER**power for power in range(3))
    depths = (depth, depth * DEEPER)
    network = built(build, width, depth)
    shapes = [shapes_of(built(build, wider, depth, meta=True)) for wider in widths]
    deeper = shapes_of(built(build, width, depths[1], meta=True))
    refuse_constant(shapes, widths, type(network).__name__)
    keywords = inputs if isinstance(inputs, Mapping) else {}
    positional = () if isinstance(inputs, Mapping) else inputs
    found = trace(network, *positional, **keywords)
    stacks = stacks_of(shapes[0], deeper)
    others = _keep_stacked(found, stacks)
    wider = trace(built(build, widths[1], depth), *positional, **keywords)
    names = _Network(network, found, shapes, widths, stacks)
    parameters = [names.inferred(name, parameter) for name, parameter in names.parameters()]
    parameters = list(overridden(parameters, overrides or {}))
    branches, branch_faults, doubts = _branches(found)
    doubts += others
    readouts = names.readouts(one.name for one in parameters if Role.OUTPUT in one.shared)
    readout_faults = (READOUT_FAULT,) if "" in readouts else ()
    if set(deeper) == set(shapes[0]):
        doubts.append(
            f"the network has the same parameters at the depths {depths[0]} and {depths[1]}: let "
            "the builder use its depth, or compare over the width alone"
        )
    growing = _growing_products(found, wider)
    doubts += _words_on_products(growing, widths)
    faults = tuple(branch_faults), readout_faults
    about = branches, readouts, stacks, *faults, tuple(doubts)
    return Inference(parameters, widths, depths, *about, growing_products=tuple(growing))


def _keep_stacked(found: Trace, stacks: Sequence[str]) -> list[str]:
    """Leave out residual sums whose number does not grow with the depth; what to say of them."""

    def is_stacked(residual: Residual) -> bool:
        places = [use.name for use in found.uses if found.is_on(use.node, residual)]
        places = [residual.module] if residual.module else places
        return any(kind(place, stacks) != place for place in places)

    others = [residual for residual in found.residuals if not is_stacked(residual)]
    found.residuals = [residual for residual in found.residuals if residual not in others]
    return list(
        dict.fromkeys(
            f"the output of {one.module or 'an operation'} is added to what it was computed from, "
            "outside of any stack of blocks that the depth makes longer: no table scales this sum"
            for one in others
        )
    )


def _branches(found: Trace) -> tuple[tuple[str, ...], list[str], list[str]]:
    """The modules at the ends of residual branches, faults, and doubts about them."""
    faults, doubts = [], []
    for residual in found.residuals:
        if not residual.module:
            last = max(
                (use for use in found.products if found.is_on(use.node, residual)),
                key=lambda use: use.node,
            )
            faults.append(
                f"the residual branch with {last.name} does not end with the first output of a "
                "module that is called for this alone, so that no table can scale it: end the "
                "branch in a module of its own, such as torch.nn.Identity()"
            )
        elif not residual.is_sure:
            doubts.append(
                f"the output of {residual.module} is added to that of another path with products "
                "of its own, as in a block that changes the width; it counts as the branch, since "
                "more products lead to it"
            )
    modules = dict.fromkeys(residual.module for residual in found.residuals if residual.module)
    return tuple(modules), list(dict.fromkeys(faults)), list(dict.fromkeys(doubts))


def _growing_products(narrow: Trace, wide: Trace) -> dict[str, tuple[int, int]]:
    """The modules with a product of two computed tensors that sums more terms in a wider network.

    The values are the numbers of terms at both widths.
    """
    pairs = zip(narrow.inner, wide.inner, strict=False)
    return {at: (few, more) for (at, few), (_, more) in pairs if more > few}


def _words_on_products(growing: Mapping[str, tuple[int, int]], widths: Sequence[int]) -> list[str]:
    """What to say of `_growing_products`."""
    by_size: dict[tuple[int, int], list[str]] = {}
    for place, sizes in growing.items():
        by_size.setdefault(sizes, []).append(place)
    return [
        f"products of computed tensors in {places[0]}{' and others' if len(places) > 1 else ''} "
        f"sum {few} terms at the width {widths[0]} and {more} at {widths[1]}, as attention does "
        "whose heads grow: no table scales their logits; let the number of heads grow instead, or "
        "divide them by the size of a head, d, and not by √d"
        for (few, more), places in by_size.items()
    ]


class _Network:
    """The parameters of a network, with the shapes at all widths and the uses in a pass."""

    def __init__(
        self,
        network: nn.Module,
        found: Trace,
        shapes: Sequence[Mapping[str, Shape]],
        widths: Sequence[int],
        stacks: Sequence[str],
    ) -> None:
        self.network, self.found, self.shapes, self.widths = network, found, shapes, widths
        self.stacks = stacks
        self.uses: dict[str, list[Use]] = {}
        for use in found.uses:
            if found.counts(use):
                self.uses.setdefault(use.name, []).append(use)

    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Each parameter with its first name."""
        return self.network.named_parameters()

    def readouts(self, tied: Iterable[str]) -> tuple[str, ...]:
        """The modules that read out with tied embeddings; empty for one with other products."""
        uses = [use for name in tied for use in self.uses.get(name, []) if use.kind is Kind.PRODUCT]
        return tuple(dict.fromkeys(use.module if self._is_alone(use) else "" for use in uses))

    def _is_alone(self, use: Use) -> bool:
        """Whether a use is the only product in its module and below."""
        inside = f"{use.module}."
        others = (o for o in self.found.products if o != use)
        return use.module != "" and not any(
            other.module == use.module or other.module.startswith(inside) for other in others
        )

    def inferred(self, name: str, parameter: nn.Parameter) -> Inferred:
        """What is found about a parameter."""
        shape = tuple(parameter.shape)
        about = Inferred(name, shape, None, is_trained=parameter.requires_grad)
        uses = self.uses.get(name, [])
        try:
            growing = self._growing(name, shape)
        except RoleError as error:
            return replace(about, doubt=f"{error}; {advice(about)}")
        about = replace(about, growing=growing, in_branch=any(map(self._in_branch, uses)))
        if not uses:
            text = "the output does not depend on it"
            if about.is_trained:
                return replace(about, doubt=f"{text}: freeze it, or {advice(about)}")
            return replace(about, role=Role.VECTOR, reason=f"{text}; frozen")
        matrices = [use for use in uses if use.kind in (Kind.PRODUCT, Kind.LOOKUP)]
        found = self._matrix(about, matrices) if matrices else self._vector(about, uses)
        if not about.is_trained:
            found = replace(found, role=found.role or Role.VECTOR, doubt="")
            return replace(found, reason="; ".join(filter(None, (found.reason, "frozen"))))
        return found

    def _in_branch(self, use: Use) -> bool:
        """Whether a use lies on a residual branch.

        What a branch reads from elsewhere, such as the encoder of a decoder, is no part of it,
        unless it stands in the same block.
        """
        own = block(use.name, self.stacks)
        return any(
            self.found.is_on(use.node, residual)
            and (
                not residual.is_sure
                or self.found.follows(use.node, residual)
                or (own and own == block(residual.module, self.stacks))
            )
            for residual in self.found.residuals
        )

    def _growing(self, name: str, shape: Shape) -> tuple[int, ...]:
        """The dimensions of a parameter that grow.

        Raises:
            RoleError: the parameter is not there at all widths, or a dimension grows otherwise.
        """
        at_widths = [shapes.get(name, ()) for shapes in self.shapes]
        if any(len(found) != len(shape) for found in at_widths):
            raise RoleError("it is not there at all widths")
        return tuple(
            dimension
            for dimension, sizes in enumerate(zip(*at_widths, strict=True))
            if grows(dimension, self.widths, sizes)
        )

    def _matrix(self, about: Inferred, uses: Sequence[Use]) -> Inferred:
        """A parameter that products or look-ups use."""
        roles = [self._role_of_use(about, use) for use in uses]
        inputs = {use.inputs for use in uses if use.kind is Kind.PRODUCT}
        own = dict.fromkeys(role for role, _ in roles)
        first = roles[0]
        tied = next((found for found in roles if found[0] is Role.INPUT), first)
        others = tuple(role for role in own if role is not tied[0])
        found = replace(
            about,
            role=tied[0],
            inputs=() if uses[0].kind is Kind.LOOKUP else uses[0].inputs,
            shared=others,
            reason=tied[1],
        )
        if any(use.kind is Kind.PRODUCT and not use.inputs for use in uses):
            text = "which of its dimensions are inputs cannot be told"
            return replace(found, role=None, doubt=f"{text}; {advice(about)}")
        if others and {tied[0], *others} != {Role.INPUT, Role.OUTPUT}:
            listed = ", ".join(role.value for role in own)
            text = f"it is used in several roles ({listed}), which one table row cannot scale"
            return replace(found, doubt=f"{text}: {advice(about)}")
        if len(inputs) > 1:
            text = "its inputs differ between its uses"
            return replace(found, doubt=f"{text}: {advice(about)}")
        if _has_copies(about, uses):
            return self._expert(found, uses)
        return found

    def _expert(self, found: Inferred, uses: Sequence[Use]) -> Inferred:
        """A parameter that holds several matrices, one for each expert of a router."""
        count = found.shape[0]
        routers = [
            name
            for name, others in self.uses.items()
            if any(use.kind is Kind.PRODUCT and self.found.decides(use) for use in others)
            and count in dict(self.shapes[0])[name]
        ]
        both = {0 in found.inputs, 0 in found.growing} == {False} and len(found.growing) > 1
        if not routers or not both:
            text = "it holds several matrices, and is not known to be of experts whose sizes grow"
            return replace(found, role=None, doubt=f"{text}: {advice(found)}")
        before_another = any(
            self.found.precedes(use.node, other.node)
            for use in uses
            for name, others in self.uses.items()
            if name != found.name and len(self.shapes[0][name]) > 2
            for other in others
            if self._of_one_branch(use, other)
        )
        role = Role.EXPERT_UP if before_another else Role.EXPERT_DOWN
        reason = f"one matrix for each of {count} experts; {found.reason}"
        return replace(found, role=role, reason=reason)

    def _of_one_branch(self, first: Use, second: Use) -> bool:
        """Whether no residual sum lies between two uses."""
        return not any(
            self.found.precedes(first.node, residual.node)
            and self.found.precedes(residual.node, second.node)
            for residual in self.found.residuals
        )

    def _role_of_use(self, about: Inferred, use: Use) -> tuple[Role, str]:
        """The role that a product or look-up gives a parameter, and why."""
        if use.kind is Kind.LOOKUP:
            return Role.INPUT, "rows are looked up"
        fan_in = bool(set(use.inputs) & set(about.growing))
        fan_out = bool(set(about.growing) - set(use.inputs))
        first, last = self.found.is_first(use), self.found.is_last(use)
        growth = {
            (True, True): "fan_in and fan_out grow",
            (True, False): "fan_in grows",
            (False, True): "fan_out grows",
            (False, False): "neither fan_in nor fan_out grows",
        }[fan_in, fan_out]
        if self.found.decides(use) and not fan_out:
            return Role.ROUTER, f"an operation chooses among its outputs; {growth}"
        if last and not fan_out:
            return Role.OUTPUT, f"the last product; {growth}"
        if first and not fan_in:
            return Role.INPUT, f"the first product; {growth}"
        return Role.HIDDEN, growth

    def _vector(self, about: Inferred, uses: Sequence[Use]) -> Inferred:
        """A parameter that is added or multiplied, or of a normalisation."""
        entries = [d for d, size in enumerate(about.shape) if size > 1]
        kinds = ", ".join(dict.fromkeys(use.kind.value for use in uses))
        if len(set(about.growing)) > 1 or any(use.kind is Kind.OTHER for use in uses):
            text = f"an operation uses it that is neither product nor normalisation ({kinds})"
            return replace(about, doubt=f"{text}: {advice(about)}")
        grown = "its entries grow" if about.growing else "its entries do not grow"
        reason = f"{kinds}; {grown}"
        if self._is_of_readout(uses) and not about.growing:
            return replace(
                about, role=Role.READOUT_BIAS, reason=f"{reason}; after the last product"
            )
        rows = all(use.kind in (Kind.SHIFT, Kind.TOKEN) for use in uses)
        if rows and about.growing and (len(entries) > 1 or kinds == Kind.TOKEN.value):
            return replace(about, role=Role.INPUT, reason=f"{reason}; rows, as of an embedding")
        if not about.growing:
            return replace(about, role=Role.QK_GAIN, reason=reason)
        if self._is_before_readout(uses) and not about.in_branch:
            text = f"{reason}; before the readout alone"
            return replace(about, role=Role.FINAL_VECTOR, reason=text)
        return replace(about, role=Role.VECTOR, reason=reason)

    def _is_of_readout(self, uses: Sequence[Use]) -> bool:
        """Whether a vector is used after, or in, the last product."""
        last = [use for use in self.found.products if self.found.is_last(use)]
        return all(
            any(
                use.node == product.node or self.found.precedes(product.node, use.node)
                for product in last
            )
            for use in uses
        )

    def _is_before_readout(self, uses: Sequence[Use]) -> bool:
        """Whether a vector is of the normalisation in front of the last product."""
        norms = all(use.kind in (Kind.NORM, Kind.SCALE) for use in uses)
        if not norms or any(map(self.found.is_before_sum, uses)):
            return False
        after = [
            product
            for product in self.found.products
            for use in uses
            if self.found.precedes(use.node, product.node)
        ]
        return bool(after) and all(map(self.found.is_last, after))


def _has_copies(about: Inferred, uses: Sequence[Use]) -> bool:
    """Whether a parameter has dimensions beside its inputs and one of outputs."""
    wide = [dimension for dimension, size in enumerate(about.shape) if size > 1]
    products = [use for use in uses if use.kind is Kind.PRODUCT]
    return any(len(set(wide) - set(use.inputs)) > 1 for use in products)
