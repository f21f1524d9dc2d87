"""What a probe is shown at a checkpoint: the network at its weights, samples, learning rates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hypertransfer.curvature.operators import HessianOperator, Landscape

CHUNK = 1024  # samples whose graph is held at once


@dataclass(frozen=True)
class View:
    """A run at one checkpoint.

    `loss(output, target)` is a mean over samples. `x` and `y` are the fixed samples of the
    probe, the first of the training set `train_x`, `train_y`. `scales` is each trained
    parameter's learning rate over the global one, `lr`: the diagonal of S. `preconditioner`
    holds Adam's √v̂ + ε of each trained parameter (none at step 0, or with another optimizer).
    """

    network: nn.Module
    loss: Callable[[Tensor, Tensor], Tensor]
    x: Tensor
    y: Tensor
    train_x: Tensor
    train_y: Tensor
    lr: float
    scales: Mapping[str, float]
    batch_size: int
    step: int
    initial: Mapping[str, Tensor]
    preconditioner: Mapping[str, Tensor]
    betas: tuple[float, ...] = (0.9, 0.999)

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """The trained parameters by name."""
        return {n: p for n, p in self.network.named_parameters() if p.requires_grad}

    @property
    def factors(self) -> list[float]:
        """S, a number for each trained parameter."""
        return [self.scales[name] for name in self.parameters]

    def landscape(self, x: Tensor | None = None, y: Tensor | None = None) -> Landscape:
        """The mean loss over the probe's samples, or over others."""
        x, y = (self.x, self.y) if x is None or y is None else (x, y)
        return Landscape(
            outputs=lambda rows: self.network(x[rows]),
            loss=lambda output, rows: self.loss(output, y[rows]),
            parameters=list(self.parameters.values()),
            samples=len(y),
            chunk_size=CHUNK,
        )

    def hessian(self) -> HessianOperator:
        """S^½ H S^½ on the probe's samples."""
        return HessianOperator(self.landscape(), self.factors)

    @contextmanager
    def at_start(self) -> Iterator[None]:
        """The network with its initial weights, for a while."""
        now = {name: p.detach().clone() for name, p in self.network.state_dict().items()}
        put(self.network, self.initial)
        try:
            yield
        finally:
            put(self.network, now)


@torch.no_grad()
def put(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give the network weights by name, all of them."""
    for name, tensor in network.state_dict().items():
        tensor.copy_(weights[name])
