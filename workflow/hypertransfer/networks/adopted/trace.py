"""How a network of another author uses its parameters, seen in one forward pass.

Shapes alone do not say what a parameter does: a matrix from the width to a fixed size is the
readout, or the keys of a few heads, and the weight of a layer may stand as (out, in) or (in, out).
A forward pass does. Its operations are recorded with the tensors that they read and write:

* a parameter that is the operand of a product is a matrix, whose summed dimensions are its inputs;
* rows that are looked up are an embedding;
* parameters of a normalisation, and those that are added or multiplied, are vectors;
* an addition of a tensor to another that was computed from it is the end of a residual branch.

Networks are passed through once, in evaluation mode, without gradients. Fused operations are off,
so that the products in recurrent layers and in blocks of attention are seen.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from hypertransfer.networks.adopted.operations import (
    ENTRYWISE,
    MATRICES,
    inner_terms,
    kind_of,
    own_dimensions,
)
from hypertransfer.networks.adopted.outputs import predictions
from hypertransfer.networks.adopted.traced import Residual, Trace, Use
from hypertransfer.networks.tagged import RoleError

# The passes whose sums over steps end no residual branch. A subclass may add branches in its own.
RECURRENT = frozenset(
    layer.forward for layer in (nn.LSTM, nn.GRU, nn.RNN, nn.LSTMCell, nn.GRUCell, nn.RNNCell)
)


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
    for leaf in tree_leaves((args, kwargs)):
        if isinstance(leaf, Tensor):
            recorder.add_input(leaf)
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad(), recorder.modules(network):
            network.eval()
            with _unfused(), recorder:
                output = network(*args, **kwargs)
    except Exception as error:
        raise RoleError(
            f"the forward pass of {type(network).__name__} fails on the example inputs: {error!r}; "
            "give inputs that its training step passes, by --inputs or `Recipe(inputs=…)`"
        ) from error
    finally:
        for module, mode in modes.items():
            module.training = mode
        for name, buffer in network.named_buffers():
            if name in kept:
                buffer.copy_(kept[name])
    return recorder.result(predictions(output, network))


@contextlib.contextmanager
def _unfused() -> Iterator[None]:
    """Within the context no operation is a whole block of attention, or a recurrent layer."""
    attention, layers = torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled
    torch.backends.mha.set_fastpath_enabled(False)
    torch.backends.mkldnn.enabled = False
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(attention)
        torch.backends.mkldnn.enabled = layers


class _Weight(NamedTuple):
    """A tensor that is computed from parameters and constants alone.

    Attributes:
        tensor: the tensor.
        names: the names of the parameters.
        dimensions: the dimension of each parameter that each dimension of the tensor is; None if it
            is not known.
    """

    tensor: Tensor
    names: tuple[str, ...]
    dimensions: tuple[int | None, ...]

    def of(self, view: Tensor) -> tuple[int | None, ...]:
        """The dimensions of the parameters that the dimensions of a view of the tensor are."""
        own = own_dimensions(self.tensor, view)
        return tuple(None if one is None else self.dimensions[one] for one in own)


class _Recorder(TorchDispatchMode):
    """Records the operations of a forward pass.

    Tensors that share memory count as one: views are not operations of their own.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.found = Trace()
        # The parameters that a tensor holds, by its memory: a parameter itself, or what is
        # computed from parameters alone, such as several matrices beside each other.
        self._weights = {
            _memory(parameter): _Weight(parameter, (name,), tuple(range(parameter.dim())))
            for name, parameter in network.named_parameters()
        }
        self._nodes: dict[int, int] = {}  # the last operation that wrote to a memory
        self._kept: list[Tensor] = []  # so that no memory is used for another tensor
        self._path: list[str] = []
        self._recurrent = {
            path for path, module in network.named_modules() if type(module).forward in RECURRENT
        }
        self._outputs: dict[int, str] = {}  # the innermost module that returned an operation
        self._chains: dict[int, list[int]] = {}  # the streams that a residual sum has passed
        self._products: set[int] = set()  # the products and look-ups of parameters
        self._sums: list[tuple[int, int, int, tuple[int, ...], bool]] = []  # see `Residual`

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
            self.found.calls[path] += 1

        return enter

    def _left(self, module: nn.Module, inputs: Any, output: Any) -> None:
        path = self._path.pop()
        first = output[0] if isinstance(output, tuple) and output else output
        if isinstance(first, Tensor) and (node := self._node(first)) >= 0:
            self._outputs.setdefault(node, path)

    def add_input(self, tensor: Tensor) -> None:
        """Count a tensor of the example inputs as computed."""
        self._nodes[_memory(tensor)] = len(self.found.ancestors)
        self.found.ancestors.append(0)
        self._kept.append(tensor)

    def result(self, output: Tensor) -> Trace:
        """The trace of a pass that returned `output`."""
        self.found.output = self._node(output)
        ends = Counter(self._outputs.get(end, "") for _, end, *_ in self._sums)
        only_ends = {path for path, count in ends.items() if self.found.calls[path] == count}
        residuals = [
            Residual(node, end, stream, begins, is_sure, path if path in only_ends else "")
            for node, end, stream, begins, is_sure in self._sums
            for path in [self._outputs.get(end, "")]
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
        if len(written) != 1 or not self._derived(name.rstrip("_"), operands, written[0]):
            self._record(name.rstrip("_"), args, operands, before, written)
        return result

    def _derived(self, name: str, operands: Sequence[Tensor], result: Tensor) -> bool:
        """Note a tensor that is computed entry by entry from parameters and constants alone."""
        weights = [t for t in operands if _memory(t) in self._weights]
        if name not in ENTRYWISE or not weights or any(self._node(t) >= 0 for t in operands):
            return False
        names = [one for t in weights for one in self._weights[_memory(t)].names]
        maps = {
            self._weights[_memory(t)].of(t)
            for t in weights
            if t.dim() == result.dim() and (name == "cat" or t.shape == result.shape)
        }
        dimensions = maps.pop() if len(maps) == 1 else (None,) * result.dim()
        self._weights[_memory(result)] = _Weight(result, tuple(dict.fromkeys(names)), dimensions)
        return True

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
        path = self._path[-1] if self._path else ""
        if (terms := inner_terms(name, operands)) and min(before) >= 0:
            self.found.inner.append((path, terms))
        if name in ("topk", "argmax", "sort"):
            self.found.choices.append(node)
        is_sum = name == "add" and len(operands) == 2 and min(before) >= 0
        if is_sum and path not in self._recurrent:
            self._residual(node, *before)
        for tensor in written:
            self._nodes[_memory(tensor)] = node

    def _use(self, name: str, args: tuple, operand: Tensor, position: int, node: int) -> None:
        weight = self._weights[_memory(operand)]
        kind, summed = kind_of(name, args, operand, position)
        own = [weight.of(operand)[dimension] for dimension in summed]
        known = [one for one in own if one is not None]
        wide = [dimension for dimension in summed if operand.size(dimension) > 1]
        inputs = tuple(sorted(known)) if len(known) >= len(wide) else ()
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
                self._sums.append((node, end, stream, tuple(chain), True))
                self._chains[node] = chain
                return
        counts = {side: before[side].bit_count() for side in (left, right)}
        if before[left] & before[right] and counts[left] != counts[right]:
            stream, end = sorted((left, right), key=counts.__getitem__)
            self._sums.append((node, end, stream, (), False))
            self._chains[node] = [stream]

    def _products_before(self, node: int) -> int:
        """The products and look-ups up to an operation, as bits."""
        bits = self.found.ancestors[node] | 1 << node
        return sum(1 << found for found in self._products if bits >> found & 1)


def _memory(tensor: Tensor) -> int:
    """The identity of a tensor's memory, which its views share."""
    return tensor.untyped_storage()._cdata
