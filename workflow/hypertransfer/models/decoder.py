"""Decoder-only transformers for text: GPT's and Llama's parts, each to be chosen."""

# B batch, T tokens, N width, H heads, E head size, V vocabulary

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hypertransfer.layers import Branch, Embedding, LayerNorm, Linear, RMSNorm, TiedLinear
from hypertransfer.scaling import Role

NORMS: Mapping[str, Callable[..., nn.Module]] = {"layer": LayerNorm, "rms": RMSNorm}
ROTARY_BASE = 10_000.0  # Su et al. 2104.09864


class CausalAttention(nn.Module):
    """Multi-head attention to earlier places; a head has the same size at every width.

    Logits are qᵀk/E or qᵀk/√E, as `logits` says; with heads of a fixed size the two differ by a
    constant. `qk_norm` puts an RMS norm on queries and keys, its gains shared by all heads.
    """

    def __init__(
        self, *, width: int, head_size: int, tokens: int, bias: bool, qk_norm: bool, rotary: bool,
        logits: str,
    ) -> None:  # fmt: skip
        super().__init__()
        self.head_size, self.scale = head_size, head_size ** {"1/E": -1.0, "1/√E": -0.5}[logits]
        for name in ("query", "key", "value", "out"):
            setattr(self, name, Linear(width, width, role=Role.HIDDEN, bias=bias))
        norm = partial(RMSNorm, head_size, role=Role.QK_GAIN) if qk_norm else nn.Identity
        self.query_norm, self.key_norm = norm(), norm()
        self.rotary = Rotary(tokens, head_size) if rotary else nn.Identity()

    def forward(self, x_BTN: Tensor) -> Tensor:
        """Same shape out as in."""
        layers = (self.query, self.key, self.value)  # one product of three is quicker than three
        weight = torch.cat([layer.scaled_weight() for layer in layers])
        bias = torch.cat([layer.bias for layer in layers]) if self.query.bias is not None else None
        q_BHTE, k_BHTE, v_BHTE = map(self._heads, F.linear(x_BTN, weight, bias).chunk(3, dim=-1))
        q_BHTE, k_BHTE = self.rotary(self.query_norm(q_BHTE)), self.rotary(self.key_norm(k_BHTE))
        mixed_BHTE = F.scaled_dot_product_attention(
            q_BHTE, k_BHTE, v_BHTE, is_causal=True, scale=self.scale
        )
        return self.out(mixed_BHTE.transpose(1, 2).flatten(2))

    def _heads(self, x_BTN: Tensor) -> Tensor:
        return x_BTN.unflatten(-1, (-1, self.head_size)).transpose(1, 2)


class Rotary(nn.Module):
    """Rotates pairs of a head's entries by angles that grow with the place; Su et al. 2104.09864.

    Entry i is paired with entry i + E/2, as in GPT-NeoX.
    """

    def __init__(self, tokens: int, head_size: int) -> None:
        super().__init__()
        frequencies = ROTARY_BASE ** (-torch.arange(0, head_size, 2) / head_size)
        angles = torch.outer(torch.arange(tokens), frequencies).repeat(1, 2)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, x_BHTE: Tensor) -> Tensor:
        """Same shape out as in."""
        tokens = x_BHTE.shape[-2]
        first, second = x_BHTE.chunk(2, dim=-1)
        turned = torch.cat([-second, first], dim=-1)
        return x_BHTE * self.cos[:tokens] + turned * self.sin[:tokens]


class FeedForward(nn.Module):
    """Up, an activation, down; with `swiglu` the activation is gated (Shazeer 2002.05202)."""

    def __init__(self, *, width: int, inner: int, activation: str, bias: bool) -> None:
        super().__init__()
        self.up = Linear(width, inner, role=Role.HIDDEN, bias=bias)
        gated = activation == "swiglu"
        self.gate = Linear(width, inner, role=Role.HIDDEN, bias=bias) if gated else None
        self.down = Linear(inner, width, role=Role.HIDDEN, bias=bias)
        self.activation = {"gelu": F.gelu, "relu2": _relu2, "swiglu": F.silu}[activation]

    def forward(self, x_BTN: Tensor) -> Tensor:
        """Same shape out as in."""
        if self.gate is None:
            return self.down(self.activation(self.up(x_BTN)))
        return self.down(self.activation(self.gate(x_BTN)) * self.up(x_BTN))


def _relu2(x: Tensor) -> Tensor:
    """So et al. 2109.08668."""
    return F.relu(x).square()


class Block(nn.Module):
    """Attention and feed-forward, each a pre-norm residual branch."""

    def __init__(self, norm: Callable[[], nn.Module], mixing: nn.Module, mlp: nn.Module) -> None:
        super().__init__()
        self.attention = Branch(OrderedDict(norm=norm(), mix=mixing))
        self.feed_forward = Branch(OrderedDict(norm=norm(), mlp=mlp))

    def forward(self, x_BTN: Tensor) -> Tensor:
        """Same shape out as in."""
        return self.feed_forward(self.attention(x_BTN))


class Decoder(nn.Module):
    """Tokens to logits of the next one; `depth` counts blocks, of two residual branches each.

    Embeddings are drawn with a standard deviation of `embedding_std`. They are `tied` to the
    readout on request only, as its learning rate and initial size scale otherwise in most tables.
    """

    def __init__(
        self,
        *,
        width: int,
        depth: int,
        input_shape: tuple[int],
        classes: int,
        head_size: int,
        norm: str,
        qk_norm: bool,
        activation: str,
        positions: str,
        logits: str,
        mlp_ratio: int,
        bias: bool,
        embedding_std: float,
        tied: bool,
    ) -> None:
        super().__init__()
        (tokens,) = input_shape
        self.embedding = Embedding(classes, width, gain=embedding_std)
        learned = positions == "learned"
        self.positions = Embedding(tokens, width, gain=embedding_std) if learned else None

        def mixing() -> nn.Module:
            return CausalAttention(
                width=width, head_size=head_size, tokens=tokens, bias=bias, qk_norm=qk_norm,
                rotary=positions == "rotary", logits=logits,
            )  # fmt: skip

        def mlp() -> nn.Module:
            inner = mlp_ratio * width
            return FeedForward(width=width, inner=inner, activation=activation, bias=bias)

        make_norm = partial(NORMS[norm], width)
        self.blocks = nn.Sequential(*(Block(make_norm, mixing(), mlp()) for _ in range(depth)))
        self.norm = NORMS[norm](width, role=Role.FINAL_VECTOR)
        untied = Linear(width, classes, role=Role.OUTPUT) if not tied else None
        self.readout = untied or TiedLinear(self.embedding)

    def forward(self, x_BT: Tensor) -> Tensor:
        """Logits, shape (B, T, V)."""
        x_BTN = self.embedding(x_BT)
        if self.positions is not None:
            x_BTN = x_BTN + self.positions.scaled_weight()[: x_BT.shape[1]]
        return self.readout(self.norm(self.blocks(x_BTN)))


def gpt(**options: Any) -> Decoder:
    """GPT-2's parts (Radford et al. 2019): layer norm, learned positions, GELU, biases.

    Our own: embeddings are not tied, and a head has a size that does not change with width.
    """
    parts = {"head_size": 16, "norm": "layer", "qk_norm": False, "activation": "gelu",
             "positions": "learned", "logits": "1/√E", "mlp_ratio": 4, "bias": True,
             "embedding_std": 0.1, "tied": False}  # fmt: skip
    return Decoder(**{**parts, **options})


def llama(**options: Any) -> Decoder:
    """Llama's parts (Touvron et al. 2302.13971): RMS norm, rotary positions, SwiGLU, no biases.

    Its inner layers are 8/3 as wide as the network; here 3 times, a whole number at every width.
    """
    parts = {"head_size": 16, "norm": "rms", "qk_norm": False, "activation": "swiglu",
             "positions": "rotary", "logits": "1/√E", "mlp_ratio": 3, "bias": False,
             "embedding_std": 0.1, "tied": False}  # fmt: skip
    return Decoder(**{**parts, **options})
