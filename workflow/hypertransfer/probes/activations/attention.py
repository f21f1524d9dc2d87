"""The attention probe: how large attention logits have become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from hypertransfer.networks.decoder.attention import CausalAttention
from hypertransfer.networks.decoder.latent_attention import LatentAttention
from hypertransfer.probes.activations import residual_stream
from hypertransfer.probes.checkpoint import View


class Probe:
    """The largest |attention logit| over heads, places and blocks, where a place is seen.

    Exact up to rounding. Growing logits come before training breaks down (Wortsman et al.
    2309.14322).
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        pass

    @torch.no_grad()
    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        kinds = (CausalAttention, LatentAttention)
        layers = [one for one in view.network.modules() if isinstance(one, kinds)]
        largest = 0.0
        for layer, x in zip(
            layers, residual_stream.inputs(view.network, layers, view.x), strict=True
        ):
            logits = layer.logits(x)
            largest = max(largest, float(logits[logits.isfinite()].abs().max()))
        return {"largest_attention_logit": largest, "error": 0.0, "converged": True, "products": 0}
