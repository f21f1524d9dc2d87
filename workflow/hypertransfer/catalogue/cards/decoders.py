"""Options of the decoders `gpt` and `llama`: their defaults, meanings and allowed values."""

from __future__ import annotations

from collections.abc import Mapping

from hypertransfer.catalogue.options import COUNT, FLAG, POSITIVE, Option, option, or_null

_AMOUNT = {"type": "number", "minimum": 0}
_RATIO = {**POSITIVE, "maximum": 1}

# The defaults that both share are our choice: embeddings are not tied, the size of a head does not
# change with width, and there are no experts.
_COMMON: Mapping[str, Option] = {
    "head_size": option(COUNT, 16, "Entries of one attention head."),
    "qk_norm": option(FLAG, False, "Whether queries and keys are normalised in each head."),
    "logits": option(
        {"enum": ["1/E", "1/√E"]}, "1/√E",
        "Scale of the attention logits, E being the head size.",
    ),
    "embedding_std": option(POSITIVE, 0.1, "Standard deviation of initial embeddings."),
    "tied": option(FLAG, False, "Whether the readout shares its weights with the embedding."),
    "attention": option(
        {"enum": ["multi_head", "latent"]}, "multi_head",
        "Multi-head attention, or multi-head latent attention (2405.04434).",
    ),
    "kv_heads": option(
        or_null(COUNT), None,
        "Heads of keys and values, for grouped-query attention; null for as many as queries have.",
    ),
    "fused": option(FLAG, False, "Whether one matrix holds queries, keys and values."),
    "latent_ratio": option(
        _RATIO, 0.5, "Size of the latent vector of keys and values, over the width."
    ),
    "query_latent_ratio": option(
        or_null(_RATIO), None, "Size of the latent vector of queries, over the width; null: none."
    ),
    "rotary_size": option(
        or_null(COUNT), None,
        "Entries of latent attention that carry rotary positions; null for the head size.",
    ),
    # At granularity G there are G times as many experts, each 1/G as large, and a token chooses
    # G times `top_k` (Krajewski et al. 2402.07871).
    "experts": option(
        {"type": "integer", "minimum": 0}, 0,
        "Experts of a feed-forward part at granularity 1; 0 for a dense part.",
    ),
    "top_k": option(COUNT, 1, "Experts that a token chooses, at granularity 1."),
    "shared": option(
        {"type": "integer", "minimum": 0}, 0, "Experts that all tokens use, at granularity 1."
    ),
    "score": option(
        {"enum": ["softmax", "sigmoid"]}, "softmax", "Scores of the router's logits."
    ),
    "gates": option(
        {"enum": ["raw", "normalised", "mean"]}, "raw",
        "Weights of the chosen experts: their scores, these over their sum, or over their number.",
    ),
    "capacity": option(
        or_null(POSITIVE), None,
        "Tokens that an expert takes in training, over the mean load; null for all.",
    ),
    "balance_loss": option(_AMOUNT, 0.0, "Weight of the load-balancing loss (2101.03961)."),
    "z_loss": option(_AMOUNT, 0.0, "Weight of the router's z-loss (2202.08906)."),
    "balance_rate": option(
        _AMOUNT, 0.0, "Step of the bias that balances loads without a loss (2408.15664)."
    ),
}  # fmt: skip


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
            {"enum": ["learned", "rotary"]}, positions, "How places are told apart."
        ),
        "mlp_ratio": option(COUNT, mlp_ratio, "Size of inner layers over the width."),
        "bias": option(FLAG, bias, "Whether linear layers have biases."),
    }


DECODERS: Mapping[str, Mapping[str, Option]] = {
    # Radford et al. 2019.
    "gpt": _options("layer", "gelu", "learned", 4, bias=True),
    # Touvron et al. 2302.13971. Their inner layers are 8/3 times as wide as the network; here the
    # ratio is 3, a whole number at every width.
    "llama": _options("rms", "swiglu", "rotary", 3, bias=False),
}
