"""Measures of quantities along training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

from hypertransfer.analysis import trajectories
from hypertransfer.analysis.estimate import Estimate, linear, undetermined
from hypertransfer.analysis.intervals import over_seeds
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import pandas as pd
from hypertransfer.analysis.sweeps import left_out_note
from hypertransfer.analysis.tables import Tables, series_of
from hypertransfer.analysis.trajectories import Trajectories
from hypertransfer.claims.measure import SHARED, measure, one_size, runs_of_common_seeds
from hypertransfer.claims.reach import Range

# Quantities that are shares or accuracies, with their bounds.
SHARES: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(
        ("eval_accuracy", "party_accuracy", "delivery_accuracy", "unclipped_share",
         "router_entropy", "dropped_share", "routing_entropy", "dead_experts"),
        (0, 1),
    ),
    "cache_reduction": (-math.inf, 100),
}  # fmt: skip


@measure("×", values=Range(least=1, unmoved=1), shrinks=True)
def sharpness_spread(
    tables: Tables,
    level: float,
    *,
    size: str = "shape.width",
    quantity: str = "scaled_sharpness",
    probe: str | None = None,
    tail: float = 1 / 3,
    until: float = 1.0,
) -> Estimate:
    """The largest mean of a quantity of any size, divided by the smallest.

    The mean of a size is over the share `tail` of training that ends at the share `until`, by
    default over its end, and geometric over seeds. The interval contains 1 if all sizes may be
    equal, and the value is corrected for the spread that noise alone brings. `probe` names the
    grid's probe that measured the quantity, which is needed only if several probes did.
    """
    return _of_paths(
        tables, size, quantity, probe, lambda paths: trajectories.spread(paths, tail, until, level)
    )


@measure("", values=Range(of_quantity=SHARES))
def late_level(
    tables: Tables,
    level: float,
    *,
    size: str = "shape.width",
    quantity: str = "edge",
    probe: str | None = None,
    tail: float = 1 / 3,
) -> Estimate:
    """The mean of a quantity over sizes, seeds and the last share `tail` of training.

    `probe` is as in `sharpness_spread`.
    """

    def statistic(paths: Trajectories, seeds: np.ndarray) -> Estimate:
        return trajectories.late_level(paths, seeds, tail)

    return _of_paths(tables, size, quantity, probe, _over_seeds(statistic, level), fewest=1)


@measure("×", schemas={"against": SHARED["quantity"]}, values=Range(least=0, unmoved=1))
def late_ratio(
    tables: Tables,
    level: float,
    *,
    size: str = "shape.width",
    quantity: str = "gauss_newton",
    probe: str | None = None,
    against: str = "scaled_sharpness",
    against_probe: str | None = None,
    tail: float = 1 / 3,
) -> Estimate:
    """A quantity divided by the quantity `against`, late in training.

    The geometric mean over sizes, seeds and the steps in the last share `tail` of training at which
    both were measured; training ends at the last step of either. `probe` and `against_probe` are as
    `probe` in `sharpness_spread`.
    """
    runs, left_out = runs_of_common_seeds(tables, size)
    over, under = _two_paths(tables, runs, size, (quantity, probe), (against, against_probe))

    def statistic(seeds: np.ndarray) -> Estimate:
        return trajectories.late_ratio(over, under, seeds, tail)

    found = over_seeds(statistic, len(over.seeds), level=level, log=True)
    return found.with_caveats(left_out_note(left_out, size), left_out)


@measure("", values=Range(of_quantity=SHARES))
def largest(
    tables: Tables,
    level: float,
    *,
    size: str = "shape.width",
    quantity: str = "theory_error",
    probe: str | None = None,
) -> Estimate:
    """The largest value of a quantity over all sizes and checkpoints, averaged over seeds.

    `probe` is as in `sharpness_spread`.
    """
    return _of_paths(
        tables, size, quantity, probe, _over_seeds(trajectories.largest, level), fewest=1
    )


@measure("", values=Range(unmoved=0))
def size_exponent(
    tables: Tables,
    level: float,
    *,
    size: str = "shape.width",
    quantity: str = "scaled_sharpness",
    probe: str | None = None,
    tail: float = 1 / 3,
) -> Estimate:
    """The exponent b of a quantity ∝ size^b, by least squares in log–log over all sizes.

    The quantity is averaged over seeds and over the last share `tail` of training. `probe` is as in
    `sharpness_spread`.
    """

    def statistic(paths: Trajectories, seeds: np.ndarray) -> Estimate:
        return trajectories.size_exponent(paths, seeds, tail)

    return _of_paths(tables, size, quantity, probe, _over_seeds(statistic, level))


@measure("", values=Range(unmoved=0), shrinks=True)
def gap_size_exponent(
    tables: Tables,
    level: float,
    *,
    size: str = "shape.width",
    quantity: str = "train_loss",
    probe: str | None = None,
    tail: float = 1 / 3,
    relative: bool = False,
) -> Estimate:
    """The exponent b of a quantity S_N = S_∞ + A·N^b over the sizes N.

    The gap to the largest size N_max with the same seed is fitted with A·(N^b − N_max^b), which at
    b = 0 is A·log(N/N_max). If b is negative, the quantity converges as the size grows, and b is
    the exponent of the convergence; otherwise it does not converge. The gap is averaged over the
    last share `tail` of training, and keeps its sign, so that noise does not add to it. With
    `relative`, the gap is divided by |S| at the largest size. The interval is open where the gaps
    of the seeds cannot be told from noise. `probe` is as in `sharpness_spread`.
    """
    return _of_paths(
        tables,
        size,
        quantity,
        probe,
        lambda paths: trajectories.gap_size_exponent(paths, tail, relative, level),
        fewest=3,
    )


@measure("", values=Range(unmoved=0), shrinks=True)
def gap_growth(
    tables: Tables,
    level: float,
    *,
    size: str = "shape.width",
    quantity: str = "scaled_sharpness",
    probe: str | None = None,
    window: int = 3,
    burn_in: float = 0.1,
    relative: bool = False,
) -> Estimate:
    """The exponent β of S_N(t) − S_∞(t) ∝ t^β over the steps t.

    S_N is a quantity at size N, and S_∞ the quantity at the largest size with the same seed. All
    smaller sizes share β. The quantity is averaged over `window` records, and the first share
    `burn_in` of training is left out. The gap keeps its sign, so that noise does not add to it.
    With `relative`, which suits a loss, the gap is divided by |S_∞|. The interval is open below if
    the late gaps of the seeds cannot be told from noise, and open above if the early gaps cannot.
    `probe` is as in `sharpness_spread`.
    """

    def estimator(paths: Trajectories) -> Estimate:
        return trajectories.gap_growth(*trajectories.gaps(paths, window, burn_in, relative), level)

    def caveats(paths: Trajectories) -> Iterator[str]:
        steps, _ = trajectories.gaps(paths, window, burn_in, relative)
        if len(steps) < trajectories.MIN_POINTS:
            yield (
                f"{len(steps)} points in time are left after the burn-in and the rolling mean, "
                f"and an exponent needs {trajectories.MIN_POINTS}"
            )

    return _of_paths(tables, size, quantity, probe, estimator, caveats)


@measure("", values=Range(unmoved=0))
def gap_change(
    tables: Tables,
    level: float,
    *,
    size: str = "shape.width",
    quantity: str = "scaled_sharpness",
    probe: str | None = None,
    tail: float = 1 / 3,
) -> Estimate:
    """The growth of the relative gap to the largest size, from early to late in training.

    The gap of a size N is S_N/S_∞ − 1, in which S are means of a quantity over the first or the
    last share `tail` of training, and S_∞ is that of the largest size with the same seed. The
    absolute values of the gaps, each a mean over seeds, are averaged over the smaller sizes. In
    contrast to the exponent of `gap_growth`, the growth is defined where there is
    no gap. `probe` is as in `sharpness_spread`.
    """

    def statistic(paths: Trajectories, seeds: np.ndarray) -> Estimate:
        return trajectories.gap_change(paths, seeds, tail)

    return _of_paths(tables, size, quantity, probe, _over_seeds(statistic, level))


@measure("", schemas={"against": SHARED["quantity"]}, values=Range(unmoved=0, contrast=True))
def gap_contrast(
    tables: Tables,
    level: float,
    *,
    size: str = "shape.width",
    quantity: str = "train_loss",
    probe: str | None = None,
    against: str = "scaled_sharpness",
    against_probe: str | None = None,
    tail: float = 1 / 3,
) -> Estimate:
    """The growth of the relative gap of `quantity`, minus that of the quantity `against`.

    The growth is that of `gap_change`, and the difference is taken within each seed. `probe` and
    `against_probe` are as `probe` in `sharpness_spread`.
    """
    runs, left_out = runs_of_common_seeds(tables, size)
    both = _two_paths(tables, runs, size, (quantity, probe), (against, against_probe))
    if len(both[0].sizes) < 2:
        return undetermined(len(both[0].seeds), one_size(size, both[0].sizes[0]))

    def statistic(seeds: np.ndarray) -> Estimate:
        return linear([1, -1], [trajectories.gap_change(paths, seeds, tail) for paths in both])

    notes = left_out_note(left_out, size)
    return over_seeds(statistic, len(both[0].seeds), level=level).with_caveats(notes, left_out)


def _two_paths(
    tables: Tables, runs: pd.DataFrame, size: str, *measured: tuple[str, str | None]
) -> list[Trajectories]:
    """Quantities of the runs along training; each is a name with its probe."""
    return [_paths(tables, runs, size, quantity, probe) for quantity, probe in measured]


Estimator = Callable[[Trajectories], Estimate]


def _over_seeds(
    statistic: Callable[[Trajectories, np.ndarray], Estimate], level: float
) -> Estimator:
    """An estimator from a statistic of paths and row numbers of seeds (see `over_seeds`)."""
    return lambda paths: over_seeds(
        lambda seeds: statistic(paths, seeds), len(paths.seeds), level=level
    )


def _of_paths(
    tables: Tables,
    size: str,
    quantity: str,
    probe: str | None,
    estimator: Estimator,
    caveats: Callable[[Trajectories], Iterable[str]] = lambda paths: (),
    fewest: int = 2,
) -> Estimate:
    """An estimate from a quantity along training; each size and seed has one run."""
    runs, left_out = runs_of_common_seeds(tables, size)
    notes = left_out_note(left_out, size)
    paths = _paths(tables, runs, size, quantity, probe)
    count = len(paths.seeds)
    if len(paths.sizes) < fewest:
        text = f"{len(paths.sizes)} {size} selected, and this measure needs {fewest}"
        text = one_size(size, paths.sizes[0]) if len(paths.sizes) == 1 else text
        return undetermined(count, text)
    if paths.unusable:
        notes.append(
            f"{paths.unusable} of {len(runs)} runs diverged or have a {quantity} that is no number"
        )
    notes += caveats(paths)
    return estimator(paths).with_caveats(notes, left_out)


def _paths(
    tables: Tables, runs: pd.DataFrame, size: str, quantity: str, probe: str | None
) -> Trajectories:
    """A quantity of the runs along training."""
    series = series_of(tables, runs, quantity, probe)
    return trajectories.trajectories(runs, series, quantity, size)
