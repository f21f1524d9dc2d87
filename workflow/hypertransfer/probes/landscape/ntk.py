"""The NTK probe: largest eigenvalues of the empirical neural tangent kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from hypertransfer.curvature.lanczos import Tracker
from hypertransfer.curvature.operators import NTKOperator
from hypertransfer.probes.checkpoint import View


class Probe:
    """`ntk` is λmax of JSJᵀ/n over all outputs of the fixed samples, S as in the Hessian probe.

    Averaged over the n samples, so that it compares with curvature of the mean loss;
    `ntk_second` and `ntk_last` are the second and the smallest of those asked for.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.tracker = Tracker(settings, torch.Generator().manual_seed(seed))

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        found = self.tracker.at(NTKOperator(view.landscape(), view.factors))
        values = found.values.tolist()
        second, last = found.second_and_last
        return {
            "ntk_eigenvalues": values,
            "ntk": values[0],
            "ntk_second": second,
            "ntk_last": last,
            "error": float(found.errors.max()),
            "converged": found.converged,
            "products": found.products,
        }
