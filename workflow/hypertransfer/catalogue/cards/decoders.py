"""Options of the decoders `gpt` and `llama`: their defaults, meanings and allowed values."""

from __future__ import annotations

from collections.abc import Mapping

from hypertransfer.catalogue.options import COUNT, FLAG, POSITIVE, Option, option, or_null

_AMOUNT = {"type": "number", "minimum": 0}
_RATIO = {**POSITIVE, "maximum": 1}

# The common defaults of both decoders are our choice: embeddings are not tied, the size of a head
# does not change with the width, and there are no experts.
_COMMON: Mapping[str, Option] = {
    "head_size": option(COUNT, 16, "Size of one attention head."),
    "qk_norm": option(FLAG, False, "Whether queries and keys are normalised in each head."),
    "logits": option(
        {"enum": ["1/E", "1/√E"]},
        "1/√E",
        "Scale of the attention logits, with the head size E.",
    ),
    "embedding_std": option(POSITIVE, 0.1, "Standard deviation of initial embeddings."),
    "tied": option(FLAG, False, "Whether the readout shares its weights with the embedding."),
    "attention": option(
        {"enum": ["multi_head", "latent"]},
        "multi_head",
        "Multi-head attention, or multi-head latent attention (2405.04434).",
    ),
    "kv_heads": option(
        or_null(COUNT),
        None,
        "Heads of keys and values, for grouped-query attention; null for as many as queries have.",
    ),
    "fused": option(FLAG, False, "Whether one matrix holds queries, keys and values."),
    "latent_ratio": option(
        _RATIO, 0.5, "Size of the latent vector of keys and values, over the width."
    ),
    "query_latent_ratio": option(
        or_null(_RATIO),
        None,
        "Size of the latent vector of queries, over the width; null for none.",
    ),
    "rotary_size": option(
        or_null(COUNT),
        None,
        "Size of the rotary part of latent attention's queries and keys; null for the head size.",
    ),
    # At granularity G there are G times as many experts, each 1/G as large, and a token chooses
    # G times `top_k` (Krajewski et al. 2402.07871).
    "experts": option(
        {"type": "integer", "minimum": 0},
        0,
        "Number of experts of a feed-forward part at granularity 1; 0 for a dense part.",
    ),
    "top_k": option(COUNT, 1, "Number of experts per token at granularity 1."),
    "shared": option(
        {"type": "integer", "minimum": 0},
        0,
        "Number of experts that process all tokens, at granularity 1.",
    ),
    "score": option(
        {"enum": ["softmax", "sigmoid"]}, "softmax", "Function from the router's logits to scores."
    ),
    "gates": option(
        {"enum": ["raw", "normalised", "mean"]},
        "raw",
        "Weights of the chosen experts: their scores, or these over their sum or their number.",
    ),
    "capacity": option(
        or_null(POSITIVE),
        None,
        "Largest number of tokens per expert in training, over the mean; null for no limit.",
    ),
    "balance_loss": option(_AMOUNT, 0.0, "Weight of the load-balancing loss (2101.03961)."),
    "z_loss": option(_AMOUNT, 0.0, "Weight of the router's z-loss (2202.08906)."),
    "balance_rate": option(
        _AMOUNT, 0.0, "Step size of the bias that balances loads without a loss (2408.15664)."
    ),
}


def _options(
    norm: str, activation: str, positions: str, mlp_ratio: int, bias: bool
) -> Mapping[str, Option]:
    return {
        **_COMMON,
        "norm": option({"enum": ["layer", "rms"]}, norm, "Normalisation before each branch."),
        "activation": option(
            {"enum": ["gelu", "relu", "relu2", "swiglu"]},
            activation,
            "Activation of the feed-forward part.",
        ),
        "positions": option(
            {"enum": ["learned", "rotary"]}, positions, "Kind of position embeddings."
        ),
        "mlp_ratio": option(COUNT, mlp_ratio, "Size of the inner layers over the width."),
        "bias": option(FLAG, bias, "Whether linear layers have biases."),
    }


DECODERS: Mapping[str, Mapping[str, Option]] = {
    # Radford et al. 2019.
    "gpt": _options("layer", "gelu", "learned", 4, bias=True),
    # Touvron et al. 2302.13971. Their inner layers are 8/3 times as wide as the network; here the
    # ratio is 3, a whole number at every width.
    "llama": _options("rms", "swiglu", "rotary", 3, bias=False),
}
