"""The trace probe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from hypertransfer.curvature.trace_estimate import trace
from hypertransfer.probes.checkpoint import View


class Probe:
    """`trace` is tr(S^½ H S^½) by Hutchinson's estimate; `error` its relative standard error."""

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.vectors = settings["vectors"]
        self.generator = torch.Generator().manual_seed(seed)

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        found, error = trace(view.hessian(), self.vectors, self.generator)
        return {
            "trace": found,
            "error": error / abs(found) if found else error,
            "converged": True,
            "products": self.vectors,
        }
