"""Sweeps over sizes whose best learning rates are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

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
    levels: tuple[float, ...] = (1.0,),
) -> pd.DataFrame:
    """Runs over the width whose log loss is a parabola about a known log2 of the learning rate.

    `shifts(width)` (seed,) moves the best rate of each seed; from `diverges` octaves above the
    best rate on, runs diverge. The losses of the seeds have factors `levels`, in turn.
    """
    rows = []
    for width, place in best.items():
        moved = np.zeros(seeds) if shifts is None else shifts(width)
        for seed in range(seeds):
            for rate in rates:
                away = rate - place - moved[seed]
                level = 2 * levels[seed % len(levels)]
                diverged = rate - place >= diverges
                loss = math.inf if diverged else level * math.exp(curvature * away**2)
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
                        "seconds": (0.001 if diverged else 0.01) * width**2,
                        "flops": (1e5 if diverged else 1e6) * width**2,
                    }
                )
    return pd.DataFrame(rows)


def base_of(key: str) -> tuple[int, ...]:
    """The base of every run; batch size and steps have others than the runs."""
    return BASE["width"], BASE["depth"], 2 * BASE["batch_size"], 2 * BASE["steps"]


def observed(best: Mapping[int, float], **options) -> list[Observation]:
    """The observations of `runs_of`."""
    return observations(runs_of(best, **options), base_of)
