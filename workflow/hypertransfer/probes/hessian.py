"""The Hessian probe: largest eigenvalues and trace along training, warm-started."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hypertransfer.probes.hutchinson import trace
from hypertransfer.probes.lanczos import Eigenpairs, top_eigenvalues
from hypertransfer.probes.operators import HessianOperator

MAX_RATIO = 1 + 1e-12  # learning-rate factors closer than this are one number
CHUNK = 1024  # samples whose graph is held at once


class Probe:
    """Curvature of the mean loss over fixed samples, at one checkpoint after another.

    `scaled_sharpness` is the largest (algebraic) eigenvalue of S^½ H S^½, with S the diagonal
    of each parameter's learning rate over the global one: γ²λ of the Super Consistency paper,
    whose S is a number. It is the same in all equivalent forms of a parameterisation, while
    `sharpness`, that of H itself, depends on the form. `edge` is lr × scaled sharpness, which
    gradient descent holds near 2 at the edge of stability (Cohen et al. 2103.00065). `trace`
    is that of S^½ H S^½; `error` the relative error bound of the scaled sharpness.
    """

    def __init__(self, settings: Mapping[str, Any], scales: list[float], seed: int) -> None:
        self.settings, self.scales = settings, scales
        self.generator = torch.Generator().manual_seed(seed)
        self.start: dict[bool, Eigenpairs] = {}  # what the last checkpoint gave

    def at(
        self, network: nn.Module, loss: Callable[..., Tensor], x: Tensor, y: Tensor, *, lr: float
    ) -> dict[str, Any]:
        """One row of the probe's table at the network's present weights."""
        scaled = self._operator(network, loss, x, y, self.scales)
        found = self._top(scaled, scaled=True)
        row = {
            "eigenvalues": found.values.tolist(),
            "scaled_sharpness": float(found.values[0]),
            "edge": lr * float(found.values[0]),
            "error": float(found.errors[0]),
            "converged": found.converged,
            "products": found.products,
            "loss": float(scaled.loss),
            "gradient_norm": float(scaled.gradient_norm),
            "trace": math.nan,
            "trace_error": math.nan,
        }
        if self.settings["trace_samples"]:
            row["trace"], row["trace_error"] = trace(
                scaled, self.settings["trace_samples"], self.generator
            )
        if max(self.scales) <= min(self.scales) * MAX_RATIO:
            row["sharpness"] = row["scaled_sharpness"] / self.scales[0]
        else:
            raw = self._top(self._operator(network, loss, x, y, None), scaled=False)
            row["sharpness"] = float(raw.values[0])
            row["products"] += raw.products
        return row

    def _operator(
        self,
        network: nn.Module,
        loss: Callable[..., Tensor],
        x: Tensor,
        y: Tensor,
        scale: list[float] | None,
    ) -> HessianOperator:
        parameters = [p.requires_grad_(True) for p in network.parameters()]
        return HessianOperator(
            lambda rows: loss(network, x[rows], y[rows]),
            parameters,
            samples=len(y),
            scale=scale,
            chunk_size=CHUNK,
        )

    def _top(self, operator: HessianOperator, *, scaled: bool) -> Eigenpairs:
        found = top_eigenvalues(
            operator,
            k=self.settings["eigenvalues"],
            start=self.start.get(scaled),
            tolerance=self.settings["tolerance"],
            max_products=self.settings["max_products"],
            generator=self.generator,
        )
        self.start[scaled] = found
        return found
