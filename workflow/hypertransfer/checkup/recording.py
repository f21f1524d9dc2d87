"""What each module of a network receives and returns, and the logits of attention, in one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

MASKED = -1e4  # logits below count as masked
SOFTMAX = (torch.softmax, Tensor.softmax, F.softmax)


@dataclass(frozen=True)
class Call:
    """The first call of a module in a pass: arguments, keyword arguments, and the output."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    output: Tensor

    @property
    def input(self) -> Tensor | None:
        """The first tensor of floating-point numbers among the arguments."""
        return first_tensor((self.args, dict(self.kwargs)))


@dataclass
class Pass:
    """What was recorded of one pass.

    Attributes:
        calls: the first call of each module whose output has a tensor, by path, in the order in
            which they end.
        logits: the logits of attention, by the path of the module and the number of the operation.
    """

    calls: dict[str, Call] = field(default_factory=dict)
    logits: dict[str, Tensor] = field(default_factory=dict)


def first_tensor(values: Any) -> Tensor | None:
    """The first tensor of floating-point numbers in nested values; `logits` before others."""
    named = getattr(values, "logits", None)
    for leaf in tree_leaves(named if isinstance(named, Tensor) else values):
        if isinstance(leaf, Tensor) and leaf.is_floating_point():
            return leaf
    return None


def record(network: nn.Module, forward: Callable[[], Any]) -> Pass:
    """Run a forward pass, and record it.

    Dropout is off. Batch norm normalises by the batch, as in training; buffers are as before
    afterwards, and so are modes.

    Args:
        network: the network.
        forward: runs the pass, such as the loss of a batch.
    """
    found = Pass()
    stack: list[_Entry] = []
    handles = []
    for path, module in network.named_modules():
        # In front of hooks that change the inputs, which run again when a call is repeated.
        entered = module.register_forward_pre_hook(
            _entered(stack, path), prepend=True, with_kwargs=True
        )
        handles += [entered, module.register_forward_hook(_left(found, stack), always_call=True)]
    try:
        with torch.no_grad(), measuring(network), _Logits(found, stack):
            forward()
    finally:
        for handle in handles:
            handle.remove()
    return found


class _Entry(NamedTuple):
    """The call of a module that has not ended: its path, and copies of its arguments."""

    path: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def _entered(stack: list[_Entry], path: str) -> Callable[..., None]:
    def enter(module: nn.Module, args: Any, kwargs: Any) -> None:
        stack.append(_Entry(path, *tree_map(_copied, (args, kwargs))))

    return enter


def _left(found: Pass, stack: list[_Entry]) -> Callable[..., None]:
    def leave(module: nn.Module, args: Any, output: Any) -> None:
        entry, tensor = stack.pop(), first_tensor(output)
        if entry.path not in found.calls and tensor is not None:
            found.calls[entry.path] = Call(entry.args, entry.kwargs, tensor.detach().clone())

    return leave


def _copied(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value


@contextmanager
def measuring(network: nn.Module) -> Iterator[None]:
    """Within the context dropout is off, and batch norm normalises by the batch."""
    modes = {module: module.training for module in network.modules()}
    kept = {name: buffer.detach().clone() for name, buffer in network.named_buffers()}
    network.eval()
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.train(modes[module])
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        with torch.no_grad():
            for name, buffer in network.named_buffers():
                if name in kept:
                    buffer.copy_(kept[name])


class _Logits(TorchFunctionMode):
    """Records what attention gives to its softmax."""

    def __init__(self, found: Pass, stack: list[_Entry]) -> None:
        super().__init__()
        self.found, self.stack = found, stack
        self.count: Counter[str] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            self._keep(_product(*args, **kwargs))
        elif func in SOFTMAX:
            logits = args[0] if args else kwargs.get("input")
            if isinstance(logits, Tensor) and logits.dim() > 2:
                self._keep(logits)
        return func(*args, **kwargs)

    def _keep(self, logits: Tensor) -> None:
        path = self.stack[-1].path if self.stack else ""
        self.count[path] += 1
        number = f" {self.count[path]}" if self.count[path] > 1 else ""
        self.found.logits[f"{path}{number}"] = logits.detach().clone()


def _product(
    query: Tensor, key: Tensor, *args: Any, scale: float | None = None, **kwargs: Any
) -> Tensor:
    """The logits of `scaled_dot_product_attention`, without a mask."""
    groups = query.shape[-3] // key.shape[-3] if query.dim() > 2 else 1
    key = key.repeat_interleave(groups, dim=-3) if groups > 1 else key
    factor = query.shape[-1] ** -0.5 if scale is None else scale
    return query @ key.transpose(-1, -2) * factor


def root_mean_square(values: Tensor, *, masked: bool = False) -> float:
    """The root of the mean square of all entries.

    Of logits (`masked`), masked and infinite entries are left out. Otherwise the result is not
    finite if an entry is not.
    """
    numbers = values.detach().double()
    if masked:
        numbers = numbers[torch.isfinite(numbers) & (numbers > MASKED)]
    return float(numbers.square().mean().sqrt()) if numbers.numel() else 0.0
