"""Loss functions that a spec can name.

Dimensions: B batch, C classes, T tokens of a text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional as F

Loss = Callable[[Tensor, Tensor], Tensor]  # from outputs and targets to the mean over the batch


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


def check_output(
    name: str, output: object, target: Tensor, classes: int, *, of_library: bool = True
) -> None:
    """Check that outputs have the shape of the targets, and then one entry for each class.

    The losses above would flatten or broadcast some other outputs.

    Args:
        name: the network, for the error.
        output: what the network returns for a batch.
        target: the targets of the batch.
        classes: the number of classes, or of tokens in the vocabulary; 1 for numbers.
        of_library: whether the loss is the library's; a loss of the user may take other shapes.

    Raises:
        ValueError: the outputs have another shape, or are no tensor of real numbers.
    """
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


def of_library(loss: Loss) -> bool:
    """Whether a loss is one of the library's, whose outputs have one entry for each class."""
    return loss in LOSSES.values()


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
    ours = of_library(function)
    check_output(name, output, target, classes, of_library=ours)
    if ours:
        return function(output, target)
    loss = _of_user(function, output, target)
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
        name = getattr(function, "__name__", function)
        raise ValueError(
            f"the loss {name} fails on outputs of shape {tuple(output.shape)}, which is a tensor, "
            f"and targets of shape {tuple(target.shape)}: {error!r}"
        ) from error


def check_loss(function: Loss, loss: object) -> None:
    """Check that what a loss of the user returns can be minimised.

    Raises:
        ValueError: it is no number of a graph.
    """
    if not isinstance(loss, Tensor):
        found = f"a {type(loss).__name__}"
    elif loss.numel() != 1 or not loss.is_floating_point():
        found = f"a tensor of shape {tuple(loss.shape)} and dtype {loss.dtype}"
    elif not loss.requires_grad:
        found = "a number that does not depend on the parameters"
    else:
        return
    name = getattr(function, "__name__", function)
    raise ValueError(
        f"the loss {name} returns {found}: it must return the mean over the batch, a tensor with "
        "one float"
    )


LOSSES: Mapping[str, Loss] = {
    "cross_entropy": cross_entropy,
    "mse": mse,
}
