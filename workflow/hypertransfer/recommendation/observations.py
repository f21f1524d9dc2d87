"""What the sweeps of an arm say: the best learning rate of each size, with its standard error."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hypertransfer.analysis.estimate import AnalysisError
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import pandas as pd
from hypertransfer.analysis.optimum import Optimum
from hypertransfer.analysis.sweeps import Sweep, sweeps
from hypertransfer.parameterisation.algebra import Ratios

DIMENSIONS = ("width", "depth", "batch", "duration")  # as `Ratios` names them
SIZE = ("shape.width", "shape.depth", "batch_size", "steps")  # columns that make a size
FEWEST_RATES = 3  # learning rates of a sweep


@dataclass(frozen=True)
class Observation:
    """The sweep of one size.

    Attributes:
        size: values of the columns `SIZE`.
        ratios: those of the size to the base.
        sweep: losses over learning rates and seeds.
        optimum: that of the mean loss over seeds.
        error: standard error of the optimum's log2 lr, from seeds and forms of the loss curve; inf
            if the optimum is open on a side.
        seconds: of one run, the mean.
        flops: of one run, the mean.
    """

    size: tuple[int, ...]
    ratios: Ratios
    sweep: Sweep
    optimum: Optimum
    error: float
    seconds: float
    flops: float

    @property
    def logs(self) -> tuple[float, ...]:
        """log2 of width, depth, batch size and number of samples, as `DIMENSIONS` has them."""
        return logs_of(self.size)

    @property
    def is_open(self) -> bool:
        """Whether the sweep does not bracket the optimum."""
        return not math.isfinite(self.error)

    @property
    def seeds(self) -> int:
        """The number of seeds."""
        return len(self.sweep.losses)


def logs_of(size: Sequence[int]) -> tuple[float, ...]:
    """log2 of a size in each of `DIMENSIONS`; the duration is counted in samples."""
    width, depth, batch, steps = size
    return tuple(map(math.log2, (width, depth, batch, batch * steps)))


def observations(
    runs: pd.DataFrame, ratios_of: Callable[[str], Ratios], loss: str = "final_loss"
) -> list[Observation]:
    """The observations of an arm, by the size: the width first.

    Seeds of a size need not be those of another one. How much the optimum varies from seed to seed
    is pooled over sizes, each of which has few.

    Args:
        runs: the runs of the arm: rows that differ in size, learning rate and seed alone.
        ratios_of: the ratios of the run with a key to its base.
        loss: the column of the loss; a run that diverged has an infinite one.

    Raises:
        AnalysisError: two runs are alike in size, learning rate and seed, or no size has
            `FEWEST_RATES` learning rates.
    """
    found = []
    for size, group in runs.groupby(list(SIZE)):
        if group["lr"].nunique() < FEWEST_RATES:
            continue
        (sweep,) = sweeps(group.assign(one=1.0), "one", loss)
        found.append(
            Observation(
                size=tuple(int(part) for part in size),
                ratios=ratios_of(group["key"].iloc[0]),
                sweep=sweep,
                optimum=sweep.optimum(np.arange(len(sweep.losses))),
                error=math.inf,
                seconds=float(group["seconds"].mean()),
                flops=float(group["flops"].mean()),
            )
        )
    if not found:
        raise AnalysisError(
            f"no size has runs at {FEWEST_RATES} learning rates: a recommendation is made from "
            "learning-rate sweeps"
        )
    variance = _seed_variance(found)
    return [replace(one, error=_error(one, variance)) for one in found]


def _seed_variance(found: Sequence[Observation]) -> float:
    """The variance of a single seed's optimum, pooled over the sizes with several seeds.

    Of n seeds, delete-one jackknife gives the variance of the optimum of their mean; that of one
    seed is n times as large.
    """
    squares, freedom = 0.0, 0
    for one in found:
        count = one.seeds
        if count < 2 or one.optimum.edge:
            continue
        places = [
            one.sweep.optimum(np.delete(np.arange(count), row)).log2_lr for row in range(count)
        ]
        if np.isfinite(places).all():
            squares += (count - 1) ** 2 * float(np.var(places, ddof=0)) * count
            freedom += count - 1
    return squares / freedom if freedom else 0.0


def _error(one: Observation, seed_variance: float) -> float:
    """The standard error of an optimum; what its bounds leave open counts as evenly spread."""
    width = one.optimum.high - one.optimum.low
    return (
        math.sqrt(width**2 / 12 + seed_variance / one.seeds) if math.isfinite(width) else math.inf
    )
