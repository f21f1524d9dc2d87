"""The routing probe: the coordinate check of Yang et al. 2203.03466 for mixtures of experts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from hypertransfer.networks.decoder.feed_forward import MixtureOfExperts
from hypertransfer.probes.activations import residual_stream
from hypertransfer.probes.checkpoint import View


class Probe:
    """How large router logits are, and how far they and the experts' outputs have moved.

    `router_logit` is the mean of |r| over experts, tokens and blocks, `router_logit_change` that of
    |r_t − r_0|, and `expert_change` that of the change of what the mixtures put out. Exact up to
    rounding.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.start: list[tuple[Tensor, Tensor]] | None = None

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        if self.start is None:
            with view.at_start():
                self.start = _seen(view)
        now = _seen(view)
        pairs = list(zip(now, self.start, strict=True))
        logits = [logit.abs().mean() for logit, _ in now]
        moved = [(a[0] - b[0]).abs().mean() for a, b in pairs]
        changed = [(a[1] - b[1]).abs().mean() for a, b in pairs]
        return {
            "router_logit": _mean(logits),
            "router_logit_change": _mean(moved),
            "expert_change": _mean(changed),
            "error": 0.0,
            "converged": True,
            "products": 0,
        }


def _seen(view: View) -> list[tuple[Tensor, Tensor]]:
    """Logits of the router and the output of each mixture, as doubles."""
    mixtures = [m for m in view.network.modules() if isinstance(m, MixtureOfExperts)]
    logits = residual_stream.outputs(view.network, [one.router for one in mixtures], view.x)
    return list(zip(logits, residual_stream.outputs(view.network, mixtures, view.x), strict=True))


def _mean(values: list[Tensor]) -> float:
    return float(sum(values) / len(values))
