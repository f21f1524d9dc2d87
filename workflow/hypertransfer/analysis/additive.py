"""Means over seeds of a table with missing entries: seeds and learning rates as additive effects.

A seed may have run some learning rates only. A plain mean would then compare averages over
different seeds. In the model `loss = seed + rate + noise` the offset of a seed cancels.
"""

from __future__ import annotations

from hypertransfer.analysis.lazy import numpy as np


def column_means(values: np.ndarray) -> np.ndarray:
    """Means (column,) over the rows of values (row, column), which are nan where missing.

    With nothing missing these are plain means. Otherwise they are the least-squares means of the
    additive model of rows and columns: the mean of a column over all rows, had all been run. A
    column is +inf if one of its entries is, and nan if it has no entry, or shares no row with the
    largest set of columns that rows connect.
    """
    if not np.isnan(values).any():
        return values.mean(axis=0)
    infinite = np.isposinf(values).any(axis=0)
    finite = np.isfinite(values) & ~infinite
    means = np.where(infinite, np.inf, np.nan)
    rows, columns = _connected(finite)
    if len(columns):
        means[columns] = _least_squares(values[np.ix_(rows, columns)])
    return means


def _least_squares(values: np.ndarray) -> np.ndarray:
    """Least-squares means of the columns of a connected table."""
    row, column = np.nonzero(np.isfinite(values))
    count, width = values.shape
    design = np.zeros((len(row), count + width))
    design[np.arange(len(row)), row] = 1
    design[np.arange(len(row)), count + column] = 1
    effects, *_ = np.linalg.lstsq(design, values[row, column], rcond=None)
    return effects[count:] + effects[:count].mean()


def _connected(present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the connected part of a table with the most entries."""
    best: tuple[np.ndarray, np.ndarray] = (np.zeros(0, int), np.zeros(0, int))
    most, unseen = 0, present.any(axis=1)
    while unseen.any():
        rows = np.zeros(len(present), bool)
        rows[np.flatnonzero(unseen)[0]] = True
        while True:
            columns = present[rows].any(axis=0)
            grown = present[:, columns].any(axis=1)
            if (grown == rows).all():
                break
            rows = grown
        unseen &= ~rows
        if present[rows].sum() > most:
            most, best = present[rows].sum(), (np.flatnonzero(rows), np.flatnonzero(columns))
    return best
