"""The alignment probe: curvature along the gradient, of the fixed samples and of minibatches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hypertransfer.curvature.operators import HessianOperator
from hypertransfer.probes.checkpoint import View


class Probe:
    """Curvature in the direction of the gradient, in coordinates scaled by S^½.

    g and H are gradient and Hessian of the mean loss over the fixed samples, g̃ = S^½g and
    H̃ = S^½HS^½, with S as in the Hessian probe. `directional_sharpness` is g̃ᵀH̃g̃/‖g̃‖², and
    `alignment` is the cosine g̃ᵀH̃g̃/(‖g̃‖‖H̃g̃‖), which is 1 if g̃ is an eigenvector of a positive
    eigenvalue.

    `batch_sharpness` is E[g̃_BᵀH̃_Bg̃_B]/E[‖g̃_B‖²] over `batches` random minibatches B of the run's
    batch size. Under SGD, the batch sharpness stays near 2/lr, while the sharpness stays below
    (Andreyev and Beneventano 2412.20553). `batch_edge` is lr × batch sharpness. Both are null with
    `batches: 0`. `error` is the relative standard error of the batch sharpness, and 0 if a batch is
    the whole training set.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.batches = settings["batches"]
        self.generator = torch.Generator().manual_seed(seed)

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        quadratic, square, product = _along(view.hessian())
        row = {
            "directional_sharpness": quadratic / square if square else math.nan,
            "alignment": quadratic / math.sqrt(square * product) if square * product else math.nan,
            "batch_sharpness": None,
            "batch_edge": None,
            "error": 0.0,
            "converged": True,
            "products": 1,
        }
        if self.batches:
            row["batch_sharpness"], row["error"], used = self._over_batches(view)
            row["batch_edge"] = view.lr * row["batch_sharpness"]
            row["products"] += used
        return row

    def _over_batches(self, view: View) -> tuple[float, float, int]:
        """Batch sharpness, its relative standard error, and the number of products."""
        whole = view.batch_size >= len(view.train_y)
        pairs = []
        for _ in range(1 if whole else self.batches):
            rows = self._rows(view, whole)
            landscape = view.landscape(view.train_x[rows], view.train_y[rows])
            pairs.append(_along(HessianOperator(landscape, view.factors))[:2])
        above, below = (math.fsum(pair[i] for pair in pairs) / len(pairs) for i in range(2))
        if not below:
            return math.nan, math.nan, len(pairs)
        ratio = above / below
        # Standard error of a ratio of means q/s, to first order: that of q − ratio·s, over mean s.
        rest = [q - ratio * s for q, s in pairs]
        spread = math.sqrt(math.fsum(r * r for r in rest) / max(len(rest) - 1, 1) / len(rest))
        return ratio, abs(spread / below / ratio) if ratio else math.nan, len(pairs)

    def _rows(self, view: View, whole: bool) -> Tensor:
        n = len(view.train_y)
        rows = torch.arange(n) if whole else torch.randperm(n, generator=self.generator)
        return rows[: view.batch_size].to(view.train_y.device)


def _along(hessian: HessianOperator) -> tuple[float, float, float]:
    """The numbers g̃ᵀH̃g̃, ‖g̃‖² and ‖H̃g̃‖²."""
    g = hessian.scaled_gradient
    product = hessian(g)
    return float(g @ product), float(g @ g), float(product @ product)
