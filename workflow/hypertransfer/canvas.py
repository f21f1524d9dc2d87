"""Panels of one size, for all figures."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt

PANEL = (3.6, 2.9)  # inches


def panels(rows: int, columns: int, width: float = 1, height: float = 1, **kwargs: Any):
    """A figure with rows × columns panels, of so many times the usual width and height."""
    size = (PANEL[0] * columns * width, PANEL[1] * rows * height)
    return plt.subplots(rows, columns, figsize=size, squeeze=False, **kwargs)
