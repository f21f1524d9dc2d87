"""Decoder-only transformers for text, of the GPT-2 and Llama families.

Dimensions in names: B batch, T tokens, N width, V vocabulary.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from hypertransfer.catalogue.cards import decoder_sizes
from hypertransfer.networks.decoder.attention import Attention, CausalAttention
from hypertransfer.networks.decoder.feed_forward import FeedForward, MixtureOfExperts, Routing
from hypertransfer.networks.decoder.kv_cache import Cache
from hypertransfer.networks.decoder.latent_attention import LatentAttention
from hypertransfer.networks.layers import Branch, Embedding, LayerNorm, Linear, RMSNorm, TiedLinear
from hypertransfer.parameterisation.algebra import Role

NORM_LAYERS: Mapping[str, Callable[..., nn.Module]] = {"layer": LayerNorm, "rms": RMSNorm}
ROUTING = ("top_k", "score", "gates", "capacity", "balance_loss", "z_loss", "balance_rate")


class Block(nn.Module):
    """A transformer block: attention and feed-forward layer, each in a pre-norm residual branch."""

    def __init__(self, norm: Callable[[], nn.Module], attention: Attention, mlp: nn.Module) -> None:
        super().__init__()
        self.attention = Branch(OrderedDict(norm=norm(), mix=attention))
        self.feed_forward = Branch(OrderedDict(norm=norm(), mlp=mlp))

    @property
    def attention_layer(self) -> Attention:
        """The attention layer inside the attention branch."""
        return self.attention.layers.mix

    def forward(self, x_BTN: Tensor) -> Tensor:
        """The residual stream after the block, of the shape of the input."""
        return self.feed_forward(self.attention(x_BTN))

    def step(self, x_BTN: Tensor, cache: Cache) -> Tensor:
        """`forward` for tokens that follow the cached ones, which are added to the cache."""
        mixed = self.attention_layer.step(self.attention.layers.norm(x_BTN), cache)
        return self.feed_forward(self.attention.around(x_BTN, mixed))


class Decoder(nn.Module):
    """A decoder that maps tokens to logits of the next token.

    `depth` is the number of blocks, each with two residual branches. `parts` are the options of
    `catalogue.cards.decoders` and the granularity of the shape. The initial embeddings have the
    standard deviation `embedding_std`. By default embedding and readout are not `tied`, since most
    tables scale their learning rates and initial weights differently.
    """

    def __init__(
        self,
        *,
        width: int,
        depth: int,
        input_shape: tuple[int],
        classes: int,
        parts: Mapping[str, Any],
    ) -> None:
        super().__init__()
        (tokens,) = input_shape
        self.parts, self.width = dict(parts), width
        embedding = partial(Embedding, gain=parts["embedding_std"])
        self.embedding = embedding(classes, width)
        self.positions = embedding(tokens, width) if parts["positions"] == "learned" else None
        norm = partial(NORM_LAYERS[parts["norm"]], width)
        self.blocks = nn.Sequential(
            *(Block(norm, attention(parts, width, tokens), mlp(parts, width)) for _ in range(depth))
        )
        self.norm = NORM_LAYERS[parts["norm"]](width, role=Role.FINAL_VECTOR)
        untied = None if parts["tied"] else Linear(width, classes, role=Role.OUTPUT)
        self.readout = untied or TiedLinear(self.embedding)

    def forward(self, x_BT: Tensor) -> Tensor:
        """Logits of shape (B, T, V) for tokens of shape (B, T)."""
        return self.readout(self.norm(self.blocks(self._embedded(x_BT))))

    def cache(self, batch: int, tokens: int) -> list[Cache]:
        """An empty cache for each block, for `batch` sequences of up to `tokens` tokens."""
        return [block.attention_layer.cache(batch, tokens) for block in self.blocks]

    def step(self, x_BT: Tensor, caches: list[Cache]) -> Tensor:
        """Logits (B, T, V) for tokens that follow the cached ones, which are added to the caches.

        Raises:
            ValueError: a cache has no room, or learned positions end before the tokens.
        """
        x_BTN = self._embedded(x_BT, caches[0].length)
        for block, cache in zip(self.blocks, caches, strict=True):
            x_BTN = block.step(x_BTN, cache)
        return self.readout(self.norm(x_BTN))

    @torch.no_grad()
    def generate(self, prompt_BT: Tensor, number: int) -> Tensor:
        """The `number` most likely tokens after a prompt (greedy decoding), shape (B, number)."""
        caches = self.cache(len(prompt_BT), prompt_BT.shape[1] + number - 1)
        tokens_BT, generated = prompt_BT, []
        for _ in range(number):
            tokens_BT = self.step(tokens_BT, caches)[:, -1:].argmax(-1)
            generated.append(tokens_BT)
        return torch.cat(generated, dim=1)

    def _embedded(self, x_BT: Tensor, start: int = 0) -> Tensor:
        """Embeddings (B, T, N) of tokens whose first one has the position `start`."""
        x_BTN = self.embedding(x_BT)
        if self.positions is None:
            return x_BTN
        positions_TN = self.positions.scaled_weight()[start : start + x_BT.shape[1]]
        if len(positions_TN) < x_BT.shape[1]:
            raise ValueError(
                f"there are {start + x_BT.shape[1]} tokens, but only {len(self.positions.weight)} "
                "positions are learned: use fewer tokens, or rotary positions"
            )
        return x_BTN + positions_TN

    # Extensions of the training loop (`training.extensions`) -------------------------------

    @property
    def mixtures(self) -> Iterator[MixtureOfExperts]:
        """The mixtures of experts of all blocks."""
        return (module for module in self.modules() if isinstance(module, MixtureOfExperts))

    def penalty(self) -> Tensor | float:
        """The routing losses of the last training step, averaged over blocks; 0 without experts."""
        penalties = [mixture.penalty() for mixture in self.mixtures]
        return sum(penalties) / len(penalties) if penalties else 0.0

    def after_update(self) -> None:
        """Update the routers' balancing biases; called after each optimizer step."""
        for mixture in self.mixtures:
            mixture.after_update()

    def statistics(self) -> dict[str, float]:
        """Routing statistics of the last training step by history column, averaged over blocks."""
        blocks = [mixture.statistics() for mixture in self.mixtures]
        names = blocks[0] if blocks else ()
        return {name: sum(block[name] for block in blocks) / len(blocks) for name in names}


def attention(parts: Mapping[str, Any], width: int, tokens: int) -> nn.Module:
    """The attention layer of a block."""
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
    """The feed-forward layer of a block: dense, or a mixture of experts."""
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
    *,
    width: int,
    depth: int,
    input_shape: tuple[int],
    classes: int,
    granularity: int = 1,
    **options: Any,
) -> Decoder:
    """A pre-norm transformer decoder; `gpt` and `llama` differ in the defaults of its options.

    `options` are complete, as `catalogue.cards.decoders` completes them.
    """
    parts = {"granularity": granularity, **options}
    return Decoder(width=width, depth=depth, input_shape=input_shape, classes=classes, parts=parts)
