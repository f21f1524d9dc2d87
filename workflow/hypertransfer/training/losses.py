"""Loss functions that a run can name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional as F


def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """Mean over samples, and over the places of a text: (B, …, classes) and (B, …) to a number."""
    return F.cross_entropy(output.flatten(0, -2), target.flatten())


def mse(output: Tensor, target: Tensor) -> Tensor:
    """Mean over samples and classes of (output − target)²; a class is its one-hot vector."""
    if target.is_floating_point():
        return F.mse_loss(output.squeeze(1), target)
    return F.mse_loss(output, F.one_hot(target, output.shape[-1]).to(output.dtype))


LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": cross_entropy,
    "mse": mse,
}
