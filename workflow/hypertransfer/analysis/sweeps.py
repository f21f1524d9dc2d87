"""Learning-rate sweeps over sizes: optimum, shift, slope, regret.

A run that diverged has the loss +inf and is never dropped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hypertransfer.analysis.estimate import AnalysisError, Estimate, exact, linear, mean
from hypertransfer.analysis.optimum import Optimum, _best, max_stable_lr, optimum

# Columns of a runs table that are not axes.
RESULTS = (
    "key", "status", "steps_done", "final_loss", "eval_loss", "eval_accuracy", "seconds",
    "optimizer_seconds", "curvature_seconds", "flops",
    "torch", "device",
)  # fmt: skip


@dataclass(frozen=True)
class Sweep:
    """The learning-rate sweep of one size: `losses` has a row a seed, a column a learning rate.

    Another hyperparameter may stand in the learning rate's place. The sweeps of several sizes
    have the same seeds in the same rows.
    """

    size: float
    lrs: np.ndarray
    losses: np.ndarray

    def optimum(self, seeds: np.ndarray) -> Optimum:
        """The optimum of the loss averaged over the chosen seeds; one that diverged counts."""
        return optimum(self.lrs, self.losses[seeds].mean(axis=0))

    def seed_optima(self, seeds: np.ndarray) -> list[Optimum]:
        """The optimum of each chosen seed alone."""
        return [optimum(self.lrs, self.losses[seed]) for seed in seeds]


def common_seeds(runs: pd.DataFrame, size: str) -> tuple[pd.DataFrame, int]:
    """The runs of seeds that every size has, and how many seeds are left out.

    Seeds are resampled jointly over sizes, so a seed counts only where it is there for all.
    """
    sets = [set(seeds) for _, seeds in runs.groupby(size)["seed"]]
    common = set.intersection(*sets) if sets else set()
    if not common:
        raise AnalysisError(f"no seed was run at every {size}: give all of them the same seeds")
    return runs[runs["seed"].isin(common)], len(set.union(*sets) - common)


def sweeps(
    runs: pd.DataFrame, size: str, loss: str = "final_loss", axis: str = "lr"
) -> list[Sweep]:
    """A sweep for each size, smallest first, from a table with one row a run.

    `axis` is the column of the hyperparameter that was swept.

    Raises:
        AnalysisError: sizes that are no numbers, two runs at one point, a run that is
            missing, or one that finished without a loss.
    """
    check_axes(runs, size, [axis])
    diverged = runs["status"] == "diverged"
    runs = runs.assign(**{loss: runs[loss].astype(float).mask(diverged, math.inf)})
    if len(broken := runs[runs[loss].isna()]):
        raise AnalysisError(f"run {broken['key'].iloc[0]} finished without a {loss}")
    out = []
    for value, group in runs.groupby(size):
        table = group.pivot(index="seed", columns=axis, values=loss).sort_index()
        if table.isna().to_numpy().any():
            seed, point = table.isna().stack().idxmax()
            raise AnalysisError(
                f"{size} {value:g}, {axis} {point:g} has no run of seed {seed}: "
                f"a sweep needs every seed at every {axis} of a size"
            )
        out.append(Sweep(float(value), table.columns.to_numpy(float), table.to_numpy(float)))
    return out


def check_axes(runs: pd.DataFrame, size: str, extra: list[str]) -> None:
    """Sizes are positive numbers, and each size, seed and extra column has one run."""
    numbers = pd.to_numeric(runs[size], errors="coerce")
    if not (numbers > 0).all():
        raise AnalysisError(f"{size} is not a positive number in every run; choose another `size`")
    columns = [size, *extra, "seed"]
    doubles = runs[runs.duplicated(columns, keep=False)]
    if doubles.empty:
        return
    _, group = next(iter(doubles.groupby(columns)))
    differ = [c for c in group if c not in RESULTS and group[c].astype(str).nunique() > 1]
    point = ", ".join(f"{column} {group[column].iloc[0]}" for column in columns)
    raise AnalysisError(
        f"{len(group)} runs at {point}: choose one in `where`; "
        f"they differ in {', '.join(differ) or 'nothing that the table shows'}"
    )


def optima(sweeps: Sequence[Sweep], seeds: np.ndarray, per_seed: bool = False) -> list[Estimate]:
    """The optimum of each size: of the mean loss, or the mean of the seeds' own optima."""
    if per_seed:
        return [mean([o.estimate for o in sweep.seed_optima(seeds)]) for sweep in sweeps]
    return [sweep.optimum(seeds).estimate for sweep in sweeps]


def stable_lrs(sweeps: Sequence[Sweep], seeds: np.ndarray, ceiling: float) -> list[Estimate]:
    """The largest stable learning rate of each size, log2, averaged over the seeds."""
    return [mean([max_stable_lr(s.lrs, s.losses[i], ceiling) for i in seeds]) for s in sweeps]


def shift(places: Sequence[Estimate]) -> Estimate:
    """Octaves from the smallest to the largest size; positive when it moves up."""
    return linear([-1, 1], [places[0], places[-1]])


def slope(sizes: Sequence[float], places: Sequence[Estimate]) -> Estimate:
    """Octaves per doubling of the size: least squares over all sizes."""
    x = np.log2(np.asarray(sizes, float))
    x -= x.mean()
    return linear((x / (x @ x)).tolist(), places)


def regret(sweeps: Sequence[Sweep], seeds: np.ndarray) -> Estimate:
    """The loss that the smallest size's best learning rate costs the largest size.

    It is the mean loss of the largest size at the best learning rate *tried* on the smallest
    one, minus its own best: never negative, and inf where a run diverges. An own best on the
    edge could be better yet, which opens the bound above; a smallest size without an optimum
    recommends nothing, which leaves all open.

    Raises:
        AnalysisError: the largest size was not run at that learning rate.
    """
    proxy, target = sweeps[0].optimum(seeds), sweeps[-1].optimum(seeds)
    if "none" in (proxy.edge, target.edge):
        return Estimate(math.nan, 0.0, math.inf)
    losses = sweeps[-1].losses[seeds].mean(axis=0)
    at = np.flatnonzero(np.isclose(np.log2(sweeps[-1].lrs), proxy.best, rtol=0, atol=1e-6))
    if not at.size:
        raise AnalysisError(
            f"size {sweeps[-1].size:g} has no run at lr {2**proxy.best:g}, the best at size "
            f"{sweeps[0].size:g}: give both the same learning rates"
        )
    value = float(losses[at[0]] - losses.min())
    low = 0.0 if proxy.edge else value
    return Estimate(value, low, math.inf if proxy.edge or target.edge else value)


def gain(sweeps: Sequence[Sweep], seeds: np.ndarray) -> Estimate:
    """What the largest size gains on the smallest at the rate tried that is best for the latter.

    Raises:
        AnalysisError: the largest size was not run at that rate.
    """
    small, large = sweeps[0], sweeps[-1]
    losses = small.losses[seeds].mean(axis=0)
    best = int(losses.argmin())
    at = np.flatnonzero(np.isclose(large.lrs, small.lrs[best]))
    if not len(at):
        raise AnalysisError(
            f"the largest size was not run at {small.lrs[best]:g}, the best rate of the smallest"
        )
    return exact(float(losses[best] - large.losses[seeds][:, at[0]].mean()))


def seed_deviation(sweep: Sweep) -> float:
    """σ: the standard deviation over all seeds of the loss at the best learning rate tried.

    nan with one seed, or where no learning rate is stable for all seeds.
    """
    losses = sweep.losses[:, _best(sweep.losses.mean(axis=0))]
    usable = len(losses) > 1 and np.isfinite(losses).all()
    return float(losses.std(ddof=1)) if usable else math.nan
