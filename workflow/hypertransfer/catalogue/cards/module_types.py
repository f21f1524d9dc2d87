"""The types of modules of each network, whose hyperparameters a config can multiply.

A type is the name of a parameter, or of a residual branch, without the numbers of blocks. The types
are those with any options of the network; a test compares them with the networks.
"""

from __future__ import annotations

from collections.abc import Mapping

_LINEAR = ("weight", "bias")


def _of(module: str, *parts: str) -> tuple[str, ...]:
    return tuple(f"{module}.{part}" for part in parts)


_NORM = _LINEAR
_MULTI_HEAD = (
    *(
        name
        for part in ("query", "key", "value", "qkv", "out")
        for name in _of(f"attention.mix.{part}", *_LINEAR)
    ),
    *_of("attention.mix", "query_norm.weight", "key_norm.weight"),
)
_LATENT = _of(
    "attention.mix",
    *("down.weight", "norm.weight", "query_down.weight", "shared_key.weight"),
    *("up_key.weight", "up_value.weight"),
)
_FEED_FORWARD = (
    *(
        name
        for part in ("up", "gate", "down")
        for name in _of(f"feed_forward.mlp.{part}", *_LINEAR)
    ),
    "feed_forward.mlp.router.weight",
    *_of("feed_forward.mlp.shared", "up.weight", "gate.weight", "down.weight"),
)
_DECODER = (
    *("embedding.weight", "positions.weight", "readout.weight"),
    *_of("norm", *_NORM),
    *_of("attention.norm", *_NORM),
    *_of("feed_forward.norm", *_NORM),
    *_MULTI_HEAD,
    *_LATENT,
    *_FEED_FORWARD,
)
_ENDS = ("input.weight", "readout.weight")

PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "conv": (*_ENDS, "hidden.weight"),
    "residual_conv": (*_ENDS, "between.weight", "stages.weight"),
    "residual_mlp": (*_ENDS, "input.bias", "readout.bias", "weight", "bias"),
    "vit": (
        *_ENDS,
        *("positions.weight", "token.weight", "qkv.weight", "weight", "bias"),
        *_of("norm", *_NORM),
    ),
    "linear": _ENDS,
    "gpt": _DECODER,
    "llama": _DECODER,
}
# The branches of residual_mlp and of vit have no name besides their number.
BRANCHES: Mapping[str, tuple[str, ...]] = {
    "conv": (),
    "residual_conv": ("stages",),
    "residual_mlp": ("",),
    "vit": ("",),
    "linear": (),
    "gpt": ("attention", "feed_forward"),
    "llama": ("attention", "feed_forward"),
}
