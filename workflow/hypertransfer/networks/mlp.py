"""Fully connected networks: a residual MLP, and a two-layer linear network.

Dimensions in names: B batch, C channels, H height, W width of the image, N width of the network.
"""

from __future__ import annotations

from math import prod

from torch import Tensor, nn
from torch.nn import functional as F

from hypertransfer.networks.layers import RELU_GAIN, Branch, Linear, flatten
from hypertransfer.parameterisation.algebra import Role


class ResidualMLP(nn.Module):
    """Input layer, `depth` residual blocks, ReLU, and a linear readout.

    The branch of a block consists of `layers_per_block` times [ReLU, linear layer], and has the
    factor `strength`. `skip=False` leaves out the skip connections.
    """

    def __init__(
        self,
        *,
        width: int,
        depth: int,
        input_shape: tuple[int, ...],
        classes: int,
        layers_per_block: int,
        bias: bool,
        skip: bool,
        strength: float,
    ) -> None:
        super().__init__()

        def block() -> Branch:
            layers: list[nn.Module] = []
            for _ in range(layers_per_block):
                hidden = Linear(width, width, role=Role.HIDDEN, bias=bias, gain=RELU_GAIN)
                layers += [nn.ReLU(), hidden]
            return Branch(*layers, skip=skip, strength=strength)

        self.input = Linear(prod(input_shape), width, role=Role.INPUT, bias=bias)
        self.blocks = nn.Sequential(*(block() for _ in range(depth)))
        self.readout = Linear(width, classes, role=Role.OUTPUT, bias=bias)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Logits of shape (B, classes)."""
        h_BN = self.blocks(self.input(flatten(x_BCHW)))
        return self.readout(F.relu(h_BN))


class LinearNet(nn.Module):
    """f(x) = a·W x with W of shape (N, inputs) and a of shape (classes, N).

    `probes.tasks.linear_theory` describes its exact training dynamics. `depth` is not used.
    """

    def __init__(
        self, *, width: int, depth: int, input_shape: tuple[int, ...], classes: int
    ) -> None:
        super().__init__()
        self.input = Linear(prod(input_shape), width, role=Role.INPUT)
        self.readout = Linear(width, classes, role=Role.OUTPUT)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Outputs of shape (B, classes)."""
        return self.readout(self.input(flatten(x_BCHW)))
