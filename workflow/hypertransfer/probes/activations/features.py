"""The features probe: the distance of features and weights from initialisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hypertransfer.parameterisation.algebra import Role
from hypertransfer.probes.activations import residual_stream
from hypertransfer.probes.checkpoint import View


class Probe:
    """Relative distances of features and weights between step t and initialisation.

    h_t, of shape (samples, features), is the input of the readout on the fixed samples, and θ_t
    the vector of all parameters. `feature_distance` is ‖h_t − h_0‖/‖h_0‖. `kernel_distance` is
    1 − ⟨K_t, K_0⟩/(‖K_t‖‖K_0‖) with the Gram matrix K = hhᵀ; a common factor on all features leaves
    this distance unchanged (1 − CKA without centring, Kornblith et al. 1905.00414).
    `weight_distance` is ‖θ_t − θ_0‖/‖θ_0‖. Exact up to rounding.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.start: Tensor | None = None

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        if self.start is None:
            with view.at_start():
                self.start = features(view.network, view.x)
        now, start = features(view.network, view.x), self.start
        weights = [(p.detach(), view.initial[n]) for n, p in view.network.named_parameters()]
        change = sum(float((p - w.to(p)).square().sum()) for p, w in weights)
        initial = sum(float(w.square().sum()) for _, w in weights)
        kernels = now @ now.T, start @ start.T
        cosine = (kernels[0] * kernels[1]).sum() / (kernels[0].norm() * kernels[1].norm())
        return {
            "feature_distance": float((now - start).norm() / start.norm()),
            "kernel_distance": float(1 - cosine),
            "weight_distance": (change / initial) ** 0.5,
            "error": 0.0,
            "converged": True,
            "products": 0,
        }


@torch.no_grad()
def features(network: nn.Module, x: Tensor) -> Tensor:
    """The input of the readout, float64, of shape (samples, features).

    For a text, features are those of all tokens of a sample.

    Raises:
        ValueError: no layer has the role `output`, or several have.
    """
    readout = residual_stream.module_of(network, Role.OUTPUT)
    stream, _ = residual_stream.through(network, readout, x)
    return stream.flatten(1)
