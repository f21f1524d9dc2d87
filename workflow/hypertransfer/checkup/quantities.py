"""The sizes of what each module does, at the start and after some steps of training.

Beside the change of a module's output, to which all modules before it contribute, the *update* of
a module is measured by itself: how its output changes on the input that it had at the start, if its
own parameters alone are those after training. A fault of one module therefore shows in that module.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from hypertransfer.checkup import between
from hypertransfer.checkup.recording import (
    Call,
    Pass,
    first_tensor,
    measuring,
    record,
    root_mean_square,
)


class DivergedError(ValueError):
    """A loss is not finite."""


Loss = Callable[[nn.Module, Any], Tensor]  # of a network on a batch
# What is rounding: the gradient of a bias in front of a norm is 0 up to it.
OF_MATRICES = 1e-4  # of a gradient of vectors, over that of the matrices of their module
OF_OUTPUT = 1e-7  # of the change by the vectors of a module without matrices, over its output


class Measured(NamedTuple):
    """A quantity of a module, or of the attention in it.

    Attributes:
        module: the path of the module.
        quantity: `gain`, `update`, `bias update`, `change`, `logits`, `logit change`, `branch`,
            `decay`, `factor` or `factor to norm`.
        step: the number of updates before it was measured.
        behind: of a factor: the path of the module that it reaches; empty for the output of the
            network.
    """

    module: str
    quantity: str
    step: int
    behind: str = ""


@dataclass(frozen=True)
class Setup:
    """A network that is ready for training, and its optimizer."""

    network: nn.Module
    optimizer: torch.optim.Optimizer


def measure(
    setup: Setup,
    loss: Loss,
    batches: Sequence[Any],
    steps: Collection[int],
    branches: Collection[str] = (),
) -> dict[Measured, float]:
    """The quantities of all modules with parameters of their own, and of attention.

    * `gain`: root mean square of the output over that of the input, at the start;
    * `update`: root mean square of the change of the output by the module's own matrices, over
      that of the input, or by its vectors, over that of the output, for modules with vectors alone,
      such as norms. An input of whole numbers, such as tokens, counts as 1;
    * `bias update`: root mean square of the change of the output by the vectors of a module that
      has matrices, too. A bias moves as far at all widths, and would hide matrices that do not.
      It is left out where the gradient of the vectors is rounding, as in front of a norm: what
      moves them then is rounding or weight decay, which takes less of smaller initial values;
    * `change`: root mean square of the change of the output;
    * `logits`, `logit change`: those of attention;
    * `branch`: root mean square of the output of the end of a residual branch, at the start;
    * `factor`, `factor to norm`: see `between`;
    * `decay`: share of the weight, or of the vector of a module without one, that one step of
      weight decay takes.

    Args:
        setup: the network and its optimizer; both are trained.
        loss: the loss of the network on a batch.
        batches: one batch for each step; all that is measured is measured on the first.
        steps: the numbers of updates after which is measured.
        branches: the paths of the modules that end residual branches.

    Raises:
        DivergedError: the loss is not finite.
    """
    network, first = setup.network, batches[0]
    start = {name: p.detach().clone() for name, p in network.named_parameters()}
    before = record(network, lambda: loss(network, first))
    found = dict(_at_start(network, before, branches))
    found |= dict(_decay(network, setup.optimizer))
    if steps:
        found |= dict(_factors(network, lambda: loss(network, first), before))
    for step, batch in enumerate(batches, 1):
        setup.optimizer.zero_grad()
        value = loss(network, batch)
        if not torch.isfinite(value):
            when = f"after {step - 1} updates" if step > 1 else "before any update"
            raise DivergedError(f"the loss is {value.item():g} {when}")
        value.backward()
        setup.optimizer.step()
        if step in steps:
            after = record(network, lambda: loss(network, first))
            found |= dict(_changes(before, after, step))
            found |= dict(_updates(network, start, before, step))
    return found


def _with_parameters(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules that have trained parameters of their own."""
    for path, module in network.named_modules():
        if any(p.requires_grad for p in module.parameters(recurse=False)):
            yield path, module


def _at_start(
    network: nn.Module, before: Pass, branches: Collection[str]
) -> Iterator[tuple[Measured, float]]:
    for path, _ in _with_parameters(network):
        if call := before.calls.get(path):
            size = _size(call)
            gain = root_mean_square(call.output) / size if size else math.nan
            yield Measured(path, "gain", 0), gain
    for path in branches:
        if call := before.calls.get(path):
            yield Measured(path, "branch", 0), root_mean_square(call.output)
    for path, logits in before.logits.items():
        yield Measured(path, "logits", 0), root_mean_square(logits, masked=True)


def _factors(
    network: nn.Module, forward: Callable[[], Any], before: Pass
) -> Iterator[tuple[Measured, float]]:
    found = between.factors(network, forward, between.ends(network, before.calls))
    for edge, value in found.items():
        quantity = "factor to norm" if edge.to_norm else "factor"
        yield Measured(edge.before, quantity, 0, edge.behind), value


def _size(call: Call) -> float:
    """The root mean square of the input of a call."""
    return 1.0 if call.input is None else root_mean_square(call.input)


def _changes(before: Pass, after: Pass, step: int) -> Iterator[tuple[Measured, float]]:
    for path, call in before.calls.items():
        if path in after.calls and after.calls[path].output.shape == call.output.shape:
            change = after.calls[path].output - call.output
            yield Measured(path, "change", step), root_mean_square(change)
    for path, logits in before.logits.items():
        if path in after.logits and after.logits[path].shape == logits.shape:
            change = after.logits[path] - logits
            yield Measured(path, "logit change", step), root_mean_square(change, masked=True)


def _updates(
    network: nn.Module, start: Mapping[str, Tensor], before: Pass, step: int
) -> Iterator[tuple[Measured, float]]:
    begun = {id(p): start[name] for name, p in network.named_parameters()}
    with torch.no_grad(), measuring(network):
        for path, module in _with_parameters(network):
            if (call := before.calls.get(path)) is None:
                continue
            own = dict(module.named_parameters(recurse=False))
            vectors = {name for name, p in own.items() if p.dim() < 2}
            alone = len(vectors) == len(own)
            size = root_mean_square(call.output) if alone else _size(call)
            change = _change(module, begun, call, own.keys() - vectors or vectors)
            if change > (OF_OUTPUT * size if alone else 0):
                yield Measured(path, "update", step), change / size if size else math.nan
            if alone or not _learn(own, vectors, size):
                continue
            if change := _change(module, begun, call, vectors):
                yield Measured(path, "bias update", step), change


def _learn(own: Mapping[str, nn.Parameter], vectors: Collection[str], size: float) -> bool:
    """Whether vectors have a gradient, beside that of the matrices of their module.

    Args:
        own: the module's own parameters, with the gradients of the last step.
        vectors: the names of the vectors among them.
        size: that of the module's input, with which gradients of matrices grow.
    """
    of_vectors, of_matrices = (
        max((root_mean_square(p.grad) for p in parts if p.grad is not None), default=0.0)
        for parts in (
            [own[name] for name in vectors],
            [p for name, p in own.items() if name not in vectors],
        )
    )
    return of_vectors * size > OF_MATRICES * of_matrices


def _change(
    module: nn.Module, begun: Mapping[int, Tensor], call: Call, moved: Collection[str]
) -> float:
    """The root mean square of the change of the output by some of the module's own parameters.

    The input, all other parameters and those of modules inside are the ones at the start, which
    `begun` has by the identity of the parameter. 0 if none has moved, or the output has another
    shape.
    """
    now = dict(module.named_parameters(recurse=False))
    values = {name: begun[id(p)] for name, p in module.named_parameters()}
    values |= {name: now[name] for name in moved}
    output = first_tensor(functional_call(module, values, call.args, dict(call.kwargs)))
    if output is None or output.shape != call.output.shape:
        return 0.0
    return root_mean_square(output - call.output)


def _decay(
    network: nn.Module, optimizer: torch.optim.Optimizer
) -> Iterator[tuple[Measured, float]]:
    """The learning rate times the weight decay, where the decay is decoupled from the gradient."""
    if isinstance(optimizer, torch.optim.Adam | torch.optim.SGD) and not isinstance(
        optimizer, torch.optim.AdamW
    ):
        return
    rates = {
        id(p): group["lr"] * group.get("weight_decay", 0.0)
        for group in optimizer.param_groups
        for p in group["params"]
    }
    for path, module in _with_parameters(network):
        own = [p for p in module.parameters(recurse=False) if id(p) in rates]
        matrices = [p for p in own if p.dim() > 1] or own
        share = max((rates[id(p)] for p in matrices), default=0.0)
        if share > 0:
            yield Measured(path, "decay", 0), share
