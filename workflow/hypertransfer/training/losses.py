"""Loss functions that a spec can name, and training steps in their place.

Dimensions: B batch, C classes, T tokens of a text.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from hypertransfer.training import randomness

Loss = Callable[[Tensor, Tensor], Tensor]  # from outputs and targets to the mean over the batch


@dataclass(frozen=True)
class TrainingStep:
    """A function of the user that computes the loss of a batch from the network itself.

    It takes the place of a loss: `outputs` calls it where the network would be called, and what it
    returns, the mean loss of the batch, is output and loss at once.

    Attributes:
        function: `function(model, (x, y))`, with the inputs and targets of the batch.
    """

    function: Callable[[nn.Module, tuple[Tensor, Tensor]], Tensor]

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """The mean loss of the batch, which `outputs` has computed.

        Raises:
            ValueError: `output` is no loss, but what a network returns.
        """
        if output.dim():
            raise ValueError(
                f"{name_of(self)} computes the loss from the network itself, and not from outputs "
                f"of shape {tuple(output.shape)}: a probe calls view.mean_loss"
            )
        return output

    def of_batch(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """The mean loss of a batch.

        The step gets copies, since it may change what it is given. In evaluation mode its random
        draws are the same in each call, so that losses can be compared.

        Raises:
            ValueError: the step changes the mode of a module.
        """
        before = [module.training for module in model.modules()]
        fixed = nullcontext() if model.training else randomness.seeded("training step")
        with fixed:
            loss = self.function(model, (x.clone(), y.clone()))
        if [module.training for module in model.modules()] != before:
            raise ValueError(
                f"{name_of(self)} calls train() or eval() of the network: leave its mode to the "
                "workflow, which evaluates in evaluation mode"
            )
        return loss


def of_user(function: Callable) -> Loss:
    """A loss of the user; a training step if its first parameter is called `model`."""
    called = function.forward if isinstance(function, nn.Module) else function
    try:
        parameters = list(inspect.signature(called).parameters)
    except (TypeError, ValueError):  # a function without a signature that Python can read
        return function
    return TrainingStep(function) if parameters[:1] == ["model"] else function


def name_of(function: Loss) -> str:
    """A loss or a training step, for an error."""
    kind, named = "loss", function
    if isinstance(function, TrainingStep):
        kind, named = "training step", function.function
    return f"the {kind} {getattr(named, '__name__', named)}"


def check_of_outputs(function: Loss, part: str) -> None:
    """Check that a loss is one of outputs and targets, with which a part of a run computes.

    Raises:
        ValueError: it is a training step.
    """
    if isinstance(function, TrainingStep):
        raise ValueError(
            f"{part} computes with the loss of outputs and targets, and cannot be used with "
            f"{name_of(function)}"
        )


def outputs(function: Loss, model: nn.Module, x: Tensor, y: Tensor) -> Any:
    """What the loss of a batch is computed from: the network's outputs, or a training step's loss.

    Args:
        function: the loss, or the training step.
        model: the network.
        x, y: the inputs and targets of the batch.
    """
    return function.of_batch(model, x, y) if isinstance(function, TrainingStep) else model(x)


def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy of logits (B, C) and classes (B,), or of (B, T, C) and (B, T)."""
    return F.cross_entropy(output.flatten(0, -2), target.flatten())


def mse(output: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of outputs (B, C) and classes (B,), or of (B, 1) and numbers (B,).

    Classes are one-hot encoded. The mean is over samples and outputs.

    Raises:
        ValueError: the shapes of outputs and numbers do not fit.
    """
    if target.is_floating_point():
        prediction = output.squeeze(1)
        if prediction.shape != target.shape:  # torch would broadcast them
            raise ValueError(
                f"mse: outputs {tuple(output.shape)} do not fit targets {tuple(target.shape)}; "
                "a network for numbers returns (B, 1), and targets are (B,)"
            )
        return F.mse_loss(prediction, target)
    return F.mse_loss(output, F.one_hot(target, output.shape[-1]).to(output.dtype))


def check_output(name: str, function: Loss, output: object, target: Tensor, classes: int) -> None:
    """Check that outputs have the shape of the targets, and then one entry for each class.

    The losses above would flatten or broadcast some other outputs.

    Args:
        name: the network, for the error.
        function: the loss; one of the user may take other shapes.
        output: what the network returns for a batch.
        target: the targets of the batch.
        classes: the number of classes, or of tokens in the vocabulary; 1 for numbers.

    Raises:
        ValueError: the outputs have another shape, or are no tensor of real numbers.
    """
    if isinstance(function, TrainingStep):  # the output is the loss, which `check_loss` checks
        return
    of_library = function in LOSSES.values()
    expected = (*target.shape, classes)
    if not isinstance(output, Tensor):
        found = f"a {type(output).__name__}"
    elif not output.is_floating_point():
        found = f"outputs of dtype {output.dtype}"
    elif of_library and output.shape != expected:
        found = f"outputs of shape {tuple(output.shape)}"
    else:
        return
    shape = f" of shape {expected}" if of_library else ""
    raise ValueError(
        f"the network {name} returns {found}; for targets of shape {tuple(target.shape)} and "
        f"classes {classes} it must return a tensor of floats{shape}"
    )


def first(name: str, function: Loss, output: object, target: Tensor, classes: int) -> Tensor:
    """The loss of a first batch, whose outputs are checked, and so is a loss of the user.

    Args:
        name: the network, for the error.
        function: the loss.
        output: what the network returns for the batch.
        target: the targets of the batch.
        classes: the number of classes, or of tokens in the vocabulary; 1 for numbers.

    Raises:
        ValueError: outputs or loss cannot be used, or the loss of the user fails.
    """
    check_output(name, function, output, target, classes)
    if function in LOSSES.values():
        return function(output, target)
    is_step = isinstance(function, TrainingStep)
    loss = output if is_step else _of_user(function, output, target)
    check_loss(function, loss)
    return loss


def _of_user(function: Loss, output: Tensor, target: Tensor) -> Tensor:
    """The loss that a function of the user returns.

    Raises:
        ValueError: the function fails, with the shapes that it was given.
    """
    try:
        return function(output, target)
    except Exception as error:
        raise ValueError(
            f"{name_of(function)} fails on outputs of shape {tuple(output.shape)}, which is a "
            f"tensor, and targets of shape {tuple(target.shape)}: {error!r}; a function is called "
            "with the network and a batch if its first argument is called model"
        ) from error


def check_loss(function: Loss, loss: object, *, trained: bool = True) -> None:
    """Check that what a loss of the user returns can be minimised.

    Args:
        function: the loss.
        loss: what it returned for a batch.
        trained: whether gradients were recorded.

    Raises:
        ValueError: it is no number, or no number of a graph.
    """
    if not isinstance(loss, Tensor):
        found = f"a {type(loss).__name__}"
    elif loss.dim() or not loss.is_floating_point():
        found = f"a tensor of shape {tuple(loss.shape)} and dtype {loss.dtype}"
    elif trained and not loss.requires_grad:
        found = "a number that does not depend on the parameters"
    else:
        return
    raise ValueError(
        f"{name_of(function)} returns {found}: it must return the mean over the batch, a tensor "
        "with one float"
    )


LOSSES: Mapping[str, Loss] = {
    "cross_entropy": cross_entropy,
    "mse": mse,
}
