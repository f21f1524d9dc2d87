"""The two convolutional networks of the Super Consistency paper (Noci et al. 2402.17457).

Dimensions in names: B batch, C channels, H height, W width of the image, N width of the network.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from hypertransfer.networks.layers import RELU_GAIN, Branch, Conv2d, Linear, flatten
from hypertransfer.parameterisation.algebra import Role


def conv_side(side: int, stride: int) -> int:
    """The side of a square image after a 3×3 convolution with padding 1."""
    return (side - 1) // stride + 1


class ConvNet(nn.Module):
    """Two strided 3×3 convolutions, each with 2×2 max-pooling and ReLU, and a linear readout.

    The network of the paper's Figure 1, as in the authors' re-run: without biases and norms; the
    second convolution has stride 4. `depth` is not used.
    """

    def __init__(
        self, *, width: int, depth: int, input_shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__()
        channels, side = input_shape[0], input_shape[1]
        self.input = Conv2d(channels, width, stride=2, role=Role.INPUT)
        self.hidden = Conv2d(width, width, stride=4, role=Role.HIDDEN)
        side = conv_side(conv_side(side, 2) // 2, 4) // 2
        self.readout = Linear(width * side * side, classes, role=Role.OUTPUT)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Logits of shape (B, classes)."""
        # ReLU and max-pooling commute; ReLU after pooling computes a quarter of the values
        h_BNHW = F.relu(F.max_pool2d(self.input(x_BCHW), 2))
        h_BNHW = F.relu(F.max_pool2d(self.hidden(h_BNHW), 2))
        return self.readout(flatten(h_BNHW))


class ResidualConvNet(nn.Module):
    """Input convolution, three stages of residual blocks, and a linear readout.

    `depth` is the number of residual blocks, a multiple of three. The branch of a block consists of
    `layers_per_block` times [ReLU, 3×3 convolution], and has the factor `strength`. After each
    stage max-pooling halves the side of the image. Between stages there is a convolution without
    skip connection. `skip=False` is the paper's control without skip connections.
    """

    STAGES = 3

    def __init__(
        self,
        *,
        width: int,
        depth: int,
        input_shape: tuple[int, int, int],
        classes: int,
        layers_per_block: int,
        skip: bool,
        strength: float,
    ) -> None:
        super().__init__()
        channels, side = input_shape[0], conv_side(input_shape[1], 2)

        def block() -> Branch:
            layers: list[nn.Module] = []
            for _ in range(layers_per_block):
                layers += [nn.ReLU(), Conv2d(width, width, role=Role.HIDDEN, gain=RELU_GAIN)]
            return Branch(*layers, skip=skip, strength=strength)

        self.input = Conv2d(channels, width, stride=2, role=Role.INPUT)
        self.stages = nn.ModuleList(
            nn.Sequential(*(block() for _ in range(depth // self.STAGES)))
            for _ in range(self.STAGES)
        )
        self.between = nn.ModuleList(
            Conv2d(width, width, role=Role.HIDDEN) for _ in range(self.STAGES - 1)
        )
        side = side // 2**self.STAGES
        self.readout = Linear(width * side * side, classes, role=Role.OUTPUT)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Logits of shape (B, classes)."""
        h_BNHW = self.input(x_BCHW)
        for index, stage in enumerate(self.stages):
            h_BNHW = F.max_pool2d(stage(h_BNHW), 2)
            if index < len(self.between):
                h_BNHW = self.between[index](h_BNHW)
        return self.readout(flatten(h_BNHW))
