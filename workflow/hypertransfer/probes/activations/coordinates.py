"""The coordinates probe: the coordinate check of Yang et al. 2203.03466 (Appendix D.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from hypertransfer.probes.activations import residual_stream
from hypertransfer.probes.checkpoint import View


class Probe:
    """How large activations are, and how far they have moved, on the fixed samples.

    `stream` is the mean of |h| over the coordinates of the last residual stream (what the norm in
    front of the readout is given, or the readout); `stream_change` that of |h_t − h_0|,
    and `logit_change` that of the outputs' change. Exact up to rounding.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.start: tuple[Tensor, Tensor] | None = None

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        module = residual_stream.last(view.network)
        if self.start is None:
            with view.at_start():
                self.start = residual_stream.through(view.network, module, view.x)
        stream, output = residual_stream.through(view.network, module, view.x)
        return {
            "stream": float(stream.abs().mean()),
            "stream_change": float((stream - self.start[0]).abs().mean()),
            "logit_change": float((output - self.start[1]).abs().mean()),
            "error": 0.0,
            "converged": True,
            "products": 0,
        }
