"""Multi-head, grouped-query and multi-query attention of decoders.

Attention has one interface, `Mixing`: places all at once, as in training, or a few after those
that a cache holds, as in generation.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hypertransfer.networks.decoder.kv_cache import Cache, visible
from hypertransfer.networks.decoder.rotary import Rotary, Unmoved
from hypertransfer.networks.layers import Linear, RMSNorm, side_by_side
from hypertransfer.parameterisation.algebra import Role

POWERS = {"1/E": -1.0, "1/√E": -0.5}  # of a head's size, in the attention logits


class Mixing(Protocol):
    """A part of a decoder in which places see earlier ones."""

    def __call__(self, x_BTN: Tensor) -> Tensor:
        """Same shape out as in, for places from the first on."""

    def cache(self, batch: int, tokens: int) -> Cache:
        """An empty cache for so many sequences and places."""

    def step(self, x_BTN: Tensor, cache: Cache) -> Tensor:
        """The same for places that follow those in the cache, which then holds them too."""

    def logits(self, x_BTN: Tensor) -> Tensor:
        """Attention logits, (B, H, T, T), −∞ where a place is not seen."""


class CausalAttention(nn.Module):
    """Attention to earlier places; a head has the same size at every width.

    Logits are qᵀk/E or qᵀk/√E, as `logits` says; with heads of a fixed size the two differ by a
    constant. `qk_norm` puts an RMS norm on queries and keys, its gains shared by all heads.
    `kv_heads` are the heads of keys and values: as many as of queries (multi-head, if None), fewer
    (grouped-query, Ainslie et al. 2305.13245) or 1 (multi-query, Shazeer 1911.02150). `fused`
    draws and trains queries, keys and values as one matrix.
    """

    def __init__(
        self, *, width: int, head_size: int, tokens: int, bias: bool, qk_norm: bool, rotary: bool,
        logits: str, kv_heads: int | None = None, fused: bool = False,
    ) -> None:  # fmt: skip
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
        self.rotary = Rotary(tokens, head_size) if rotary else Unmoved()

    def forward(self, x_BTN: Tensor) -> Tensor:
        """Same shape out as in."""
        q_BHTE, k_BGTE, v_BGTE = self._heads(self._projected(x_BTN))
        mixed_BHTE = F.scaled_dot_product_attention(
            q_BHTE, k_BGTE, v_BGTE, is_causal=True, scale=self.scale, enable_gqa=self.grouped
        )
        return self.out(mixed_BHTE.transpose(1, 2).flatten(2))

    def cache(self, batch: int, tokens: int) -> Cache:
        """Keys and values."""
        sizes = dict.fromkeys(("key", "value"), (self.kv_heads, self.head_size))
        return Cache(batch, tokens, sizes, self.out.weight)

    def step(self, x_BTN: Tensor, cache: Cache) -> Tensor:
        """Same shape out as in, of places after the cache's."""
        # Few places: a product each is quicker than putting the weights together.
        parts = self.qkv(x_BTN) if self.fused else None
        projected = (
            list(parts.split(self.sizes, dim=-1)) if parts is not None
            else [layer(x_BTN) for layer in (self.query, self.key, self.value)]
        )  # fmt: skip
        q_BHTE, k_BGTE, v_BGTE = self._heads(projected, cache.length)
        k_BGSE, v_BGSE = cache.append(key=k_BGTE, value=v_BGTE)
        mask_TS = visible(q_BHTE.shape[2], cache.length, x_BTN.device)
        mixed_BHTE = F.scaled_dot_product_attention(
            q_BHTE, k_BGSE, v_BGSE, mask_TS, scale=self.scale, enable_gqa=self.grouped
        )
        return self.out(mixed_BHTE.transpose(1, 2).flatten(2))

    def logits(self, x_BTN: Tensor) -> Tensor:
        """Attention logits, (B, H, T, T)."""
        q_BHTE, k_BGTE, _ = self._heads(self._projected(x_BTN))
        k_BHTE = k_BGTE.repeat_interleave(q_BHTE.shape[1] // self.kv_heads, dim=1)
        return masked(q_BHTE @ k_BHTE.mT * self.scale)

    @property
    def grouped(self) -> bool:
        """Whether several queries' heads share one of keys."""
        return self.sizes[1] < self.sizes[0]

    def _projected(self, x_BTN: Tensor) -> list[Tensor]:
        if self.fused:
            return list(self.qkv(x_BTN).split(self.sizes, dim=-1))
        return side_by_side(x_BTN, self.query, self.key, self.value)

    def _heads(self, projected: list[Tensor], start: int = 0) -> list[Tensor]:
        q_BHTE, k_BGTE, v_BGTE = (split(part, self.head_size) for part in projected)
        q_BHTE = self.rotary(self.query_norm(q_BHTE), start)
        return [q_BHTE, self.rotary(self.key_norm(k_BGTE), start), v_BGTE]


def split(x_BTN: Tensor, size: int) -> Tensor:
    """Into heads of that size, (B, H, T, size)."""
    return x_BTN.unflatten(-1, (-1, size)).transpose(1, 2)


def masked(logits_BHTT: Tensor) -> Tensor:
    """Attention logits with −∞ where a place would see later ones."""
    seen = visible(logits_BHTT.shape[-1], logits_BHTT.shape[-1], logits_BHTT.device)
    return logits_BHTT if seen is None else logits_BHTT.masked_fill(~seen, -torch.inf)
