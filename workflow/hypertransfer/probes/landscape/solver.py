"""The eigensolver with the settings of a probe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from hypertransfer.curvature.lanczos import Tracker


def tracker(settings: Mapping[str, Any], generator: torch.Generator) -> Tracker:
    """A tracker of `eigenvalues` values (1 if the probe has no such setting), within `tolerance`.

    It takes at most `max_products` products at a checkpoint.
    """
    return Tracker(
        generator,
        k=settings.get("eigenvalues", 1),
        tolerance=settings["tolerance"],
        max_products=settings["max_products"],
    )
