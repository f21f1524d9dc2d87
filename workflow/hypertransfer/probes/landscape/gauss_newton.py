"""The Gauss–Newton probe: extreme eigenvalues of the two parts of the Hessian."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from hypertransfer.curvature.operators import (
    GaussNewtonOperator,
    HessianOperator,
    Negative,
    ResidualOperator,
)
from hypertransfer.probes.checkpoint import View
from hypertransfer.probes.landscape.solver import tracker


class Probe:
    """Extreme eigenvalues of the two parts of the Hessian H = G + R, on the fixed samples.

    G = JᵀH_ℓJ/n is the Gauss–Newton matrix, with the Jacobian J of the outputs and the Hessian H_ℓ
    of the loss in the outputs; R is the residual. `gauss_newton` is λmax of S^½GS^½; `residual` and
    `residual_low` are the largest and the smallest eigenvalue of S^½RS^½, with S as in the Hessian
    probe. `error` is the largest relative error bound of the three.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        trackers = (tracker(settings, generator) for _ in range(3))
        self.gauss_newton, self.residual, self.residual_low = trackers

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        landscape, factors = view.landscape(), view.factors
        gauss_newton = GaussNewtonOperator(landscape, factors)
        residual = ResidualOperator(HessianOperator(landscape, factors), gauss_newton)
        solutions = [
            self.gauss_newton.at(gauss_newton),
            self.residual.at(residual),
            self.residual_low.at(Negative(residual)),
        ]
        largest, high, low = (float(pairs.values[0]) for pairs in solutions)
        return {
            "gauss_newton": largest,
            "residual": high,
            "residual_low": -low,
            "error": max(float(pairs.errors[0]) for pairs in solutions),
            "converged": all(pairs.converged for pairs in solutions),
            "products": sum(pairs.products for pairs in solutions),
        }
