"""The routing probe: the coordinate check of Yang et al. 2203.03466 for mixtures of experts.

Dimensions: S samples times tokens, X experts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from hypertransfer.networks.decoder.feed_forward import MixtureOfExperts
from hypertransfer.probes.activations import residual_stream
from hypertransfer.probes.checkpoint import View


class Probe:
    """Size of router logits, and change of logits and expert outputs since initialisation.

    r_t, of shape (S, X), are the router logits of a mixture at step t, and y_t is the output of the
    mixture. `router_logit` is the mean of |r_t| over tokens, experts and blocks,
    `router_logit_change` the mean of |r_t − r_0|, and `expert_change` the mean of |y_t − y_0|.
    Exact up to rounding.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.start: list[tuple[Tensor, Tensor]] | None = None

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        if self.start is None:
            with view.at_start():
                self.start = _logits_and_outputs(view)
        now = _logits_and_outputs(view)
        pairs = list(zip(now, self.start, strict=True))
        logits = [logit.abs().mean() for logit, _ in now]
        logit_changes = [(a[0] - b[0]).abs().mean() for a, b in pairs]
        output_changes = [(a[1] - b[1]).abs().mean() for a, b in pairs]
        return {
            "router_logit": _mean(logits),
            "router_logit_change": _mean(logit_changes),
            "expert_change": _mean(output_changes),
            "error": 0.0,
            "converged": True,
            "products": 0,
        }


def _logits_and_outputs(view: View) -> list[tuple[Tensor, Tensor]]:
    """Router logits (S, X) and output of each mixture, float64."""
    mixtures = [m for m in view.network.modules() if isinstance(m, MixtureOfExperts)]
    routers = [mixture.router for mixture in mixtures]
    logits = residual_stream.outputs(view.network, routers, view.x)
    return list(zip(logits, residual_stream.outputs(view.network, mixtures, view.x), strict=True))


def _mean(values: list[Tensor]) -> float:
    return float(sum(values) / len(values))
