"""The preconditioned probe: the sharpness in the metric of Adam's preconditioner."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from hypertransfer.curvature.operators import HessianOperator
from hypertransfer.probes.checkpoint import View
from hypertransfer.probes.landscape.solver import tracker


class Probe:
    """Sharpness of the mean loss on the fixed samples, preconditioned as Adam's update.

    `preconditioned_sharpness` is λmax of (SP⁻¹)^½ H (SP⁻¹)^½ with Adam's P = diag(√v̂ + ε), where v̂
    is the bias-corrected second moment and ε the epsilon of the parameter; S is as in the Hessian
    probe. `stability` is lr × preconditioned sharpness, divided by Adam's threshold
    (2 + 2β₁)/(1 − β₁), which is 38 at β₁ = 0.9; full-batch Adam keeps `stability` near 1 (Cohen et
    al. 2207.14484). Both are null at step 0, before there are moments.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.tracker = tracker(settings, torch.Generator().manual_seed(seed))

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        if not view.preconditioner:
            return {
                "preconditioned_sharpness": None,
                "stability": None,
                "error": math.nan,
                "converged": True,
                "products": 0,
            }
        # A parameter without a gradient so far has no moments, and is not preconditioned.
        scale = [
            view.scales[name] / view.preconditioner.get(name, torch.ones_like(parameter))
            for name, parameter in view.parameters.items()
        ]
        pairs = self.tracker.at(HessianOperator(view.landscape(), scale))
        value, beta = float(pairs.values[0]), view.betas[0]
        return {
            "preconditioned_sharpness": value,
            "stability": view.lr * value * (1 - beta) / (2 + 2 * beta),
            "error": float(pairs.errors[0]),
            "converged": pairs.converged,
            "products": pairs.products,
        }
