"""Measures of quantities along training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from hypertransfer.analysis.arms import series_of
from hypertransfer.claims.measure import Measured, Tables, measure, one_size, runs_of_common_seeds

if TYPE_CHECKING:
    from hypertransfer.analysis.estimate import Estimate
    from hypertransfer.analysis.trajectories import Trajectories


@measure("×")
def sharpness_spread(
    tables: Tables, seed: int, *, size: str = "shape.width", quantity: str = "scaled_sharpness",
    probe: str | None = None, tail: float = 1 / 3,
) -> Measured:  # fmt: skip
    """Largest over smallest size mean of a quantity, averaged over the last third of training."""
    from hypertransfer.analysis import trajectories

    def statistic(paths: Trajectories, seeds: Any) -> Estimate:
        return trajectories.spread(paths, seeds, tail)

    return _of_paths(tables, seed, size, quantity, probe, statistic)


@measure("")
def late_level(
    tables: Tables, seed: int, *, size: str = "shape.width", quantity: str = "edge",
    probe: str | None = None, tail: float = 1 / 3,
) -> Measured:  # fmt: skip
    """The mean of a quantity over sizes, seeds and the last third of training."""
    from hypertransfer.analysis import trajectories

    def statistic(paths: Trajectories, seeds: Any) -> Estimate:
        return trajectories.level(paths, seeds, tail)

    return _of_paths(tables, seed, size, quantity, probe, statistic, fewest=1)


@measure("")
def largest(
    tables: Tables, seed: int, *, size: str = "shape.width", quantity: str = "theory_error",
    probe: str | None = None,
) -> Measured:  # fmt: skip
    """The largest value of a quantity over all sizes, seeds and checkpoints."""
    from hypertransfer.analysis import trajectories

    return _of_paths(tables, seed, size, quantity, probe, trajectories.largest, fewest=1)


@measure("")
def size_exponent(
    tables: Tables, seed: int, *, size: str = "shape.width", quantity: str = "scaled_sharpness",
    probe: str | None = None, tail: float = 1 / 3,
) -> Measured:  # fmt: skip
    """b of a quantity ∝ size^b, averaged over the last third of training."""
    from hypertransfer.analysis import trajectories

    def statistic(paths: Trajectories, seeds: Any) -> Estimate:
        return trajectories.exponent(paths, seeds, tail)

    return _of_paths(tables, seed, size, quantity, probe, statistic)


@measure("")
def gap_size_exponent(
    tables: Tables, seed: int, *, size: str = "shape.width", quantity: str = "train_loss",
    probe: str | None = None, tail: float = 1 / 3, relative: bool = False,
) -> Measured:  # fmt: skip
    """b of |S_N − S_∞| ∝ N^b, averaged over the last third of training; S_∞ is the largest size."""
    from hypertransfer.analysis import trajectories

    def statistic(paths: Trajectories, seeds: Any) -> Estimate:
        return trajectories.closing(paths, seeds, tail, relative)

    return _of_paths(tables, seed, size, quantity, probe, statistic, fewest=3)


@measure("")
def gap_growth(
    tables: Tables, seed: int, *, size: str = "shape.width", quantity: str = "scaled_sharpness",
    probe: str | None = None, window: int = 3, burn_in: float = 0.1, relative: bool = False,
    systematic: bool = False,
) -> Measured:  # fmt: skip
    """β of |S_N(t) − S_∞(t)| ∝ t^β, all smaller sizes pooled; S_∞ is the largest size.

    `window` records are averaged, and the first `burn_in` of training is left out. For a loss,
    consider `relative` (to S_∞) and `systematic` (seeds averaged before the size is taken).
    """
    from hypertransfer.analysis import trajectories

    def statistic(paths: Trajectories, seeds: Any) -> Estimate:
        steps, gap = trajectories.gaps(paths, window, burn_in, relative)
        return trajectories.growth(steps, gap, seeds, systematic)

    def caveats(paths: Trajectories) -> Iterator[str]:
        steps, gap = trajectories.gaps(paths, window, burn_in, relative)
        if len(steps) < trajectories.MIN_POINTS:
            yield (
                f"{len(steps)} points in time are left after the burn-in and the rolling mean, "
                f"and an exponent needs {trajectories.MIN_POINTS}"
            )
        if zeros := int((gap == 0).sum()):
            yield f"{zeros} of {gap.size} gaps are exactly zero"

    return _of_paths(tables, seed, size, quantity, probe, statistic, caveats)


def _of_paths(
    tables: Tables, generator_seed: int, size: str, quantity: str, probe: str | None,
    statistic: Callable[[Trajectories, Any], Estimate],
    caveats: Callable[[Trajectories], Iterable[str]] = lambda paths: (), fewest: int = 2,
) -> Measured:  # fmt: skip
    """A statistic of a quantity along training, with one run for each size and seed."""
    from hypertransfer.analysis import estimate, trajectories

    runs, notes = runs_of_common_seeds(tables, size)
    paths = trajectories.trajectories(
        runs, series_of(tables, runs, quantity, probe), quantity, size
    )
    seeds = paths.values.shape[1]
    if len(paths.sizes) < fewest:
        text = f"{len(paths.sizes)} {size} selected, and this measure needs {fewest}"
        text = one_size(size, paths.sizes[0]) if len(paths.sizes) == 1 else text
        return Measured(math.nan, -math.inf, math.inf, seeds, text)
    if paths.unusable:
        notes.append(
            f"{paths.unusable} of {len(runs)} runs diverged or have a {quantity} that is no number"
        )
    notes += caveats(paths)
    found = estimate.bootstrap(
        lambda chosen: statistic(paths, chosen), seeds, generator_seed=generator_seed
    )
    return Measured(found.value, found.low, found.high, seeds, "; ".join(notes))
