"""What lies between modules: by how much a change of the output of one reaches the input of others.

A factor on what a module returns may be in none of the modules that have parameters, such as the
√width by which some networks multiply an embedding. It changes neither the output of a module over
its input nor the update of a module. Here each module returns what it returns anyway, but cut off
from its input, so that the derivative of the input of another module has what lies between alone:
activations, sums, attention, and factors. In a network that scales they do the same at all widths.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from hypertransfer.checkup.recording import first_tensor, measuring, root_mean_square

# A norm returns nearly the same for twice its input; its eps allows this relative difference.
OF_NORMS = 0.1
# Norms, which have parameters or not.
NORMS = (
    nn.LayerNorm,
    nn.RMSNorm,
    nn.GroupNorm,
    nn.modules.batchnorm._NormBase,
)


class Edge(NamedTuple):
    """What lies between the output of a module and the input of another one.

    Attributes:
        before: the path of the module in front.
        behind: the path of the module behind; empty for the output of the network.
        to_norm: whether the one behind is a norm, which undoes a factor on its whole input.
    """

    before: str
    behind: str
    to_norm: bool


def ends(network: nn.Module, called: Collection[str]) -> list[str]:
    """The paths of the called modules that have parameters or are norms, and none of these inside.

    Args:
        network: the network.
        called: the paths of the modules that a pass calls.
    """
    own = [p for p, module in network.named_modules() if p in called and _is_end(module)]
    return [p for p in own if p and not any(other.startswith(f"{p}.") for other in own)]


def factors(
    network: nn.Module, forward: Callable[[], Any], modules: Collection[str]
) -> dict[Edge, float]:
    """By how much random changes of the outputs of modules grow up to the inputs of others.

    The root mean square of the change of an input, over that of the change of an output whose
    entries change independently; the largest of several inputs and calls. It is a Frobenius norm,
    which one random vector of signs estimates, without error for what works by entries. Inputs that
    are computed with matrices outside of these modules are left out, and all inputs are where no
    derivatives can be taken, as through checkpoints that are re-entrant.

    Args:
        network: the network.
        forward: runs a pass, such as the loss of a batch.
        modules: the paths of the modules (`ends`).
    """
    found = _Derivatives([p for p in network.parameters() if p.dim() > 1 and p.requires_grad])
    handles = [network.register_forward_hook(found.output)]
    for path in modules:
        module = network.get_submodule(path)
        enter, leave = found.around(path)
        handles.append(module.register_forward_pre_hook(enter, prepend=True, with_kwargs=True))
        handles.append(module.register_forward_hook(leave, with_kwargs=True))
    largest: dict[Edge, float] = {}
    try:
        with torch.enable_grad(), measuring(network):
            forward()
            found.is_over = True  # checkpoints call modules again
            for edge, value in found.edges():
                if value > 0:
                    largest[edge] = max(value, largest.get(edge, 0.0))
    finally:
        for handle in handles:
            handle.remove()
    return largest


def _is_end(module: nn.Module) -> bool:
    return isinstance(module, NORMS) or next(module.parameters(recurse=False), None) is not None


@torch.no_grad()
def _is_norm(module: nn.Module, args: Any, kwargs: Any) -> bool:
    """Whether a module has vectors alone, and returns the same for twice its inputs."""
    if any(p.dim() > 1 for p in module.parameters(recurse=False)):
        return False
    # Copies, since the module may change its inputs in place.
    same = tree_map(lambda x: x.clone() if _is_numbers(x) else x, (args, kwargs))
    twice = tree_map(lambda x: 2 * x if _is_numbers(x) else x, (args, kwargs))
    once, doubled = (
        first_tensor(module.forward(*words, **named)) for words, named in (same, twice)
    )
    if once is None or doubled is None:
        return False
    return root_mean_square(doubled - once) < OF_NORMS * root_mean_square(once)


def _is_numbers(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


@dataclass
class _Derivatives:
    """The outputs of modules, as the leaves of a graph, and the inputs computed from them.

    Attributes:
        matrices: the matrices of the network; those of modules whose outputs are leaves are on no
            path.
        outputs: the paths of modules, with their outputs.
        inputs: the paths of modules, with their inputs; an empty path is the output of the network.
        norms: the paths of the modules that are norms.
        is_over: whether the pass is over, after which nothing is added.
    """

    matrices: list[nn.Parameter]
    outputs: list[tuple[str, Tensor]] = field(default_factory=list)
    inputs: list[tuple[str, Tensor]] = field(default_factory=list)
    norms: set[str] = field(default_factory=set)
    is_over: bool = False

    def around(self, path: str) -> tuple[Callable[..., None], Callable[..., Any]]:
        """The hooks of a module."""

        def enter(module: nn.Module, args: Any, kwargs: Any) -> None:
            if self.is_over:
                return
            tensors = (x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor))
            self.inputs += [(path, x.clone()) for x in tensors if x.requires_grad]

        def leave(module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
            if path not in self.norms and _is_norm(module, args, kwargs):
                self.norms.add(path)
            return tree_map(lambda value: self._leaf(path, value), output)

        return enter, leave

    def output(self, network: nn.Module, args: Any, output: Any) -> None:
        """The hook of the network."""
        tensor = first_tensor(output)
        if tensor is not None and tensor.requires_grad:
            self.inputs.append(("", tensor))

    def _leaf(self, path: str, value: Any) -> Any:
        if not _is_numbers(value):
            return value
        leaf = value.detach().requires_grad_()
        if not self.is_over:
            self.outputs.append((path, leaf))
        return leaf.clone()  # which, unlike a leaf, may be changed in place

    def edges(self) -> Iterator[tuple[Edge, float]]:
        """The factor of each input and output on which it depends."""
        generator = torch.Generator().manual_seed(0)
        leaves = [leaf for _, leaf in self.outputs]
        for behind, tensor in self.inputs if leaves else ():
            signs = torch.randint(0, 2, tensor.shape, generator=generator).to(tensor) * 2 - 1
            try:
                slopes = torch.autograd.grad(
                    tensor, [*leaves, *self.matrices], signs, retain_graph=True, allow_unused=True
                )
            except RuntimeError:  # a checkpoint of the kind that takes no such derivatives
                continue
            if any(slope is not None for slope in slopes[len(leaves) :]):
                continue
            for (before, _), slope in zip(self.outputs, slopes[: len(leaves)], strict=True):
                if slope is not None:
                    square = float(slope.double().square().sum()) / tensor.numel()
                    yield Edge(before, behind, behind in self.norms), square**0.5
