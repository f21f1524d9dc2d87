"""Sizes of a decoder's parts from its options: latent vectors, inner layers, the cache.

`parts` are the complete options of a decoder, with the `granularity` of its shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def latent(parts: Mapping[str, Any], width: int, ratio: str = "latent_ratio") -> int:
    """The size of a latent vector at a width; 0 if the option `ratio` is null."""
    return round(parts[ratio] * width) if parts[ratio] else 0


def rotary_size(parts: Mapping[str, Any]) -> int:
    """The size of the rotary parts of queries and of the shared key in latent attention."""
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
