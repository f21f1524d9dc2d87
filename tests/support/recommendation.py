"""Sweeps over sizes whose best learning rates are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from hypertransfer.parameterisation.algebra import Ratios
from hypertransfer.recommendation.observations import Observation, observations

BASE = {"width": 16, "depth": 2, "batch_size": 8, "steps": 100}
RATES = tuple(float(x) for x in range(-9, 3))


def runs_of(
    best: Mapping[int, float],
    seeds: int = 3,
    shifts: Callable[[int], np.ndarray] | None = None,
    rates: tuple[float, ...] = RATES,
    curvature: float = 0.05,
    diverges: float = math.inf,
) -> pd.DataFrame:
    """Runs over the width whose log loss is a parabola about a known log2 of the learning rate.

    `shifts(width)` (seed,) moves the best rate of each seed; from `diverges` octaves above the
    best rate on, runs diverge.
    """
    rows = []
    for width, place in best.items():
        moved = np.zeros(seeds) if shifts is None else shifts(width)
        for seed in range(seeds):
            for rate in rates:
                away = rate - place - moved[seed]
                loss = math.inf if rate - place >= diverges else 2 * math.exp(curvature * away**2)
                rows.append(
                    {
                        "grid": "sweep",
                        "key": f"{width}",
                        "shape.width": width,
                        "shape.depth": BASE["depth"],
                        "batch_size": BASE["batch_size"],
                        "steps": BASE["steps"],
                        "lr": 2.0**rate,
                        "seed": seed,
                        "status": "diverged" if math.isinf(loss) else "finished",
                        "final_loss": loss,
                        "seconds": 0.01 * width**2,
                        "flops": 1e6 * width**2,
                    }
                )
    return pd.DataFrame(rows)


def of_width(key: str) -> Ratios:
    """The ratios of a run whose key is its width."""
    return Ratios(width=int(key) / BASE["width"])


def observed(best: Mapping[int, float], **options) -> list[Observation]:
    """The observations of `runs_of`."""
    return observations(runs_of(best, **options), of_width)
