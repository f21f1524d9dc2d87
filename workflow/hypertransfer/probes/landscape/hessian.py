"""The Hessian probe: its largest eigenvalues along training, warm-started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from hypertransfer.curvature.lanczos import Tracker
from hypertransfer.curvature.operators import HessianOperator
from hypertransfer.probes.checkpoint import View

MAX_RATIO = 1 + 1e-12  # learning-rate factors closer than this are one number


class Probe:
    """Curvature of the mean loss over fixed samples, at one checkpoint after another.

    `scaled_sharpness` is the largest (algebraic) eigenvalue of S^½ H S^½, with S the diagonal
    of each parameter's learning rate over the global one: γ²λ of the Super Consistency paper,
    whose S is a number. It is the same in all equivalent forms of a parameterisation, while
    `sharpness`, that of H itself, depends on the form. `edge` is lr × scaled sharpness, which
    gradient descent holds near 2 at the edge of stability (Cohen et al. 2103.00065); `second`
    and `last` are the second and the smallest of the eigenvalues asked for. `error` is the
    largest relative error bound.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.scaled, self.raw = (Tracker(settings, generator) for _ in range(2))

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        hessian = view.hessian()
        found = self.scaled.at(hessian)
        values, factors = found.values.tolist(), view.factors
        second, last = found.second_and_last
        row = {
            "eigenvalues": values,
            "scaled_sharpness": values[0],
            "second": second,
            "last": last,
            "edge": view.lr * values[0],
            "loss": hessian.loss,
            "gradient_norm": hessian.gradient_norm,
            "error": float(found.errors.max()),
            "converged": found.converged,
            "products": found.products,
        }
        if max(factors) <= min(factors) * MAX_RATIO:
            row["sharpness"] = row["scaled_sharpness"] / factors[0]
        else:
            raw = self.raw.at(HessianOperator(view.landscape()))
            row["sharpness"] = float(raw.values[0])
            row["products"] += raw.products
        return row
