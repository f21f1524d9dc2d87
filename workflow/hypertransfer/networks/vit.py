"""The vision transformer of the Super Consistency paper (Noci et al. 2402.17457).

Dimensions in names: B batch, C channels, H height, W width of the image, T patches, P values of a
patch, N width of the network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hypertransfer.networks.attention import SelfAttention
from hypertransfer.networks.layers import Branch, Embedding, LayerNorm, Linear
from hypertransfer.parameterisation.algebra import Role


class VisionTransformer(nn.Module):
    """Patch embedding, class token, learned positions, pre-norm blocks, readout of the class token.

    `depth` is the number of residual branches, as in the authors' code: attention and feed-forward
    layers count separately, so that it is even. Feed-forward layers have `mlp_ratio` times the
    width of the network; in the authors' code they are 128 wide at every width, which agrees at
    their width of 64 with `mlp_ratio=2`. Patches are squares with sides of `patch` pixels.
    """

    def __init__(
        self,
        *,
        width: int,
        depth: int,
        input_shape: tuple[int, int, int],
        classes: int,
        patch: int,
        heads: int,
        mlp_ratio: int,
        strength: float,
    ) -> None:
        super().__init__()
        channels, side = input_shape[0], input_shape[1]
        self.patch = patch
        self.input = Linear(channels * patch**2, width, role=Role.INPUT)
        self.token = Embedding(1, width)
        self.positions = Embedding((side // patch) ** 2 + 1, width)

        def attention() -> Branch:
            layer = SelfAttention(width=width, heads=heads, project=False)
            return Branch(LayerNorm(width), layer, strength=strength)

        def feed_forward() -> Branch:
            inner = mlp_ratio * width
            layers = [
                Linear(width, inner, role=Role.HIDDEN, bias=True),
                nn.GELU(),
                Linear(inner, width, role=Role.HIDDEN, bias=True),
            ]
            return Branch(LayerNorm(width), *layers, strength=strength)

        self.blocks = nn.Sequential(
            *(make() for _ in range(depth // 2) for make in (attention, feed_forward))
        )
        self.norm = LayerNorm(width, role=Role.FINAL_VECTOR)
        self.readout = Linear(width, classes, role=Role.OUTPUT)

    def patches(self, x_BCHW: Tensor) -> Tensor:
        """The patches of each image, row by row: shape (B, T, P) with P = C·patch²."""
        x = x_BCHW.unfold(2, self.patch, self.patch).unfold(3, self.patch, self.patch)
        return x.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Logits of shape (B, classes)."""
        h_BTN = self.input(self.patches(x_BCHW))
        token_B1N = self.token.scaled_weight().expand(len(h_BTN), 1, -1)
        h_BTN = torch.cat([token_B1N, h_BTN], 1) + self.positions.scaled_weight()
        return self.readout(self.norm(self.blocks(h_BTN)[:, 0]))
