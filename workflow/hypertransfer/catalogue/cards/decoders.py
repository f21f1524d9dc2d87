"""Decoders by name: the parts that each has unless a config says otherwise. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Our own throughout: embeddings are not tied, a head has a size that does not change with width,
# and experts are off. `experts` counts those of granularity 1 (the expansion rate of Krajewski et
# al. 2402.07871): at granularity G there are G times as many, each 1/G as large, and a token
# chooses G times `top_k`.
_COMMON = {
    "head_size": 16, "qk_norm": False, "logits": "1/√E", "embedding_std": 0.1, "tied": False,
    "attention": "multi_head", "kv_heads": None, "fused": False,
    "latent_ratio": 0.5, "query_latent_ratio": None, "rotary_size": None,
    "experts": 0, "top_k": 1, "shared": 0, "score": "softmax", "gates": "raw", "capacity": None,
    "balance_loss": 0.0, "z_loss": 0.0, "balance_rate": 0.0, "granularity": 1,
}  # fmt: skip

DECODERS: Mapping[str, Mapping[str, Any]] = {
    # Radford et al. 2019
    "gpt": {
        **_COMMON, "norm": "layer", "activation": "gelu", "positions": "learned", "mlp_ratio": 4,
        "bias": True,
    },
    # Touvron et al. 2302.13971; its inner layers are 8/3 as wide as the network, here 3 times, a
    # whole number at every width
    "llama": {
        **_COMMON, "norm": "rms", "activation": "swiglu", "positions": "rotary", "mlp_ratio": 3,
        "bias": False,
    },
}  # fmt: skip


def latent(parts: Mapping[str, Any], width: int, ratio: str = "latent_ratio") -> int:
    """The size of a latent vector at a width; 0 where there is none."""
    return round(parts[ratio] * width) if parts[ratio] else 0


def rotary_size(parts: Mapping[str, Any]) -> int:
    """Entries of queries and of the shared key that carry positions in latent attention."""
    if parts["positions"] != "rotary":
        return 0
    return parts["rotary_size"] or parts["head_size"]


def inner(parts: Mapping[str, Any], width: int) -> int:
    """The inner size of a dense feed-forward part, or of one expert."""
    return parts["mlp_ratio"] * width // (parts["granularity"] if parts["experts"] else 1)


def cached(parts: Mapping[str, Any], width: int) -> int:
    """Numbers that a layer's cache holds for one token (2405.04434, Table 1).

    2·G·E for keys and values of G heads, or C + R for latent vectors and shared keys.
    """
    if parts["attention"] == "latent":
        return latent(parts, width) + rotary_size(parts)
    return 2 * (parts["kv_heads"] or width // parts["head_size"]) * parts["head_size"]
