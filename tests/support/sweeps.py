"""Sweeps and tables of runs whose optimum is known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from hypertransfer.analysis.sweeps import Sweep

INF = math.inf
ALL = np.arange  # ALL(n): the row numbers of n seeds


def near(estimate):
    """The estimate up to rounding; compare with `parts`."""
    return pytest.approx(parts(estimate), nan_ok=True)


def parts(estimate):
    return (estimate.value, estimate.low, estimate.high)


def parabola(log2_lrs, vertex, curvature=1.0, floor=0.5):
    return floor + curvature / 2 * (np.asarray(log2_lrs, float) - vertex) ** 2


def sweep(size, vertex, log2_lrs=range(-6, 3), noise=None, **options):
    """A sweep whose seeds all have the same parabola, plus noise of shape (seed, lr)."""
    losses = parabola(log2_lrs, vertex, **options)
    losses = losses + (np.zeros((3, 1)) if noise is None else noise)
    return Sweep(float(size), 2.0 ** np.asarray(log2_lrs, float), losses)


def runs_table(rows):
    """A runs table from (width, lr, seed, loss); diverged where the loss is inf."""
    frame = pd.DataFrame(rows, columns=["shape.width", "lr", "seed", "final_loss"])
    frame["status"] = np.where(np.isinf(frame["final_loss"]), "diverged", "finished")
    frame["key"] = [f"run{i}" for i in range(len(frame))]
    return frame


def rows(widths=(16, 64), log2_lrs=(-2, -1, 0), seeds=(0, 1, 2)):
    return [
        (w, 2.0**x, s, 1 + (x + 1) ** 2 + w / 1000 + s / 10)
        for w in widths
        for x in log2_lrs
        for s in seeds
    ]
