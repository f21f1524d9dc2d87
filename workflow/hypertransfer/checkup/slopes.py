"""Powers of a size by which a quantity of a module grows: slopes of logarithms, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hypertransfer.analysis.intervals import LEVEL, quantile
from hypertransfer.analysis.lazy import numpy as np


@dataclass(frozen=True)
class Slope:
    """log2 of a quantity per octave of the size, by least squares over sizes and seeds.

    `low` and `high` are the ends of the confidence interval, by Student's t of the residuals.
    """

    value: float
    low: float
    high: float


def slope(values: Mapping[int, Sequence[float]], level: float = LEVEL) -> Slope | None:
    """The slope of a quantity over sizes; None with fewer than two sizes.

    Args:
        values: the quantity of each seed, by the size; those that are not above 0 are left out.
        level: the probability with which the interval covers a power law with even noise.
    """
    points = [
        (math.log2(size), math.log2(value))
        for size, of_seeds in values.items()
        for value in of_seeds
        if value > 0 and math.isfinite(value)
    ]
    x, y = (np.array(column) for column in zip(*points, strict=True)) if points else ([], [])
    if len(set(x)) < 2:
        return None
    away = x - x.mean()
    found = float(away @ y / (away @ away))
    freedom = len(x) - 2
    if not freedom:
        return Slope(found, -math.inf, math.inf)
    residuals = y - y.mean() - found * away
    error = math.sqrt(float(residuals @ residuals) / freedom / float(away @ away))
    reach = quantile(level, freedom) * error
    return Slope(found, found - reach, found + reach)
