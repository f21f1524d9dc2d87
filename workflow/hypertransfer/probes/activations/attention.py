"""The attention probe: the size of attention logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from hypertransfer.networks.decoder.attention import CausalAttention
from hypertransfer.networks.decoder.latent_attention import LatentAttention
from hypertransfer.probes.activations import residual_stream
from hypertransfer.probes.checkpoint import View


class Probe:
    """The size of attention logits on the fixed samples.

    `largest_attention_logit` is the largest |logit| over blocks, heads, queries and keys, without
    the masked keys after the query. Growing logits precede instabilities of training (Wortsman et
    al. 2309.14322). Exact up to rounding.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        pass

    @torch.no_grad()
    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        kinds = (CausalAttention, LatentAttention)
        layers = [module for module in view.network.modules() if isinstance(module, kinds)]
        inputs = residual_stream.inputs(view.network, layers, view.x)
        largest = 0.0
        for layer, x in zip(layers, inputs, strict=True):
            logits = layer.logits(x)
            largest = max(largest, float(logits[logits.isfinite()].abs().max()))
        return {"largest_attention_logit": largest, "error": 0.0, "converged": True, "products": 0}
