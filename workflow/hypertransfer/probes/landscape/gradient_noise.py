"""The gradient-noise probe: the noise of minibatch gradients over the gradient itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hypertransfer.probes.checkpoint import View


class Probe:
    """The gradient noise scale, in samples: trΣ/|G|², with the gradient G of the mean loss.

    Σ is the covariance of the gradients of single samples. A batch of as many samples has a
    gradient whose noise is as large as G (McCandlish et al. 1812.06162, the simple noise scale).
    `noise_to_signal` is the noise scale over the run's batch size: above 1, noise dominates the
    gradient of a batch, and below 1, signal does.

    `samples` random training samples are split into `batches` groups of b samples, whose gradients
    are g_k. With their mean ḡ and v = Σ|g_k − ḡ|²/(batches − 1), the estimates without bias are
    trΣ = b·v and |G|² = |ḡ|² − v/batches. Both numbers are null where that of |G|² is not positive:
    more samples are needed. Samples are drawn anew at each checkpoint. `error` is the relative
    standard error of the noise scale, by the jackknife over groups.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.samples, self.batches = settings["samples"], settings["batches"]
        self.generator = torch.Generator().manual_seed(seed)

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        size = self.samples // self.batches
        rows = torch.randperm(len(view.train_y), generator=self.generator)[: size * self.batches]
        groups = rows.to(view.train_y.device).split(size)
        gradients = torch.stack([_gradient(view, group) for group in groups])
        scale = noise_scale(gradients, size)
        return {
            "noise_scale": scale,
            "noise_to_signal": None if scale is None else scale / view.batch_size,
            "error": _relative_error(gradients, size, scale),
            "converged": scale is not None,
            "products": 0,
        }


def _gradient(view: View, rows: Tensor) -> Tensor:
    """The gradient of the mean loss over samples of the training set, in 64 bits."""
    loss = view.mean_loss(view.train_x[rows], view.train_y[rows])
    parts = torch.autograd.grad(
        loss, list(view.parameters.values()), allow_unused=True, materialize_grads=True
    )
    return torch.cat([part.reshape(-1) for part in parts]).double()


def noise_scale(gradients: Tensor, size: int) -> float | None:
    """trΣ/|G|² from the gradients (batch, dimension) of batches of `size` samples.

    None if the estimate of |G|² is not positive.
    """
    number = len(gradients)
    mean = gradients.mean(dim=0)
    variance = float((gradients - mean).square().sum()) / (number - 1)
    signal = float(mean.square().sum()) - variance / number
    return size * variance / signal if signal > 0 else None


def _relative_error(gradients: Tensor, size: int, scale: float | None) -> float:
    """The jackknife's relative standard error.

    NaN where `noise_scale` has no value for all groups, or for all groups but one.
    """
    number = len(gradients)
    rest = [
        noise_scale(torch.cat([gradients[:k], gradients[k + 1 :]]), size) for k in range(number)
    ]
    if scale is None or any(value is None for value in rest):
        return math.nan
    mean = math.fsum(rest) / number
    squares = math.fsum((value - mean) ** 2 for value in rest)
    return math.sqrt((number - 1) / number * squares) / scale if scale else 0.0
