"""The Gauss–Newton probe: the Hessian as the sum of its two parts, each one's extremes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from hypertransfer.curvature.lanczos import Tracker
from hypertransfer.curvature.operators import (
    GaussNewtonOperator,
    HessianOperator,
    Negative,
    ResidualOperator,
)
from hypertransfer.probes.checkpoint import View


class Probe:
    """H = G + R with G = JᵀH_ℓJ/n: `gauss_newton` is λmax of S^½GS^½, `residual` that of S^½RS^½.

    `residual_low` is the smallest eigenvalue of S^½RS^½, which has both signs. S as in the
    Hessian probe. `error` is the largest relative error bound of the three.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.whole, self.high, self.low = (Tracker(settings, generator) for _ in range(3))

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        landscape, factors = view.landscape(), view.factors
        part = GaussNewtonOperator(landscape, factors)
        rest = ResidualOperator(HessianOperator(landscape, factors), part)
        found = [self.whole.at(part), self.high.at(rest), self.low.at(Negative(rest))]
        top, high, low = (float(one.values[0]) for one in found)
        return {
            "gauss_newton": top,
            "residual": high,
            "residual_low": -low,
            "error": max(float(one.errors[0]) for one in found),
            "converged": all(one.converged for one in found),
            "products": sum(one.products for one in found),
        }
