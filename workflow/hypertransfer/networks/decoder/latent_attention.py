"""Multi-head latent attention."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hypertransfer.networks.decoder.attention import POWERS, masked, split
from hypertransfer.networks.decoder.kv_cache import Cache, visible
from hypertransfer.networks.decoder.rotary import Rotary, Unmoved
from hypertransfer.networks.layers import Linear, RMSNorm, side_by_side
from hypertransfer.parameterisation.algebra import Role


class LatentAttention(nn.Module):
    """Multi-head latent attention, DeepSeek-V2 (2405.04434), Equations 9 to 19.

    Keys and values come from one latent vector of `latent` entries a place, with an RMS norm
    (Section 3.1.2 there). Positions are in `rotary_size` further entries of each query and of one
    key that all heads share; without them (0), positions must come from elsewhere. `query_latent`
    puts a latent vector before queries too. Logits are qᵀk times a power of E + R.

    The cache holds latent vectors and shared keys. `step` never makes keys and values of them: the
    matrix that would make keys is absorbed into queries, the one of values into the output.
    """

    def __init__(
        self, *, width: int, head_size: int, tokens: int, bias: bool, logits: str, latent: int,
        rotary_size: int, query_latent: int | None = None,
    ) -> None:  # fmt: skip
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
        self.rotary = Rotary(tokens, rotary_size) if rotary_size else Unmoved()

    def forward(self, x_BTN: Tensor) -> Tensor:
        """Same shape out as in; keys and values are made, as is quicker for many places."""
        q_BHTE, k_BHTE, latent_BTC = self._queries_and_keys(x_BTN)
        # Torch's fused kernels want values of the size of keys.
        v_BHTE = F.pad(split(self.up_value(latent_BTC), self.head_size), (0, self.rotary_size))
        mixed_BHTE = F.scaled_dot_product_attention(
            q_BHTE, k_BHTE, v_BHTE, is_causal=True, scale=self.scale
        )[..., : self.head_size]
        return self.out(mixed_BHTE.transpose(1, 2).flatten(2))

    def cache(self, batch: int, tokens: int) -> Cache:
        """Latent vectors with the shared keys behind them."""
        size = {"latent": (1, self.latent + self.rotary_size)}
        return Cache(batch, tokens, size, self.out.weight)

    def step(self, x_BTN: Tensor, cache: Cache) -> Tensor:
        """Same shape out as in, of places after the cache's; every head reads the latents."""
        layers = [one for one in self._of_input() if one is not None]
        query_BHTE, latent_BTC, shared_B1TR = self._parts(
            [layer(x_BTN) for layer in layers], cache.length
        )
        content_BHTE, turned_BHTR = query_BHTE.split([self.head_size, self.rotary_size], dim=-1)
        up_HEC = self.up_key.scaled_weight().unflatten(0, (self.heads, -1))
        # Heads stand where places do, since all of them have the same keys.
        absorbed_BHTC = torch.einsum("bhte,hec->bhtc", content_BHTE, up_HEC)
        q_BQC = torch.cat([absorbed_BHTC, turned_BHTR], dim=-1).flatten(1, 2)
        new_B1TC = torch.cat([latent_BTC.unsqueeze(1), shared_B1TR], dim=-1)
        (k_B1SC,) = cache.append(latent=new_B1TC)
        mask_TS = visible(x_BTN.shape[1], cache.length, x_BTN.device)
        logits_BQS = self.scale * q_BQC @ k_B1SC.squeeze(1).mT
        if mask_TS is not None:
            logits_BQS = logits_BQS.masked_fill(~mask_TS.repeat(self.heads, 1), -torch.inf)
        # By hand: torch's function copies keys to scale them where values have another size.
        seen_BQC = logits_BQS.softmax(-1) @ k_B1SC.squeeze(1)[..., : self.latent]
        seen_BHTC = seen_BQC.unflatten(1, (self.heads, -1))
        up_HEC = self.up_value.scaled_weight().unflatten(0, (self.heads, -1))
        mixed_BTHE = torch.einsum("bhtc,hec->bthe", seen_BHTC, up_HEC)
        return self.out(mixed_BTHE.flatten(2))

    def logits(self, x_BTN: Tensor) -> Tensor:
        """Attention logits, (B, H, T, T)."""
        q_BHTE, k_BHTE, _ = self._queries_and_keys(x_BTN)
        return masked(q_BHTE @ k_BHTE.mT * self.scale)

    def _of_input(self) -> tuple[Linear | None, ...]:
        """The layers that read the block's input."""
        return (self.query_down or self.query, self.down, self.shared_key)

    def _parts(self, projected: list[Tensor], start: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (B, H, T, E + R), latent vectors (B, T, C) and shared keys (B, 1, T, R)."""
        first, latent_BTC, *shared = projected
        if self.query_norm is not None:
            first = self.query(self.query_norm(first))
        query_BHTE = split(first, self.head_size + self.rotary_size)
        content, turned = query_BHTE.split([self.head_size, self.rotary_size], dim=-1)
        query_BHTE = torch.cat([content, self.rotary(turned, start)], dim=-1)
        shared_BTR = shared[0] if shared else latent_BTC[..., :0]
        return query_BHTE, self.norm(latent_BTC), self.rotary(shared_BTR.unsqueeze(1), start)

    def _queries_and_keys(self, x_BTN: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        layers = [one for one in self._of_input() if one is not None]
        q_BHTE, latent_BTC, shared_B1TR = self._parts(side_by_side(x_BTN, *layers))
        k_BHTE = split(self.up_key(latent_BTC), self.head_size)
        shared_BHTR = shared_B1TR.expand(-1, self.heads, -1, -1)
        return q_BHTE, torch.cat([k_BHTE, shared_BHTR], dim=-1), latent_BTC
