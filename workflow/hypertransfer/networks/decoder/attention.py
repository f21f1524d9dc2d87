"""Causal self-attention: multi-head, grouped-query and multi-query.

All attention layers of decoders implement `Attention`: `forward` processes whole sequences, as in
training; `step` processes tokens that follow the cached ones, as in generation.

Dimensions in names: B batch, T tokens, S tokens in the cache, N width, H query heads, G key heads,
E head size.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hypertransfer.networks.decoder.kv_cache import Cache, visible
from hypertransfer.networks.decoder.rotary import NoRotary, Rotary
from hypertransfer.networks.layers import Linear, RMSNorm, side_by_side
from hypertransfer.parameterisation.algebra import Role

POWERS = {"1/E": -1.0, "1/√E": -0.5}  # exponent of the head size in the scale of the logits


class Attention(Protocol):
    """Causal self-attention of a decoder block."""

    def __call__(self, x_BTN: Tensor) -> Tensor:
        """The output for whole sequences, of the shape of the input."""

    def cache(self, batch: int, tokens: int) -> Cache:
        """An empty cache for `batch` sequences of up to `tokens` tokens."""

    def step(self, x_BTN: Tensor, cache: Cache) -> Tensor:
        """The output for tokens that follow the cached ones, which are added to the cache."""

    def logits(self, x_BTN: Tensor) -> Tensor:
        """Attention logits of shape (B, H, T, T); −∞ for keys after the query."""


class CausalAttention(nn.Module):
    """Causal attention with a head size that does not depend on the width.

    Args:
        width: N; the number of query heads is width / head_size.
        head_size: E.
        tokens: number of positions for which rotary tables are computed at once.
        bias: whether projections have a bias.
        qk_norm: whether queries and keys are RMS-normalised, with gains shared by all heads.
        rotary: whether positions are rotary.
        logits: scale of the logits, `1/E` or `1/√E`; for a fixed head size the two differ by a
            constant factor.
        kv_heads: G; None for as many as query heads (multi-head attention), fewer for grouped-query
            attention (Ainslie et al. 2305.13245), 1 for multi-query attention (Shazeer 1911.02150).
        fused: whether queries, keys and values share one weight matrix, which is drawn and
            trained as one parameter.
    """

    def __init__(
        self,
        *,
        width: int,
        head_size: int,
        tokens: int,
        bias: bool,
        qk_norm: bool,
        rotary: bool,
        logits: str,
        kv_heads: int | None = None,
        fused: bool = False,
    ) -> None:
        super().__init__()
        self.head_size, self.scale = head_size, head_size ** POWERS[logits]
        self.kv_heads = kv_heads or width // head_size
        self.sizes = (width, *[self.kv_heads * head_size] * 2)
        make = partial(Linear, width, role=Role.HIDDEN, bias=bias)
        if fused:
            self.qkv = make(sum(self.sizes))
        else:
            self.query, self.key, self.value = map(make, self.sizes)
        self.out = make(width)
        self.fused = fused
        norm = partial(RMSNorm, head_size, role=Role.QK_GAIN) if qk_norm else nn.Identity
        self.query_norm, self.key_norm = norm(), norm()
        self.rotary = Rotary(tokens, head_size) if rotary else NoRotary()

    def forward(self, x_BTN: Tensor) -> Tensor:
        """The output for whole sequences, of the shape of the input."""
        q_BHTE, k_BGTE, v_BGTE = self._heads(self._projected(x_BTN))
        mixed_BHTE = F.scaled_dot_product_attention(
            q_BHTE, k_BGTE, v_BGTE, is_causal=True, scale=self.scale, enable_gqa=self.grouped
        )
        return self.out(mixed_BHTE.transpose(1, 2).flatten(2))

    def cache(self, batch: int, tokens: int) -> Cache:
        """An empty cache of keys and values, each of shape (B, G, tokens, E)."""
        sizes = dict.fromkeys(("key", "value"), (self.kv_heads, self.head_size))
        return Cache(batch, tokens, sizes, self.out.weight)

    def step(self, x_BTN: Tensor, cache: Cache) -> Tensor:
        """The output for tokens that follow the cached ones, which are added to the cache."""
        if self.fused:
            projected = self._projected(x_BTN)
        else:  # for few tokens three products are faster than concatenating the weights
            projected = [layer(x_BTN) for layer in (self.query, self.key, self.value)]
        q_BHTE, k_BGTE, v_BGTE = self._heads(projected, cache.length)
        k_BGSE, v_BGSE = cache.append(key=k_BGTE, value=v_BGTE)
        mask_TS = visible(q_BHTE.shape[2], cache.length, x_BTN.device)
        mixed_BHTE = F.scaled_dot_product_attention(
            q_BHTE, k_BGSE, v_BGSE, mask_TS, scale=self.scale, enable_gqa=self.grouped
        )
        return self.out(mixed_BHTE.transpose(1, 2).flatten(2))

    def logits(self, x_BTN: Tensor) -> Tensor:
        """Attention logits of shape (B, H, T, T); −∞ for keys after the query."""
        q_BHTE, k_BGTE, _ = self._heads(self._projected(x_BTN))
        k_BHTE = k_BGTE.repeat_interleave(q_BHTE.shape[1] // self.kv_heads, dim=1)
        return masked(q_BHTE @ k_BHTE.mT * self.scale)

    @property
    def grouped(self) -> bool:
        """Whether several query heads share one key head."""
        return self.sizes[1] < self.sizes[0]

    def _projected(self, x_BTN: Tensor) -> list[Tensor]:
        """Queries (B, T, H·E), keys and values (B, T, G·E)."""
        if self.fused:
            return list(self.qkv(x_BTN).split(self.sizes, dim=-1))
        return side_by_side(x_BTN, self.query, self.key, self.value)

    def _heads(self, projected: list[Tensor], start: int = 0) -> list[Tensor]:
        """Queries (B, H, T, E), keys and values (B, G, T, E), normalised and rotated.

        `start` is the position of the first token.
        """
        q_BHTE, k_BGTE, v_BGTE = (split(part, self.head_size) for part in projected)
        q_BHTE = self.rotary(self.query_norm(q_BHTE), start)
        return [q_BHTE, self.rotary(self.key_norm(k_BGTE), start), v_BGTE]


def split(x_BTN: Tensor, size: int) -> Tensor:
    """The last dimension split into heads, shape (B, H, T, size)."""
    return x_BTN.unflatten(-1, (-1, size)).transpose(1, 2)


def masked(logits_BHTT: Tensor) -> Tensor:
    """The logits with −∞ for keys after the query."""
    mask_TT = visible(logits_BHTT.shape[-1], logits_BHTT.shape[-1], logits_BHTT.device)
    return logits_BHTT if mask_TT is None else logits_BHTT.masked_fill(~mask_TT, -torch.inf)
