"""The preconditioned probe: the sharpness in the metric of Adam's preconditioner."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hypertransfer.curvature.operators import HessianOperator, LinearOperator
from hypertransfer.probes.checkpoint import View
from hypertransfer.probes.landscape.solver import tracker


class Probe:
    """Sharpness of the mean loss on the fixed samples, preconditioned as Adam's update.

    `preconditioned_sharpness` is λmax of (SP⁻¹)^½ H (SP⁻¹)^½ with Adam's P = diag(√v̂ + ε), where v̂
    is the bias-corrected second moment and ε the epsilon of the parameter; S is as in the Hessian
    probe. `stability` is lr × preconditioned sharpness, divided by Adam's threshold
    (2 + 2β₁)/(1 − β₁), which is 38 at β₁ = 0.9; full-batch Adam keeps `stability` near 1 (Cohen et
    al. 2207.14484).

    H is restricted to entries with v̂ > 0. The others have had no gradient so far, such as the
    embeddings of tokens that did not occur. Only weight decay moves them, and they would be divided
    by ε alone. Where √v̂ + ε is ε in the precision of the parameter, v̂ counts as 0. Both columns are
    null at step 0, before there are moments, and while v̂ is 0 everywhere.

    Entries that had few gradients are part of H. Their v̂ may be small by chance, and then they rule
    the eigenvalue: on text with rare tokens it varies much between seeds.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.tracker = tracker(settings, torch.Generator().manual_seed(seed))

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        operator = _operator(view) if view.preconditioner else None
        if operator is None:
            return {
                "preconditioned_sharpness": None,
                "stability": None,
                "error": math.nan,
                "converged": True,
                "products": 0,
            }
        pairs = self.tracker.at(operator)
        value, beta = float(pairs.values[0]), view.betas[0]
        return {
            "preconditioned_sharpness": value,
            "stability": view.lr * value * (1 - beta) / (2 + 2 * beta),
            "error": float(pairs.errors[0]),
            "converged": pairs.converged,
            "products": pairs.products,
        }


class Restricted:
    """The rows and columns of a symmetric operator at some of its coordinates.

    Args:
        operator: the operator.
        kept: the indices of the coordinates, of shape (dimension,).
    """

    def __init__(self, operator: LinearOperator, kept: Tensor) -> None:
        self.operator, self.kept = operator, kept
        self.dimension, self.products = len(kept), 0
        self.device, self.dtype = operator.device, operator.dtype

    def __call__(self, v: Tensor) -> Tensor:
        """The product with a vector, both of shape (dimension,)."""
        self.products += 1
        whole = v.new_zeros(self.operator.dimension)
        whole[self.kept] = v
        return self.operator(whole)[self.kept]


def _operator(view: View) -> LinearOperator | None:
    """(SP⁻¹)^½ H (SP⁻¹)^½ on the entries that had a gradient; None if there are none."""
    found = _had_gradient(view)
    kept = torch.cat([found[name].reshape(-1) for name in view.parameters]).nonzero()[:, 0]
    if not len(kept):
        return None
    # The factors of entries that are left out are never used.
    scale = [
        view.scales[name] / view.preconditioner.get(name, torch.ones_like(parameter))
        for name, parameter in view.parameters.items()
    ]
    whole = HessianOperator(view.landscape(), scale)
    return whole if len(kept) == whole.dimension else Restricted(whole, kept)


def _had_gradient(view: View) -> dict[str, Tensor]:
    """Whether the second moment of each entry is above 0, by the names of the parameters."""
    names = {id(parameter): name for name, parameter in view.parameters.items()}
    found = {n: torch.zeros_like(p, dtype=torch.bool) for n, p in view.parameters.items()}
    for group in view.make_optimizer(view.network).param_groups:
        for parameter in group["params"]:
            name = names[id(parameter)]
            if (root := view.preconditioner.get(name)) is not None:
                found[name] = root != torch.zeros_like(root) + group["eps"]  # √0 + ε, rounded alike
    return found
