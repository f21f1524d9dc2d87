"""Loss functions that a spec can name.

Dimensions: B batch, C classes, T tokens of a text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional as F


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


def check_output(name: str, output: object, target: Tensor, classes: int) -> None:
    """Check that outputs have the shape of the targets, and then one entry for each class.

    The losses above would flatten or broadcast some other outputs.

    Args:
        name: the network, for the error.
        output: what the network returns for a batch.
        target: the targets of the batch.
        classes: the number of classes, or of tokens in the vocabulary; 1 for numbers.

    Raises:
        ValueError: the outputs have another shape, or are no tensor of real numbers.
    """
    expected = (*target.shape, classes)
    if not isinstance(output, Tensor):
        found = f"a {type(output).__name__}"
    elif not output.is_floating_point():
        found = f"outputs of dtype {output.dtype}"
    elif output.shape != expected:
        found = f"outputs of shape {tuple(output.shape)}"
    else:
        return
    raise ValueError(
        f"the network {name} returns {found}; for targets of shape {tuple(target.shape)} and "
        f"classes {classes} it must return a tensor of floats of shape {expected}"
    )


LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": cross_entropy,
    "mse": mse,
}
