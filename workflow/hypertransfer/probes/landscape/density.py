"""The density probe: the whole spectrum of the Hessian, by stochastic Lanczos quadrature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from hypertransfer.curvature.spectral_density import spectrum
from hypertransfer.probes.checkpoint import View


class Probe:
    """Spectral density of S^½ H S^½ as weighted nodes: `nodes`, and `shares` that add up to 1.

    `largest_node` is the last node, which the largest eigenvalue is not below.

    `error` is the largest standard error of the cumulative distribution (absolute, in shares).
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.vectors, self.steps = settings["vectors"], settings["steps"]
        self.generator = torch.Generator().manual_seed(seed)

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        hessian = view.hessian()
        found = spectrum(hessian, self.vectors, self.steps, self.generator)
        return {
            "nodes": found.nodes.tolist(),
            "shares": found.weights.tolist(),
            "largest_node": float(found.nodes[-1]),
            "error": found.error,
            "converged": True,
            "products": hessian.products,
        }
