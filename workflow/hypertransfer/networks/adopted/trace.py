"""How a network of another author uses its parameters, seen in one forward pass.

Shapes alone do not say what a parameter does: a matrix from the width to a fixed size is the
readout, or the keys of a few heads, and the weight of a layer may stand as (out, in) or (in, out).
A forward pass does. Its operations are recorded with the tensors that they read and write:

* a parameter that is the operand of a product is a matrix, whose summed dimensions are its inputs;
* rows that are looked up are an embedding;
* parameters of a normalisation, and those that are added or multiplied, are vectors;
* an addition of a tensor to another that was computed from it is the end of a residual branch.

Networks are passed through once, in evaluation mode, without gradients.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from hypertransfer.networks.adopted.operations import (
    MATRICES,
    Kind,
    inner_terms,
    kind_of,
    own_dimensions,
)
from hypertransfer.networks.tagged import RoleError


@dataclass(frozen=True)
class Use:
    """One use of a parameter.

    Attributes:
        name: the name of the parameter.
        kind: how it is used.
        inputs: the dimensions of the parameter over which the operation sums, ascending; none if
            they are not known, or if there are none.
        node: the number of the operation.
        module: the path of the innermost module whose forward pass used the parameter.
    """

    name: str
    kind: Kind
    inputs: tuple[int, ...]
    node: int
    module: str


@dataclass(frozen=True)
class Residual:
    """An addition that ends a residual branch.

    Attributes:
        node: the addition.
        end: the operation whose result is added to the stream.
        stream: the operation whose result the branch is added to.
        is_sure: whether the branch begins at the stream itself; otherwise both sides of the
            addition were computed, as where a projection takes the place of the identity.
        module: the path of the innermost module whose output `end` is; empty if there is none.
    """

    node: int
    end: int
    stream: int
    is_sure: bool
    module: str


@dataclass
class Trace:
    """The operations of a forward pass.

    Attributes:
        ancestors: for each operation the operations that it was computed from, as bits.
        uses: the uses of parameters, in order.
        residuals: the ends of residual branches, in order.
        choices: the operations that choose the largest of several numbers, as routers do.
        inner: for each product of two computed tensors, as of queries and keys, its module and the
            number of terms that each entry sums.
        output: the operation that made the network's output.
    """

    ancestors: list[int] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    residuals: list[Residual] = field(default_factory=list)
    choices: list[int] = field(default_factory=list)
    inner: list[tuple[str, int]] = field(default_factory=list)
    output: int = -1

    def precedes(self, first: int, second: int) -> bool:
        """Whether an operation was computed from another one."""
        return first >= 0 and second >= 0 and bool(self.ancestors[second] >> first & 1)

    @property
    def products(self) -> list[Use]:
        """The uses in products and look-ups that the output depends on."""
        return [use for use in self.uses if use.kind in MATRICES and self.counts(use)]

    def counts(self, use: Use) -> bool:
        """Whether the output depends on a use."""
        return use.node == self.output or self.precedes(use.node, self.output)

    def is_first(self, use: Use) -> bool:
        """Whether no product or look-up of a parameter comes before a use."""
        return not any(self.precedes(other.node, use.node) for other in self.products)

    def is_last(self, use: Use) -> bool:
        """Whether no product of a parameter lies between a use and the output."""
        others = (other for other in self.products if other.kind is Kind.PRODUCT)
        return not any(self.precedes(use.node, other.node) for other in others)

    def decides(self, use: Use) -> bool:
        """Whether the result of a product is that among which an operation chooses."""
        between = [
            choice
            for choice in self.choices
            if self.precedes(use.node, choice)
            and not any(
                self.precedes(use.node, other.node) and self.precedes(other.node, choice)
                for other in self.products
            )
        ]
        return bool(between)

    def is_before_sum(self, use: Use) -> bool:
        """Whether the result of a use goes into the end of a residual branch, or past one."""
        return any(self.precedes(use.node, residual.node) for residual in self.residuals)

    def in_branch(self, use: Use) -> bool:
        """Whether a use lies on a residual branch."""
        return any(self.is_on(use.node, residual) for residual in self.residuals)

    def is_on(self, node: int, residual: Residual) -> bool:
        """Whether an operation lies on a residual branch."""
        on_way = node == residual.end or self.precedes(node, residual.end)
        before = node == residual.stream or self.precedes(node, residual.stream)
        return on_way and not before


def trace(network: nn.Module, *args: Any, **kwargs: Any) -> Trace:
    """The operations of a forward pass of the network.

    The network keeps its mode, its buffers and the global random generators.

    Args:
        network: the network, on the CPU.
        args: the arguments of its forward pass; a few samples of the least size suffice.
        kwargs: the keyword arguments.

    Raises:
        RoleError: the forward pass fails, or returns no tensor of floating-point numbers.
    """
    recorder = _Recorder(network)
    modes = {module: module.training for module in network.modules()}
    kept = {name: buffer.detach().clone() for name, buffer in network.named_buffers()}
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad(), recorder.modules(network):
            network.eval()
            with recorder:
                output = network(*args, **kwargs)
    except Exception as error:
        raise RoleError(
            f"the forward pass of {type(network).__name__} fails on the example inputs: {error!r}; "
            "give inputs that its training step passes"
        ) from error
    finally:
        for module, mode in modes.items():
            module.training = mode
        for name, buffer in network.named_buffers():
            buffer.copy_(kept[name])
    return recorder.result(_main_output(output, network))


def _main_output(output: Any, network: nn.Module) -> Tensor:
    """The tensor of predictions in what a forward pass returns.

    Raises:
        RoleError: there is none.
    """
    if isinstance(output, Mapping):
        named = [output[key] for key in ("logits", "last_hidden_state") if key in output]
        output = named or list(output.values())
    named = getattr(output, "logits", None)
    leaves = tree_leaves(named if isinstance(named, Tensor) else output)
    for leaf in leaves:
        if isinstance(leaf, Tensor) and leaf.is_floating_point():
            return leaf
    raise RoleError(
        f"the forward pass of {type(network).__name__} returns no tensor of predictions, "
        f"but {type(output).__name__}: wrap it in a module whose forward pass returns one"
    )


class _Weight(NamedTuple):
    """A tensor that is computed from parameters alone, and the names of these."""

    tensor: Tensor
    names: tuple[str, ...]


class _Recorder(TorchDispatchMode):
    """Records the operations of a forward pass.

    Tensors that share memory count as one: views are not operations of their own.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.found = Trace()
        # The parameters that a tensor holds, by its memory: a parameter itself, or what is
        # computed from parameters alone, such as several matrices beside each other.
        self._weights = {_memory(p): _Weight(p, (name,)) for name, p in network.named_parameters()}
        self._nodes: dict[int, int] = {}  # the last operation that wrote to a memory
        self._kept: list[Tensor] = []  # so that no memory is used for another tensor
        self._path: list[str] = []
        self._outputs: dict[int, str] = {}  # the innermost module that returned an operation
        self._chains: dict[int, list[int]] = {}  # the streams that a residual sum has passed
        self._products: set[int] = set()  # the products and look-ups of parameters
        self._sums: list[tuple[int, int, int, bool]] = []  # of streams and ends of branches

    @contextlib.contextmanager
    def modules(self, network: nn.Module) -> Iterator[None]:
        """Notes within the context which module's forward pass runs."""
        handles = []
        for path, module in network.named_modules():
            handles.append(module.register_forward_pre_hook(self._entered(path)))
            handles.append(module.register_forward_hook(self._left, always_call=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _entered(self, path: str) -> Callable[[nn.Module, Any], None]:
        def enter(module: nn.Module, inputs: Any) -> None:
            self._path.append(path)

        return enter

    def _left(self, module: nn.Module, inputs: Any, output: Any) -> None:
        path = self._path.pop()
        for leaf in tree_leaves(output):
            if isinstance(leaf, Tensor) and (node := self._node(leaf)) >= 0:
                self._outputs.setdefault(node, path)

    def result(self, output: Tensor) -> Trace:
        """The trace of a pass that returned `output`."""
        self.found.output = self._node(output)
        residuals = [
            Residual(node, end, stream, is_sure, self._outputs.get(end, ""))
            for node, end, stream, is_sure in self._sums
        ]
        sure = [residual for residual in residuals if residual.is_sure]
        self.found.residuals = [
            residual
            for residual in residuals
            if residual.is_sure or not any(self.found.is_on(residual.node, one) for one in sure)
        ]
        return self.found

    def _node(self, tensor: Tensor) -> int:
        """The operation that made a tensor; -1 if none did."""
        return self._nodes.get(_memory(tensor), -1)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        operands = [t for t in tree_leaves((args, kwargs or {})) if isinstance(t, Tensor)]
        memories = {_memory(t) for t in operands}
        before = [self._node(t) for t in operands]
        result = func(*args, **(kwargs or {}))
        written = [t for t in tree_leaves(result) if isinstance(t, Tensor)]
        name = func._schema.name.partition("::")[2]
        in_place = name.endswith("_") and not name.startswith("_")
        if not in_place and all(_memory(t) in memories for t in written):
            return result  # views, and operations that return no tensor
        self._kept += [*operands, *written]
        if len(written) == 1 and operands and all(_memory(t) in self._weights for t in operands):
            names = [name for t in operands for name in self._weights[_memory(t)].names]
            self._weights[_memory(result)] = _Weight(result, tuple(dict.fromkeys(names)))
        else:
            self._record(name.rstrip("_"), args, operands, before, written)
        return result

    def _record(
        self,
        name: str,
        args: tuple,
        operands: Sequence[Tensor],
        before: Sequence[int],
        written: Sequence[Tensor],
    ) -> None:
        node = len(self.found.ancestors)
        parents = {parent for parent in before if parent >= 0}
        bits = 0
        for parent in parents:
            bits |= self.found.ancestors[parent] | 1 << parent
        self.found.ancestors.append(bits)
        for position, operand in enumerate(operands):
            if _memory(operand) in self._weights:
                self._use(name, args, operand, position, node)
        if (terms := inner_terms(name, operands)) and min(before) >= 0:
            self.found.inner.append((self._path[-1] if self._path else "", terms))
        if name in ("topk", "argmax", "sort"):
            self.found.choices.append(node)
        if name == "add" and len(operands) == 2 and min(before) >= 0:
            self._residual(node, *before)
        for tensor in written:
            self._nodes[_memory(tensor)] = node

    def _use(self, name: str, args: tuple, operand: Tensor, position: int, node: int) -> None:
        weight = self._weights[_memory(operand)]
        kind, summed = kind_of(name, args, operand, position)
        inputs = own_dimensions(weight.tensor, operand, summed) if summed else ()
        path = self._path[-1] if self._path else ""
        self.found.uses += [Use(own, kind, inputs, node, path) for own in weight.names]
        if kind in MATRICES:
            self._products.add(node)

    def _residual(self, node: int, left: int, right: int) -> None:
        """Note the addition of two computed tensors, if one continues a stream.

        A branch has a product of a parameter: activations can add their argument as well.
        """
        before = {end: self._products_before(end) for end in (left, right)}
        for stream, end in ((left, right), (right, left)):
            chain = [*self._chains.get(stream, []), stream]
            begins = any(self.found.precedes(earlier, end) for earlier in chain)
            if begins and before[end] & ~before[stream]:
                self._sums.append((node, end, stream, True))
                self._chains[node] = chain
                return
        if before[left] & before[right] and before[left] != before[right]:
            stream, end = sorted((left, right), key=lambda side: before[side].bit_count())
            self._sums.append((node, end, stream, False))
            self._chains[node] = [stream]

    def _products_before(self, node: int) -> int:
        """The products and look-ups up to an operation, as bits."""
        bits = self.found.ancestors[node] | 1 << node
        return sum(1 << found for found in self._products if bits >> found & 1)


def _memory(tensor: Tensor) -> int:
    """The identity of a tensor's memory, which its views share."""
    return tensor.untyped_storage()._cdata
