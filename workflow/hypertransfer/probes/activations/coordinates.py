"""The coordinates probe: the coordinate check of Yang et al. 2203.03466 (Appendix D.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from hypertransfer.probes.activations import residual_stream
from hypertransfer.probes.checkpoint import View


class Probe:
    """Size of activations and of their change since initialisation, on the fixed samples.

    h_t is the last residual stream at step t: the input of the norm before the readout or, in a
    network without this norm, of the readout. f_t is the output of the network. `stream` is the
    mean of |h_t| over samples and coordinates, `stream_change` the mean of |h_t − h_0|, and
    `logit_change` the mean of |f_t − f_0|. Exact up to rounding.
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
