"""Multi-head latent attention.

Dimensions in names: B batch, T tokens, S tokens in the cache, N width, H heads, E head size,
C entries of the latent vector, R entries of rotary positions, Q = H·T queries of all heads.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hypertransfer.networks.decoder.attention import POWERS, masked, split
from hypertransfer.networks.decoder.kv_cache import Cache, visible
from hypertransfer.networks.decoder.rotary import NoRotary, Rotary
from hypertransfer.networks.layers import Linear, RMSNorm, side_by_side
from hypertransfer.parameterisation.algebra import Role


class LatentAttention(nn.Module):
    """Multi-head latent attention, DeepSeek-V2 (2405.04434), Equations 9 to 19.

    Keys and values are projections of one latent vector of C = `latent` entries per token, which
    is RMS-normalised (Section 3.1.2). Rotary positions act on R = `rotary_size` further entries of
    each query and of one key that all heads share; with R = 0 the network needs another kind of
    positions. With `query_latent` queries, too, are projections of a latent vector, of that size.
    Logits are qᵀk times the power of E + R that `logits` names.

    The cache holds latent vectors and shared keys. `step` computes neither keys nor values: it
    multiplies the queries by the key projection and the mixed latent vectors by the value
    projection (Section 2.1.2).
    """

    def __init__(
        self,
        *,
        width: int,
        head_size: int,
        tokens: int,
        bias: bool,
        logits: str,
        latent: int,
        rotary_size: int,
        query_latent: int | None = None,
    ) -> None:
        super().__init__()
        self.head_size, self.rotary_size, self.latent = head_size, rotary_size, latent
        self.heads, size = width // head_size, head_size + rotary_size
        self.scale = size ** POWERS[logits]
        make = partial(Linear, role=Role.HIDDEN)
        self.down = make(width, latent)
        self.norm = RMSNorm(latent)
        self.up_key, self.up_value = make(latent, width), make(latent, width)
        self.shared_key = make(width, rotary_size) if rotary_size else None
        self.query_down = make(width, query_latent) if query_latent else None
        self.query_norm = RMSNorm(query_latent) if query_latent else None
        self.query = make(query_latent or width, self.heads * size)
        self.out = make(width, width, bias=bias)
        self.rotary = Rotary(tokens, rotary_size) if rotary_size else NoRotary()

    def forward(self, x_BTN: Tensor) -> Tensor:
        """The output for whole sequences, of the shape of the input.

        Keys and values are computed explicitly, which is faster for many tokens.
        """
        q_BHTE, k_BHTE, latent_BTC = self._queries_and_keys(x_BTN)
        # torch's fused kernels need values of the size of keys
        v_BHTE = F.pad(split(self.up_value(latent_BTC), self.head_size), (0, self.rotary_size))
        mixed_BHTE = F.scaled_dot_product_attention(
            q_BHTE, k_BHTE, v_BHTE, is_causal=True, scale=self.scale
        )[..., : self.head_size]
        return self.out(mixed_BHTE.transpose(1, 2).flatten(2))

    def cache(self, batch: int, tokens: int) -> Cache:
        """An empty cache of latent vectors followed by shared keys, (B, 1, tokens, C + R)."""
        size = {"latent": (1, self.latent + self.rotary_size)}
        return Cache(batch, tokens, size, self.out.weight)

    def step(self, x_BTN: Tensor, cache: Cache) -> Tensor:
        """The output for tokens that follow the cached ones, which are added to the cache."""
        query_BHTE, latent_BTC, shared_B1TR = self._parts(
            [layer(x_BTN) for layer in self._input_layers()], cache.length
        )
        content_BHTE, rotated_BHTR = query_BHTE.split([self.head_size, self.rotary_size], dim=-1)
        up_HEC = self.up_key.scaled_weight().unflatten(0, (self.heads, -1))
        # all heads have the same keys, so heads and tokens form one dimension, Q
        absorbed_BHTC = torch.einsum("bhte,hec->bhtc", content_BHTE, up_HEC)
        q_BQC = torch.cat([absorbed_BHTC, rotated_BHTR], dim=-1).flatten(1, 2)
        new_B1TC = torch.cat([latent_BTC.unsqueeze(1), shared_B1TR], dim=-1)
        (k_B1SC,) = cache.append(latent=new_B1TC)
        mask_TS = visible(x_BTN.shape[1], cache.length, x_BTN.device)
        logits_BQS = self.scale * q_BQC @ k_B1SC.squeeze(1).mT
        if mask_TS is not None:
            logits_BQS = logits_BQS.masked_fill(~mask_TS.repeat(self.heads, 1), -torch.inf)
        # torch's attention function would copy and scale the keys, as values have another size
        mixed_BQC = logits_BQS.softmax(-1) @ k_B1SC.squeeze(1)[..., : self.latent]
        mixed_BHTC = mixed_BQC.unflatten(1, (self.heads, -1))
        up_HEC = self.up_value.scaled_weight().unflatten(0, (self.heads, -1))
        mixed_BTHE = torch.einsum("bhtc,hec->bthe", mixed_BHTC, up_HEC)
        return self.out(mixed_BTHE.flatten(2))

    def logits(self, x_BTN: Tensor) -> Tensor:
        """Attention logits of shape (B, H, T, T); −∞ for keys after the query."""
        q_BHTE, k_BHTE, _ = self._queries_and_keys(x_BTN)
        return masked(q_BHTE @ k_BHTE.mT * self.scale)

    def _input_layers(self) -> list[Linear]:
        """The layers whose input is the input of the block."""
        layers = [self.query_down or self.query, self.down, self.shared_key]
        return [layer for layer in layers if layer is not None]

    def _parts(self, projected: list[Tensor], start: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (B, H, T, E + R), latent vectors (B, T, C) and shared keys (B, 1, T, R).

        `projected` are the outputs of `_input_layers`; `start` is the position of the first token.
        """
        query, latent_BTC, *shared = projected
        if self.query_norm is not None:
            query = self.query(self.query_norm(query))
        query_BHTE = split(query, self.head_size + self.rotary_size)
        content, rotated = query_BHTE.split([self.head_size, self.rotary_size], dim=-1)
        query_BHTE = torch.cat([content, self.rotary(rotated, start)], dim=-1)
        shared_BTR = shared[0] if shared else latent_BTC[..., :0]
        return query_BHTE, self.norm(latent_BTC), self.rotary(shared_BTR.unsqueeze(1), start)

    def _queries_and_keys(self, x_BTN: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries and keys (B, H, T, E + R), and latent vectors (B, T, C)."""
        projected = side_by_side(x_BTN, *self._input_layers())
        q_BHTE, latent_BTC, shared_B1TR = self._parts(projected)
        k_BHTE = split(self.up_key(latent_BTC), self.head_size)
        shared_BHTR = shared_B1TR.expand(-1, self.heads, -1, -1)
        return q_BHTE, torch.cat([k_BHTE, shared_BHTR], dim=-1), latent_BTC
