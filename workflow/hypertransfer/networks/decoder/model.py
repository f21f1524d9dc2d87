"""Decoder-only transformers for text: GPT's and Llama's parts, each to be chosen."""

# B batch, T tokens, N width, V vocabulary

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from hypertransfer.catalogue.cards import decoder_sizes
from hypertransfer.networks.decoder.attention import CausalAttention, Mixing
from hypertransfer.networks.decoder.feed_forward import FeedForward, MixtureOfExperts, Routing
from hypertransfer.networks.decoder.kv_cache import Cache
from hypertransfer.networks.decoder.latent_attention import LatentAttention
from hypertransfer.networks.layers import Branch, Embedding, LayerNorm, Linear, RMSNorm, TiedLinear
from hypertransfer.parameterisation.algebra import Role

NORMS: Mapping[str, Callable[..., nn.Module]] = {"layer": LayerNorm, "rms": RMSNorm}
ROUTING = ("top_k", "score", "gates", "capacity", "balance_loss", "z_loss", "balance_rate")


class Block(nn.Module):
    """Attention and feed-forward, each a pre-norm residual branch."""

    def __init__(self, norm: Callable[[], nn.Module], mixing: Mixing, mlp: nn.Module) -> None:
        super().__init__()
        self.attention = Branch(OrderedDict(norm=norm(), mix=mixing))
        self.feed_forward = Branch(OrderedDict(norm=norm(), mlp=mlp))

    @property
    def mixing(self) -> Mixing:
        """The part in which places see earlier ones."""
        return self.attention.layers.mix

    def forward(self, x_BTN: Tensor) -> Tensor:
        """Same shape out as in."""
        return self.feed_forward(self.attention(x_BTN))

    def step(self, x_BTN: Tensor, cache: Cache) -> Tensor:
        """The same for places that follow those in the cache."""
        mixed = self.mixing.step(self.attention.layers.norm(x_BTN), cache)
        return self.feed_forward(self.attention.around(x_BTN, mixed))


class Decoder(nn.Module):
    """Tokens to logits of the next one; `depth` counts blocks, of two residual branches each.

    `parts` are the options of `catalogue.cards.decoders` and the granularity of the shape.
    Embeddings are drawn with a standard deviation of `embedding_std`. They are
    `tied` to the readout on request only, as most tables scale the readout's learning rate and
    initial size otherwise.
    """

    def __init__(
        self, *, width: int, depth: int, input_shape: tuple[int], classes: int,
        parts: Mapping[str, Any],
    ) -> None:  # fmt: skip
        super().__init__()
        (tokens,) = input_shape
        self.parts, self.width = dict(parts), width
        embedding = partial(Embedding, gain=parts["embedding_std"])
        self.embedding = embedding(classes, width)
        self.positions = embedding(tokens, width) if parts["positions"] == "learned" else None
        norm = partial(NORMS[parts["norm"]], width)
        self.blocks = nn.Sequential(
            *(Block(norm, mixing(parts, width, tokens), mlp(parts, width)) for _ in range(depth))
        )
        self.norm = NORMS[parts["norm"]](width, role=Role.FINAL_VECTOR)
        untied = None if parts["tied"] else Linear(width, classes, role=Role.OUTPUT)
        self.readout = untied or TiedLinear(self.embedding)

    def forward(self, x_BT: Tensor) -> Tensor:
        """Logits, shape (B, T, V)."""
        return self.readout(self.norm(self.blocks(self._embedded(x_BT))))

    def cache(self, batch: int, tokens: int) -> list[Cache]:
        """Empty caches of all blocks for so many sequences and tokens."""
        return [block.mixing.cache(batch, tokens) for block in self.blocks]

    def step(self, x_BT: Tensor, caches: list[Cache]) -> Tensor:
        """Logits of tokens that follow those in the caches, which then hold them too."""
        x_BTN = self._embedded(x_BT, caches[0].length)
        for block, cache in zip(self.blocks, caches, strict=True):
            x_BTN = block.step(x_BTN, cache)
        return self.readout(self.norm(x_BTN))

    @torch.no_grad()
    def generate(self, prompt_BT: Tensor, number: int) -> Tensor:
        """The `number` tokens that follow a prompt, each the most likely one, (B, number)."""
        caches = self.cache(len(prompt_BT), prompt_BT.shape[1] + number - 1)
        given, out = prompt_BT, []
        for _ in range(number):
            given = self.step(given, caches)[:, -1:].argmax(-1)
            out.append(given)
        return torch.cat(out, dim=1)

    def _embedded(self, x_BT: Tensor, start: int = 0) -> Tensor:
        x_BTN = self.embedding(x_BT)
        if self.positions is None:
            return x_BTN
        places_TN = self.positions.scaled_weight()[start : start + x_BT.shape[1]]
        if len(places_TN) < x_BT.shape[1]:
            raise ValueError(
                f"{start + x_BT.shape[1]} tokens, but positions are learned for "
                f"{len(self.positions.weight)}: read fewer, or take rotary positions"
            )
        return x_BTN + places_TN

    # What the training engine asks of a network with experts ------------------------------

    @property
    def mixtures(self) -> Iterator[MixtureOfExperts]:
        """The mixtures of experts among the blocks."""
        return (one for one in self.modules() if isinstance(one, MixtureOfExperts))

    def penalty(self) -> Tensor | float:
        """What the last step's routing adds to the loss: the mean over blocks."""
        found = [one.penalty() for one in self.mixtures]
        return sum(found) / len(found) if found else 0.0

    def after_update(self) -> None:
        """Let routers balance their loads after a step."""
        for one in self.mixtures:
            one.after_update()

    def statistics(self) -> dict[str, float]:
        """What the last step's routing was like: means over blocks, by column of the history."""
        found = [one.statistics() for one in self.mixtures]
        names = found[0] if found else ()
        return {name: sum(one[name] for one in found) / len(found) for name in names}


def mixing(parts: Mapping[str, Any], width: int, tokens: int) -> nn.Module:
    """A block's attention."""
    rotary = parts["positions"] == "rotary"
    common = {"width": width, "tokens": tokens} | {
        name: parts[name] for name in ("head_size", "bias", "logits")
    }
    if parts["attention"] == "latent":
        return LatentAttention(
            **common,
            latent=decoder_sizes.latent(parts, width),
            query_latent=decoder_sizes.latent(parts, width, "query_latent_ratio") or None,
            rotary_size=decoder_sizes.rotary_size(parts),
        )
    own = {name: parts[name] for name in ("qk_norm", "kv_heads", "fused")}
    return CausalAttention(**common, rotary=rotary, **own)


def mlp(parts: Mapping[str, Any], width: int) -> nn.Module:
    """A block's feed-forward part."""
    common = {"width": width, "inner": decoder_sizes.inner(parts, width)}
    common["activation"] = parts["activation"]
    if not parts["experts"]:
        return FeedForward(**common, bias=parts["bias"])
    routing = {name: parts[name] for name in ROUTING}
    routing["top_k"] *= parts["granularity"]
    experts = parts["experts"] * parts["granularity"]
    shared = parts["shared"] * parts["granularity"]
    return MixtureOfExperts(**common, experts=experts, shared=shared, routing=Routing(**routing))


def decoder(
    *, width: int, depth: int, input_shape: tuple[int], classes: int, granularity: int = 1,
    **options: Any,
) -> Decoder:  # fmt: skip
    """A decoder with the complete options of `gpt` or `llama` (`catalogue.cards.decoders`)."""
    parts = {"granularity": granularity, **options}
    return Decoder(width=width, depth=depth, input_shape=input_shape, classes=classes, parts=parts)
