"""The preconditioned probe: sharpness as Adam feels it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from hypertransfer.curvature.lanczos import Tracker
from hypertransfer.curvature.operators import HessianOperator
from hypertransfer.probes.checkpoint import View


class Probe:
    """`preconditioned_sharpness` is λmax of (SP⁻¹)^½ H (SP⁻¹)^½ with Adam's P = diag(√v̂ + ε).

    v̂ is the bias-corrected second moment, ε each parameter's own, S as in the Hessian probe.
    `stability` is lr × preconditioned sharpness over Adam's own level (2 + 2β₁)/(1 − β₁), 38
    at β₁ = 0.9: full-batch Adam stays below 1 and hovers there (Cohen et al. 2207.14484). Nothing
    is measured at step 0, where there are no moments.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.tracker = Tracker(settings, torch.Generator().manual_seed(seed))

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        if not view.preconditioner:
            return {"preconditioned_sharpness": None, "stability": None, "error": math.nan,
                    "converged": True, "products": 0}  # fmt: skip
        scale = [view.scales[name] / view.preconditioner[name] for name in view.parameters]
        found = self.tracker.at(HessianOperator(view.landscape(), scale))
        value, beta = float(found.values[0]), view.betas[0]
        return {
            "preconditioned_sharpness": value,
            "stability": view.lr * value * (1 - beta) / (2 + 2 * beta),
            "error": float(found.errors[0]),
            "converged": found.converged,
            "products": found.products,
        }
