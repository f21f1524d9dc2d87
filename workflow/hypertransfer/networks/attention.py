"""Self-attention over all tokens, without a causal mask.

Dimensions in names: B batch, T tokens, N width, H heads, E head size.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from hypertransfer.networks.layers import Linear
from hypertransfer.parameterisation.algebra import Role


class SelfAttention(nn.Module):
    """Multi-head self-attention with logits qᵀk/E (µP's scale, Yang et al. 2203.03466).

    There are `heads` heads, of size E = width / heads. `project` adds an output projection.
    """

    def __init__(self, *, width: int, heads: int, project: bool = True) -> None:
        super().__init__()
        self.heads, self.scale = heads, heads / width
        self.qkv = Linear(width, 3 * width, role=Role.HIDDEN)
        self.out = Linear(width, width, role=Role.HIDDEN) if project else nn.Identity()

    def forward(self, x_BTN: Tensor) -> Tensor:
        """The output, of the shape of the input."""
        q_BHTE, k_BHTE, v_BHTE = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.qkv(x_BTN).chunk(3, dim=-1)
        )
        mixed_BHTE = F.scaled_dot_product_attention(q_BHTE, k_BHTE, v_BHTE, scale=self.scale)
        return self.out(mixed_BHTE.transpose(1, 2).flatten(2))
