"""A residual network of one's own, for `model: {name: "my_models:Net", inner_ratio: 2}`."""

from math import prod

from torch import Tensor, nn
from torch.nn import functional as F

from hypertransfer.networks.layers import Branch, LayerNorm, Linear, flatten
from hypertransfer.parameterisation.algebra import Role


class Net(nn.Module):
    """Input layer, `depth` residual blocks with an inner layer, a norm, and a readout.

    The workflow calls the class with `width`, `depth`, `input_shape` and `classes`; the other
    keyword arguments are options that a config gives beside the name.
    """

    def __init__(
        self,
        *,
        width: int,
        depth: int,
        input_shape: tuple[int, ...],
        classes: int,
        inner_ratio: int = 2,
    ) -> None:
        super().__init__()
        inner = inner_ratio * width

        def block() -> Branch:  # the table scales the branch with depth
            return Branch(
                LayerNorm(width),
                Linear(width, inner, role=Role.HIDDEN, bias=True),
                nn.GELU(),
                Linear(inner, width, role=Role.HIDDEN, bias=True),
            )

        self.input = Linear(prod(input_shape), width, role=Role.INPUT)
        self.blocks = nn.Sequential(*(block() for _ in range(depth)))
        self.norm = LayerNorm(width, role=Role.FINAL_VECTOR)
        self.readout = Linear(width, classes, role=Role.OUTPUT)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Logits of shape (B, classes)."""
        h_BN = self.blocks(F.relu(self.input(flatten(x_BCHW))))
        return self.readout(self.norm(h_BN))
