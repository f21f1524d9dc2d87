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


LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": cross_entropy,
    "mse": mse,
}
