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

DIMENSIONS = ("width", "depth", "batch", "duration")  # as `Ratios` names them
SIZE = ("shape.width", "shape.depth", "batch_size", "steps")  # columns that make a size
FEWEST_RATES = 3  # learning rates of a sweep
UNKNOWN_SEED = 0.25  # octaves (our choice)


@dataclass(frozen=True)
class Observation:
    """The sweep of one size.

    Attributes:
        size: values of the columns `SIZE`.
        base: the base values of the columns `SIZE`.
        sweep: losses over learning rates and seeds.
        optimum: that of the mean loss over seeds.
        error: standard error of the optimum's log2 lr, from seeds and forms of the loss curve; inf
            if the optimum is open on a side.
        seed_deviation: standard deviation of the optimum of a single seed, pooled over sizes; None
            if no size has several seeds.
        seconds: of one run that did not diverge, the mean.
        flops: of one such run, the mean.
    """

    size: tuple[int, ...]
    base: tuple[int, ...]
    sweep: Sweep
    optimum: Optimum
    error: float
    seed_deviation: float | None
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
    def form_error(self) -> float:
        """The part of the error that is from the forms of the loss curve, and from its steps."""
        return (self.optimum.high - self.optimum.low) / math.sqrt(12)

    @property
    def seeds(self) -> int:
        """The number of seeds."""
        return len(self.sweep.losses)


def logs_of(size: Sequence[int]) -> tuple[float, ...]:
    """log2 of a size in each of `DIMENSIONS`; the duration is counted in samples."""
    width, depth, batch, steps = size
    return tuple(map(math.log2, (width, depth, batch, batch * steps)))


def observations(
    runs: pd.DataFrame, base_of: Callable[[str], tuple[int, ...]], loss: str = "final_loss"
) -> list[Observation]:
    """The observations of an arm, by the size: the width first.

    Seeds of a size need not be those of another one. How much the optimum varies from seed to seed
    is pooled over sizes, each of which has few.

    Args:
        runs: the runs of the arm: rows that differ in size, learning rate and seed alone.
        base_of: the base values of the columns `SIZE` of the run with a key.
        loss: the column of the loss; a run that diverged has an infinite one.

    Raises:
        AnalysisError: two runs are alike in size, learning rate and seed, or no size has
            `FEWEST_RATES` learning rates.
    """
    found = []
    for size, group in runs.groupby(list(SIZE)):
        if group["lr"].nunique() < FEWEST_RATES:
            continue
        whole = group[group["status"] != "diverged"]
        whole = group if whole.empty else whole
        (sweep,) = sweeps(group.assign(one=1.0), "one", loss)
        found.append(
            Observation(
                size=tuple(int(part) for part in size),
                base=base_of(group["key"].iloc[0]),
                sweep=sweep,
                optimum=sweep.optimum(np.arange(len(sweep.losses))),
                error=math.inf,
                seed_deviation=None,
                seconds=float(whole["seconds"].mean()),
                flops=float(whole["flops"].mean()),
            )
        )
    if not found:
        raise AnalysisError(
            f"no size has runs at {FEWEST_RATES} learning rates: a recommendation is made from "
            "learning-rate sweeps"
        )
    deviation = _seed_deviation(found)
    return [
        replace(one, seed_deviation=deviation, error=error_of(one, deviation, one.seeds))
        for one in found
    ]


def bracketed(found: Sequence[Observation]) -> list[Observation]:
    """The sizes whose sweep brackets the best rate, those with few operations first."""
    return sorted((one for one in found if not one.is_open), key=lambda one: (one.flops, one.logs))


def _seed_deviation(found: Sequence[Observation]) -> float | None:
    """The standard deviation of a single seed's optimum, pooled over the sizes with several seeds.

    None if there are none. Of n seeds, delete-one jackknife gives the variance of the optimum of
    their mean; that of one seed is n times as large.
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
    return math.sqrt(squares / freedom) if freedom else None


def error_of(one: Observation, seed_deviation: float | None, seeds: int) -> float:
    """The standard error of the optimum of a size with a number of seeds.

    What its bounds leave open counts as evenly spread. Where no size has several seeds, a single
    seed has the deviation `UNKNOWN_SEED`.
    """
    deviation = UNKNOWN_SEED if seed_deviation is None else seed_deviation
    return math.hypot(one.form_error, deviation / math.sqrt(seeds))  # inf if a bound is open
