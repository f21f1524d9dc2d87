"""Learning-rate sweeps over sizes: optimum, shift, slope, regret.

A run that diverged has the loss +inf; no run is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hypertransfer.analysis.estimate import (
    AnalysisError,
    Estimate,
    bootstrap,
    exact,
    linear,
    mean,
)
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import pandas as pd
from hypertransfer.analysis.optimum import Optimum, best_index, max_stable_lr, optimum
from hypertransfer.runs.columns import SUMMARY


@dataclass(frozen=True)
class Sweep:
    """The learning-rate sweep of one size.

    `lrs`, shape (learning rate,), ascend; `losses` have shape (seed, learning rate). The values of
    another hyperparameter may take the place of the learning rates. The sweeps of several sizes
    have the same seeds in the same rows.
    """

    size: float
    lrs: np.ndarray
    losses: np.ndarray

    def optimum(self, seeds: np.ndarray) -> Optimum:
        """The optimum of the mean loss over the chosen seeds, which is +inf where one diverged."""
        return optimum(self.lrs, self.losses[seeds].mean(axis=0))

    def seed_optima(self, seeds: np.ndarray) -> list[Optimum]:
        """The optimum of each chosen seed alone."""
        return [optimum(self.lrs, self.losses[seed]) for seed in seeds]

    def best_tried(self, seeds: np.ndarray | slice = slice(None)) -> int:
        """The index of the learning rate with the least mean loss over the chosen seeds."""
        return int(self.losses[seeds].mean(axis=0).argmin())

    def least_loss(self, seeds: np.ndarray | slice = slice(None)) -> float:
        """The least mean loss over the chosen seeds, of all learning rates."""
        return float(self.losses[seeds].mean(axis=0).min())

    def curve(self) -> pd.DataFrame:
        """Losses over seeds: a row for each learning rate, `mean`, and the range `low` to `high`.

        A mean is +inf where a seed diverged, and the range is nan there.
        """
        mean = self.losses.mean(axis=0)
        low, high = (
            np.where(np.isfinite(mean), end(self.losses, axis=0), np.nan)
            for end in (np.min, np.max)
        )
        return pd.DataFrame({"mean": mean, "low": low, "high": high}, index=self.lrs)

    def optimum_on_curve(self) -> tuple[float, float] | None:
        """The best learning rate and the interpolated mean loss; None on an edge of the grid."""
        best = self.optimum(np.arange(len(self.losses)))
        if best.edge:
            return None
        mean = self.losses.mean(axis=0)
        finite = np.isfinite(mean)
        loss = np.interp(best.log2_lr, np.log2(self.lrs[finite]), mean[finite])
        return 2**best.log2_lr, float(loss)


class NoCommonSeedError(AnalysisError):
    """No seed has all runs that a comparison needs."""


def common_seeds(
    runs: pd.DataFrame, size: str | Sequence[str], axis: str | None = None
) -> tuple[pd.DataFrame, int]:
    """The runs of seeds that every size has, and the number of seeds that are left out.

    Seeds are resampled jointly over sizes, so a seed counts only if every size has it. With `axis`,
    the column of what was swept, a seed must have a run at every value of the size's sweep. `size`
    may be several columns, of which each combination of values that is there counts as a size.

    Raises:
        NoCommonSeedError: no seed counts.
    """
    columns = [size] if isinstance(size, str) else list(size)
    sets = [_complete_seeds(part, axis) for _, part in runs.groupby(columns)]
    common = set.intersection(*sets) if sets else set()
    if not common:
        what = " and ".join(["every " + columns[0], *columns[1:], *([axis] if axis else [])])
        raise NoCommonSeedError(f"no seed was run at {what}: give them the same seeds")
    return runs[runs["seed"].isin(common)], len(set(runs["seed"]) - common)


def left_out_note(count: int, size: str, axis: str | None = None) -> list[str]:
    """A note on the number of seeds that `common_seeds` leaves out; none if there are none."""
    if not count:
        return []
    seeds, them = ("1 seed is", "it") if count == 1 else (f"{count} seeds are", "them")
    place = f"at every {axis}" if axis else ""
    return [" ".join(f"{seeds} left out, not every {size} has {them} {place}".split())]


def _complete_seeds(runs: pd.DataFrame, axis: str | None) -> set:
    """The seeds with a run at every value of the axis that any seed has."""
    if axis is None:
        return set(runs["seed"])
    values = runs.groupby("seed")[axis].nunique()
    return set(values.index[values == runs[axis].nunique()])


def sweeps(
    runs: pd.DataFrame, size: str, loss: str = "final_loss", axis: str = "lr"
) -> list[Sweep]:
    """A sweep for each size, smallest first, from a table with one row per run.

    `size`, `loss` and `axis` are columns; `axis` is that of the hyperparameter that was swept.

    Raises:
        AnalysisError: a size is not a positive number, a point has two runs, a run is missing, or a
            run finished without a loss.
    """
    check_axes(runs, size, [axis])
    diverged = runs["status"] == "diverged"
    runs = runs.assign(**{loss: runs[loss].astype(float).mask(diverged, math.inf)})
    if len(broken := runs[runs[loss].isna()]):
        raise AnalysisError(f"run {broken['key'].iloc[0]} finished without a {loss}")
    swept = []
    for value, group in runs.groupby(size):
        table = group.pivot(index="seed", columns=axis, values=loss).sort_index()
        if table.isna().to_numpy().any():
            seed, point = table.isna().stack().idxmax()
            raise AnalysisError(
                f"{size} {value:g}, {axis} {point:g} has no run of seed {seed}: "
                f"a sweep needs every seed at every {axis} of a size"
            )
        swept.append(Sweep(float(value), table.columns.to_numpy(float), table.to_numpy(float)))
    return swept


def sweeps_of_common_seeds(runs: pd.DataFrame, size: str, axis: str = "lr") -> list[Sweep]:
    """A sweep of the final loss for each size, smallest first, over the seeds that all have."""
    return sweeps(common_seeds(runs, size, axis)[0], size, axis=axis)


def check_axes(runs: pd.DataFrame, size: str, extra: list[str]) -> None:
    """Check that sizes are positive numbers, and that size, seed and extra columns identify a run.

    Raises:
        AnalysisError: a size is not a positive number, or several runs have equal values; the
            message names the values, and the columns in which the runs differ.
    """
    numbers = pd.to_numeric(runs[size], errors="coerce")
    if not (numbers > 0).all():
        raise AnalysisError(f"{size} is not a positive number in every run; choose another `size`")
    check_distinct(runs, [size, *extra, "seed"])


def check_distinct(runs: pd.DataFrame, columns: list[str]) -> None:
    """Check that no two runs have equal values of all columns.

    Raises:
        AnalysisError: several runs have equal values; the message names the values, and the columns
            in which the runs differ.
    """
    doubles = runs[runs.duplicated(columns, keep=False)]
    if doubles.empty:
        return
    _, group = next(iter(doubles.groupby(columns)))
    differ = [c for c in group if c not in ("key", *SUMMARY) and group[c].astype(str).nunique() > 1]
    point = ", ".join(f"{column} {group[column].iloc[0]}" for column in columns)
    raise AnalysisError(
        f"{len(group)} runs at {point}: choose one in `where`; "
        f"they differ in {', '.join(differ) or 'nothing that the table shows'}"
    )


def optima(sweeps: Sequence[Sweep], seeds: np.ndarray, per_seed: bool = False) -> list[Estimate]:
    """log2 of the optimal learning rate of each size.

    The optimum is that of the mean loss over the chosen seeds or, with `per_seed`, the mean of the
    optima of single seeds.
    """
    if per_seed:
        return [mean([o.estimate for o in sweep.seed_optima(seeds)]) for sweep in sweeps]
    return [sweep.optimum(seeds).estimate for sweep in sweeps]


def stable_lrs(sweeps: Sequence[Sweep], seeds: np.ndarray, ceiling: float) -> list[Estimate]:
    """log2 of the largest stable learning rate of each size, averaged over the chosen seeds."""
    return [mean([max_stable_lr(s.lrs, s.losses[i], ceiling) for i in seeds]) for s in sweeps]


def shift(places: Sequence[Estimate]) -> Estimate:
    """Octaves from the smallest to the largest size; positive if the places rise with size."""
    return linear([-1, 1], [places[0], places[-1]])


def optimum_shift(sweeps: Sequence[Sweep], seeds: np.ndarray, per_seed: bool = False) -> Estimate:
    """Octaves by which the optimum moves from the smallest to the largest size."""
    return shift(optima(sweeps, seeds, per_seed))


def shifts_from_smallest(sweeps: Sequence[Sweep]) -> list[Estimate]:
    """The optimum shift from the smallest size to each size, with its interval over seeds."""
    count = len(sweeps[0].losses)
    shifts = [
        bootstrap(lambda seeds, pair=(sweeps[0], sweep): optimum_shift(pair, seeds), count)
        for sweep in sweeps[1:]
    ]
    return [exact(0.0), *shifts]


def slope(sizes: Sequence[float], places: Sequence[Estimate]) -> Estimate:
    """Octaves per doubling of the size, by least squares over all sizes."""
    x = np.log2(np.asarray(sizes, float))
    x -= x.mean()
    return linear((x / (x @ x)).tolist(), places)


def regret(sweeps: Sequence[Sweep], seeds: np.ndarray) -> Estimate:
    """The loss that the smallest size's best learning rate costs the largest size.

    The regret is the mean loss of the largest size at the best learning rate *tried* on the
    smallest size, minus the least mean loss of the largest size. The regret is never negative, and
    is inf if a run diverged at that learning rate. If the best learning rate of the largest size
    lies on the edge of the grid, a wider grid could have a better one, and the upper bound is inf.
    If that of the smallest size lies on the edge, the bounds are 0 and inf. If the largest size was
    not run at that learning rate, the regret is nan, and the bounds are 0 and inf.
    """
    proxy, target = sweeps[0].optimum(seeds), sweeps[-1].optimum(seeds)
    if "none" in (proxy.edge, target.edge):
        return Estimate(math.nan, 0.0, math.inf)
    losses = sweeps[-1].losses[seeds].mean(axis=0)
    at = np.flatnonzero(np.isclose(np.log2(sweeps[-1].lrs), proxy.best, rtol=0, atol=1e-6))
    if not at.size:
        return Estimate(math.nan, 0.0, math.inf)
    value = float(losses[at[0]] - losses.min())
    low = 0.0 if proxy.edge else value
    return Estimate(value, low, math.inf if proxy.edge or target.edge else value)


def transfer_gain(sweeps: Sequence[Sweep], seeds: np.ndarray) -> Estimate:
    """The smallest size's least mean loss, minus the largest size's at the same learning rate.

    If the largest size was not run at that learning rate, the gain is nan without bounds.
    """
    small, large = sweeps[0], sweeps[-1]
    losses = small.losses[seeds].mean(axis=0)
    best = small.best_tried(seeds)
    at = np.flatnonzero(np.isclose(large.lrs, small.lrs[best]))
    if not len(at):
        return Estimate(math.nan, -math.inf, math.inf)
    return exact(float(losses[best] - large.losses[seeds][:, at[0]].mean()))


def seed_deviation(sweep: Sweep) -> float:
    """σ: the standard deviation over all seeds of the loss at the best learning rate tried.

    σ is nan with one seed, or if no learning rate is stable for all seeds.
    """
    losses = sweep.losses[:, best_index(sweep.losses.mean(axis=0))]
    usable = len(losses) > 1 and np.isfinite(losses).all()
    return float(losses.std(ddof=1)) if usable else math.nan
