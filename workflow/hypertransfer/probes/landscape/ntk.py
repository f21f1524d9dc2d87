"""The NTK probe: largest eigenvalues of the empirical neural tangent kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from hypertransfer.curvature.operators import NTKOperator
from hypertransfer.probes.checkpoint import View
from hypertransfer.probes.landscape.solver import tracker


class Probe:
    """Eigenvalues of the kernel JSJᵀ/n over all outputs of the n fixed samples.

    J is the Jacobian of the outputs, and S is as in the Hessian probe. Divided by n, the
    eigenvalues are comparable with the curvature of the mean loss. `ntk_eigenvalues` are the
    largest ones in descending order; `ntk` is the first of them, `ntk_second` the second, and
    `ntk_last` the smallest; `ntk_second` and `ntk_last` are null if only one is computed. `error`
    is the largest relative error bound.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.tracker = tracker(settings, torch.Generator().manual_seed(seed))

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        pairs = self.tracker.at(NTKOperator(view.landscape(), view.factors))
        values = pairs.values.tolist()
        second, last = pairs.second_and_last
        return {
            "ntk_eigenvalues": values,
            "ntk": values[0],
            "ntk_second": second,
            "ntk_last": last,
            "error": float(pairs.errors.max()),
            "converged": pairs.converged,
            "products": pairs.products,
        }
