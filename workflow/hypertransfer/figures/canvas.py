"""Panels of one size and words for axes, for all figures."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt

PANEL = (3.6, 2.9)  # inches
# Of columns and hyperparameters.
WORDS = {
    "shape.width": "width",
    "shape.depth": "depth",
    "batch_size": "batch size",
    "base.width": "base width",
    "steps": "steps",
    "lr": "learning rate η₀",
    "weight_decay": "weight decay λ₀",
    "optimizer.momentum": "momentum 1 − α",
    "model.experts": "experts",
    "shape.granularity": "granularity",
    "learning_rate_init": "learning rate",
    "schedule.warmup": "warm-up, share of the steps",
    "alpha": "α",
    "gamma": "γ",
    "eta0": "η₀",
}


def panels(rows: int, columns: int, width: float = 1, height: float = 1, **kwargs: Any):
    """A figure with rows × columns panels, of so many times the usual width and height."""
    size = (PANEL[0] * columns * width, PANEL[1] * rows * height)
    return plt.subplots(rows, columns, figsize=size, squeeze=False, **kwargs)
