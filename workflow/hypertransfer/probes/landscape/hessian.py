"""The Hessian probe: the largest eigenvalues of the Hessian along training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from hypertransfer.curvature.operators import HessianOperator
from hypertransfer.probes.checkpoint import View
from hypertransfer.probes.landscape.solver import tracker

MAX_RATIO = 1 + 1e-12  # factors of S whose ratio is at most this count as equal


class Probe:
    """Eigenvalues of the Hessian H of the mean loss over the fixed samples.

    S is the diagonal matrix of the parameters' learning rates divided by the global learning rate.
    `eigenvalues` are the largest (algebraic) eigenvalues of S^½ H S^½ in descending order;
    `scaled_sharpness` is the first of them, `second` the second, and `last` the smallest; `second`
    and `last` are null if only one is computed. The scaled sharpness is γ²λ of the Super
    Consistency paper (Noci et al. 2402.17457), in which S is a number; it is equal in all
    equivalent forms of a parameterisation. `sharpness`, λmax of H itself, depends on the form.
    `edge` is lr × scaled sharpness, which gradient descent keeps near 2 at the edge of stability
    (Cohen et al. 2103.00065). `loss` is the mean loss, and `gradient_norm` the norm of its
    gradient, without S. `error` is the largest relative error bound.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.scaled, self.raw = (tracker(settings, generator) for _ in range(2))

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        hessian = view.hessian()
        pairs = self.scaled.at(hessian)
        values, factors = pairs.values.tolist(), view.factors
        second, last = pairs.second_and_last
        row = {
            "eigenvalues": values,
            "scaled_sharpness": values[0],
            "second": second,
            "last": last,
            "edge": view.lr * values[0],
            "loss": hessian.loss,
            "gradient_norm": hessian.gradient_norm,
            "error": float(pairs.errors.max()),
            "converged": pairs.converged,
            "products": pairs.products,
        }
        if max(factors) <= min(factors) * MAX_RATIO:
            row["sharpness"] = row["scaled_sharpness"] / factors[0]
        else:
            raw = self.raw.at(HessianOperator(view.landscape()))
            row["sharpness"] = float(raw.values[0])
            row["products"] += raw.products
        return row
