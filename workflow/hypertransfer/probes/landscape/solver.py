"""The eigensolver of the landscape probes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from hypertransfer.curvature.lanczos import Tracker


def tracker(settings: Mapping[str, Any], generator: torch.Generator) -> Tracker:
    """An eigenvalue tracker with the settings of a probe.

    The setting `eigenvalues` is the number of eigenvalues (1 if the probe has no such setting),
    `tolerance` the relative error bound, and `max_products` the largest number of matrix-vector
    products at one checkpoint.
    """
    return Tracker(
        generator,
        k=settings.get("eigenvalues", 1),
        tolerance=settings["tolerance"],
        max_products=settings["max_products"],
    )
