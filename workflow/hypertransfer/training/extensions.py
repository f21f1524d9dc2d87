"""Optional methods of networks and optimizers that the training loop calls.

A class offers an extension by defining the method of the extension's protocol. `Extensions.of` is
the only place that looks for these methods.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hypertransfer.runs.columns import STATISTICS
from hypertransfer.runs.numbers import is_number
from hypertransfer.training.optimizer_state import Structure, of_optimizer, to_optimizer
from hypertransfer.training.state import StateError, Tensors
from hypertransfer.training.state_kinds import parameters_of

LossFn = Callable[[Tensor, Tensor], Tensor]  # maps outputs and targets to the mean loss


@runtime_checkable
class WithPenalty(Protocol):
    """A network that adds a term to the training loss, such as a balance loss of routers."""

    def penalty(self) -> Tensor | float:
        """The term for the last forward pass. The recorded loss does not include the term."""


@runtime_checkable
class WithUpdateHook(Protocol):
    """A network that adjusts its own state after an update, such as a balancing bias of routers."""

    def after_update(self) -> None:
        """Called after each step of the optimizer."""


@runtime_checkable
class WithStatistics(Protocol):
    """A network that reports quantities of the last training step."""

    def statistics(self) -> dict[str, float]:
        """Values by column of `runs.columns.STATISTICS`."""


@runtime_checkable
class ObservingOptimizer(Protocol):
    """An optimizer that evaluates the loss itself, as Sophia does to estimate the curvature."""

    def observe(
        self, step: int, model: nn.Module, loss_fn: LossFn, x: Tensor, y: Tensor, seed: int
    ) -> None:
        """Called before the forward pass on the batch (x, y) of each step, from step 0.

        `seed` seeds the optimizer's random draws, and differs from step to step.
        """


@runtime_checkable
class ClippingOptimizer(Protocol):
    """An optimizer that clips the entries of its update."""

    def unclipped_share(self) -> float:
        """The share of entries of the last update that were not clipped."""


@runtime_checkable
class OptimizerWithModes(Protocol):
    """An optimizer that trains at other weights than it evaluates, such as a schedule-free one."""

    def eval(self) -> None:
        """Give the parameters the weights for evaluation."""

    def train(self) -> None:
        """Give the parameters the weights for training."""


@runtime_checkable
class ReevaluatingOptimizer(Protocol):
    """An optimizer whose `step` takes a closure, which computes loss and gradients anew.

    The closure returns what the gradients are of: the loss with the penalty of the network.
    """

    needs_closure: bool


@dataclass(frozen=True)
class Extensions:
    """The extensions of one network and one optimizer; those not offered do nothing."""

    penalty: Callable[[], Tensor | float]
    after_update: Callable[[], None]
    statistics: Callable[[], dict[str, float]]
    observe: Callable[[int, nn.Module, LossFn, Tensor, Tensor, int], None] | None
    unclipped_share: Callable[[], float]
    zero_grad: Callable[[], None]
    train: Callable[[], None]
    evaluated_weights: Callable[[], AbstractContextManager[None]]
    needs_closure: bool

    @classmethod
    def of(cls, model: nn.Module, optimizer: Optimizer) -> Extensions:
        """Collect the extensions that the network and the optimizer offer.

        Raises:
            TypeError: an extension, or the step of the optimizer, cannot be called as it will be,
                or the state of an optimizer with modes cannot be kept.
        """
        _check_network(model)
        _check_optimizer(optimizer)
        return cls(
            penalty=partial(_penalty, model) if isinstance(model, WithPenalty) else lambda: 0.0,
            after_update=model.after_update if isinstance(model, WithUpdateHook) else lambda: None,
            statistics=partial(_statistics, model) if isinstance(model, WithStatistics) else dict,
            observe=optimizer.observe if isinstance(optimizer, ObservingOptimizer) else None,
            unclipped_share=(
                optimizer.unclipped_share
                if isinstance(optimizer, ClippingOptimizer)
                else lambda: math.nan
            ),
            zero_grad=(
                partial(optimizer.zero_grad, set_to_none=True)
                if _takes(optimizer.zero_grad, set_to_none=True)
                else optimizer.zero_grad
            ),
            train=optimizer.train if isinstance(optimizer, OptimizerWithModes) else lambda: None,
            evaluated_weights=(
                partial(_evaluated_weights, optimizer)
                if isinstance(optimizer, OptimizerWithModes)
                else nullcontext
            ),
            needs_closure=isinstance(optimizer, ReevaluatingOptimizer) and optimizer.needs_closure,
        )


def _takes(function: Callable, *arguments: object, **named: object) -> bool:
    """Whether a function can be called with these arguments; true if that cannot be known."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a callable of C code has no signature
        return True
    try:
        signature.bind(*arguments, **named)
    except TypeError:
        return False
    return True


def _check_network(model: nn.Module) -> None:
    for name in ("penalty", "after_update", "statistics"):
        if hasattr(model, name):
            _check_method(model, name)


def _check_method(owner: object, name: str, *arguments: str) -> None:
    """Check that an attribute is a method that the training loop can call.

    Args:
        owner: a network or an optimizer.
        name: of the attribute.
        arguments: what the loop passes, by position; the names stand in the error.

    Raises:
        TypeError: the attribute is no method, or takes other arguments.
    """
    found = getattr(owner, name)
    is_method = callable(found) and not isinstance(found, nn.Module)
    if is_method and _takes(found, *arguments):
        return
    fault = f"takes {inspect.signature(found)}" if is_method else f"is {found!r:.80}"
    raise TypeError(
        f"{type(owner).__name__}.{name} {fault}, but the training loop calls "
        f"{name}({', '.join(arguments)}): make it a method that can be called so, with defaults "
        "for further arguments, or rename the attribute"
    )


def _check_optimizer(optimizer: Optimizer) -> None:
    if isinstance(optimizer, OptimizerWithModes):
        _check_method(optimizer, "eval")
        _check_method(optimizer, "train")
        _state_for_evaluation(optimizer)
    if isinstance(optimizer, ClippingOptimizer):
        _check_method(optimizer, "unclipped_share")
    if isinstance(optimizer, ObservingOptimizer):
        _check_method(optimizer, "observe", "step", "model", "loss_fn", "x", "y", "seed")
    # The method of the class: schedulers of torch replace that of the object by a wrapper.
    takes_none = _takes(type(optimizer).step, optimizer)
    if not getattr(optimizer, "needs_closure", False) and not takes_none:
        raise TypeError(
            f"{type(optimizer).__name__}.step takes arguments, but the training loop calls step(): "
            "set needs_closure = True if it takes a closure that computes loss and gradients"
        )


def check_optimizer_groups(
    name: str, optimizer: object, network: nn.Module, groups: list[dict]
) -> None:
    """Check that an optimizer trains each parameter once, with the learning rate of its group.

    Args:
        name: of the optimizer in the config.
        optimizer: what it returned for the groups.
        network: has the parameters of the groups.
        groups: the groups as they were handed over.

    Raises:
        TypeError: it returned no optimizer.
        ValueError: a parameter is left out, stands in several groups, or has another rate.
    """
    if not isinstance(optimizer, Optimizer):
        found = type(optimizer).__name__
        raise TypeError(f"{name} returns a {found}, and not a torch.optim.Optimizer")
    rates: dict[int, list[float]] = {}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            rates.setdefault(id(parameter), []).append(float(group.get("lr", math.nan)))
    names = {id(parameter): key for key, parameter in network.named_parameters()}
    wanted = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    unlike = [key for key, lr in wanted.items() if rates.get(key) != [lr]]
    if unlike or set(rates) != set(wanted):
        first = next(iter([*unlike, *(set(rates) - set(wanted))]))
        rate = ", ".join(f"{lr:g}" for lr in rates.get(first, [])) or "none"
        handed_over = f"{wanted[first]:g}" if first in wanted else "none"
        raise ValueError(
            f"{name} does not train each parameter once with the learning rate of its group: "
            f"{names.get(first, 'one that is not in the groups')} has {rate}, and "
            f"{handed_over} was handed over; pass the groups on as they are"
        )


def _penalty(model: WithPenalty) -> Tensor | float:
    """The network's penalty.

    Raises:
        TypeError: it is not one number.
    """
    value = model.penalty()
    if (isinstance(value, Tensor) and value.numel() == 1) or is_number(value):
        return value
    found = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"{value!r:.80}"
    raise TypeError(
        f"{type(model).__name__}.penalty() returns {found}, but it must return one number, which "
        "is added to the loss"
    )


def _statistics(model: WithStatistics) -> dict[str, float]:
    """The network's statistics.

    Raises:
        ValueError: there is no column of such a name.
    """
    values = model.statistics()
    if unknown := sorted(set(values) - set(STATISTICS)):
        raise ValueError(
            f"{type(model).__name__}.statistics() returns {', '.join(unknown)}, but the history "
            f"has columns for {', '.join(STATISTICS)} only"
        )
    return values


def _state_for_evaluation(optimizer: OptimizerWithModes) -> tuple[Tensors, Structure]:
    """The state that the optimizer gets back after an evaluation.

    Raises:
        TypeError: the optimizer holds an object whose state cannot be kept.
    """
    try:
        return of_optimizer(optimizer)
    except StateError as error:
        raise TypeError(
            f"{error}: {type(optimizer).__name__} has eval() and train(), so that its state is "
            "kept at each evaluation and put back; keep a number, a list or a tensor instead"
        ) from error


@contextmanager
def _evaluated_weights(optimizer: OptimizerWithModes) -> Iterator[None]:
    """Within the context parameters have the weights for evaluation; afterwards all is as before.

    Optimizers compute one set of weights from the other, which rounds: `train` alone would not
    restore the weights, and evaluating more often would give another run.
    """
    parameters = parameters_of(optimizer)
    weights = [parameter.detach().clone() for parameter in parameters]
    tensors, structure = _state_for_evaluation(optimizer)
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    optimizer.eval()
    try:
        yield
    finally:
        to_optimizer(optimizer, tensors, structure)
        with torch.no_grad():
            for parameter, weight in zip(parameters, weights, strict=True):
                parameter.copy_(weight)
