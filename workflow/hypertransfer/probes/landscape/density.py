"""The density probe: the spectral density of the Hessian by stochastic Lanczos quadrature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from hypertransfer.curvature.spectral_density import spectrum
from hypertransfer.probes.checkpoint import View


class Probe:
    """Spectral density of S^½ H S^½ on the fixed samples, with S as in the Hessian probe.

    `nodes` are eigenvalues of Lanczos matrices in ascending order, and `shares` their weights,
    which sum to 1. `largest_node` is the last node, a lower bound of the largest eigenvalue.
    `error` is the largest standard error of the cumulative distribution, an absolute share.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.vectors, self.steps = settings["vectors"], settings["steps"]
        self.generator = torch.Generator().manual_seed(seed)

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        hessian = view.hessian()
        density = spectrum(hessian, self.vectors, self.steps, self.generator)
        return {
            "nodes": density.nodes.tolist(),
            "shares": density.weights.tolist(),
            "largest_node": float(density.nodes[-1]),
            "error": density.error,
            "converged": True,
            "products": hessian.products,
        }
