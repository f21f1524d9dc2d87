"""The trace probe: Hutchinson's estimate of the trace of the Hessian."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from hypertransfer.curvature.trace_estimate import trace
from hypertransfer.probes.checkpoint import View


class Probe:
    """The trace of the Hessian on the fixed samples, by Hutchinson's estimator.

    `trace` estimates tr(S^½ H S^½), with S as in the Hessian probe, by a mean over `vectors` random
    vectors. `error` is the relative standard error of the mean.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.vectors = settings["vectors"]
        self.generator = torch.Generator().manual_seed(seed)

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        estimate, error = trace(view.hessian(), self.vectors, self.generator)
        return {
            "trace": estimate,
            "error": error / abs(estimate) if estimate else error,
            "converged": True,
            "products": self.vectors,
        }
