"""Learning-rate sweeps over sizes: optimum, shift, slope. See `regret` for what a transfer costs.

A run that diverged has the loss +inf; no run is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from hypertransfer.analysis.additive import column_means
from hypertransfer.analysis.estimate import AnalysisError, Estimate, exact, linear, mean
from hypertransfer.analysis.intervals import LEVEL, mean_over_seeds, over_forms
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import pandas as pd
from hypertransfer.analysis.loss_curve import FORMS
from hypertransfer.analysis.optimum import Optimum, max_stable_lr, optimum
from hypertransfer.runs.columns import SUMMARY


@dataclass(frozen=True)
class Sweep:
    """The learning-rate sweep of one size.

    `lrs`, shape (learning rate,), ascend; `losses` have shape (seed, learning rate): +inf where a
    run diverged, and nan where a seed did not run a learning rate. Means over seeds are those of
    `additive.column_means`, so that seeds with fewer learning rates count where they ran. The
    values of another hyperparameter may take the place of the learning rates. The sweeps of several
    sizes have the same seeds in the same rows.
    """

    size: float
    lrs: np.ndarray
    losses: np.ndarray

    def means(self, seeds: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Mean losses (learning rate,) over the chosen seeds; +inf where one of them diverged."""
        return column_means(self.losses[seeds])

    def optimum(self, seeds: np.ndarray) -> Optimum:
        """The optimum of the mean loss over the chosen seeds, which is +inf where one diverged.

        The mean is geometric if all losses are positive: an offset of a seed is a factor.
        """
        losses = self.losses[seeds]
        if (losses[np.isfinite(losses)] > 0).all():
            return optimum(self.lrs, np.exp(column_means(np.log(losses))))
        return optimum(self.lrs, column_means(losses))

    def seed_optima(self, seeds: np.ndarray) -> list[Optimum]:
        """The optimum of each chosen seed alone."""
        return [optimum(self.lrs, self.losses[seed]) for seed in seeds]

    def best_tried(self, seeds: np.ndarray | slice = slice(None)) -> int:
        """The index of the learning rate with the least mean loss over the chosen seeds."""
        return int(np.nanargmin(self.means(seeds)))

    def least_loss(self, seeds: np.ndarray | slice = slice(None)) -> float:
        """The least mean loss over the chosen seeds, of all learning rates."""
        return float(np.nanmin(self.means(seeds)))

    def chosen_by_others(self, seed: int) -> int:
        """The index of the best of a seed's learning rates, by the mean losses of other seeds.

        The seed's own losses have no part in the choice, so that its loss there is not biased
        downwards by the choice. With one seed, the seed itself chooses.
        """
        others = np.delete(np.arange(len(self.losses)), seed)
        means = self.means(others) if len(others) else self.losses[seed]
        ran = ~np.isnan(self.losses[seed])
        known = ran & ~np.isnan(means)
        usable = np.where(known if known.any() else ran, np.where(known, means, np.inf), np.nan)
        return int(np.nanargmin(usable))

    def contenders(self, level: float = LEVEL) -> list[int]:
        """The indices of the learning rates that may be the best tried.

        A learning rate is none if its loss is above that of the best one by a paired t test over
        the seeds that ran both, with an interval of the given level, or if a run diverged there.
        """
        means = self.means()
        best = int(np.nanargmin(means))
        return [
            i
            for i, mean in enumerate(means)
            if math.isfinite(mean)
            and not _clearly_above(self.losses[:, i] - self.losses[:, best], level)
        ]

    def column_of(self, lr: float) -> int | None:
        """The index of a learning rate, up to rounding; None if it was not tried."""
        same = np.flatnonzero(np.isclose(self.lrs, lr, rtol=1e-6, atol=0))
        return int(same[0]) if same.size else None

    def curve(self) -> pd.DataFrame:
        """Losses over seeds: a row for each learning rate, `mean`, and the range `low` to `high`.

        A mean is +inf where a seed diverged, and the range is nan there.
        """
        mean = self.means()
        low, high = (
            np.where(np.isfinite(mean), end(self.losses, axis=0), np.nan)
            for end in (np.nanmin, np.nanmax)
        )
        return pd.DataFrame({"mean": mean, "low": low, "high": high}, index=self.lrs)

    def optimum_on_curve(self) -> tuple[float, float] | None:
        """The best learning rate and the interpolated mean loss; None on an edge of the grid."""
        best = self.optimum(np.arange(len(self.losses)))
        if best.edge:
            return None
        mean = self.means()
        finite = np.isfinite(mean)
        loss = np.interp(best.log2_lr, np.log2(self.lrs[finite]), mean[finite])
        return 2**best.log2_lr, float(loss)


def tuned_losses(choice: Sweep, valued: Sweep) -> np.ndarray:
    """The loss of each seed (seed,) in one sweep at the learning rate that another sweep chooses.

    Both sweeps have the same seeds in the same rows. The learning rate of a seed is the best of
    `choice` by the other seeds (see `Sweep.chosen_by_others`). The loss is nan if the seed did not
    run it in `valued`. See `level_after_choice` for intervals.
    """
    losses = np.full(len(choice.losses), math.nan)
    for seed in range(len(losses)):
        column = valued.column_of(choice.lrs[choice.chosen_by_others(seed)])
        if column is not None:
            losses[seed] = valued.losses[seed, column]
    return losses


def _clearly_above(differences: np.ndarray, level: float) -> bool:
    """Whether a mean of differences is above 0 by a t test; nan are left out."""
    known = differences[np.isfinite(differences)]
    return mean_over_seeds(known, level=level).low > 0 if len(known) else False


def level_after_choice(sweeps: Iterable[Sweep], level: float = LEVEL) -> float:
    """The level of an interval at which learning rates of these sweeps were chosen.

    Which of several about equally good learning rates is chosen depends on all seeds together, so
    that their losses vary more than they seem to. The error of the interval is therefore divided by
    the largest number of learning rates that may be the best. With one such rate, the level stays.
    """
    return 1 - (1 - level) / max(1, *(len(sweep.contenders(level)) for sweep in sweeps))


class NoCommonSeedError(AnalysisError):
    """No seed has all runs that a comparison needs."""


def common_seeds(
    runs: pd.DataFrame,
    size: str | Sequence[str],
    axis: str | None = None,
    *,
    complete: bool = False,
) -> tuple[pd.DataFrame, int]:
    """The runs of seeds that every size has, and the number of seeds that are left out.

    Seeds are compared over sizes, so a seed counts only if every size has it. With `axis`, the
    column of what was swept, a seed must have runs at two values of the size's sweep (or at its
    one value); with `complete`, at every value. `size` may be several columns, of which each
    combination of values that is there counts as a size.

    Raises:
        NoCommonSeedError: no seed counts.
    """
    columns = [size] if isinstance(size, str) else list(size)
    sets = [_usable_seeds(part, axis, complete) for _, part in runs.groupby(columns)]
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
    place = f"at enough values of {axis}" if axis else ""
    return [" ".join(f"{seeds} left out, not every {size} has {them} {place}".split())]


def _usable_seeds(runs: pd.DataFrame, axis: str | None, complete: bool) -> set:
    """The seeds with a run at two values, or with `complete` at every value, of the axis."""
    if axis is None:
        return set(runs["seed"])
    values = runs.groupby("seed")[axis].nunique()
    there = runs[axis].nunique()
    return set(values.index[values >= (there if complete else min(there, 2))])


def sweeps(
    runs: pd.DataFrame, size: str, loss: str = "final_loss", axis: str = "lr"
) -> list[Sweep]:
    """A sweep for each size, smallest first, from a table with one row per run.

    `size`, `loss` and `axis` are columns; `axis` is that of the hyperparameter that was swept. All
    sweeps have all seeds of the table. A loss is nan where a seed has no run.

    Raises:
        AnalysisError: a size is not a positive number, a point has two runs, or a run finished
            without a loss.
    """
    check_axes(runs, size, [axis])
    diverged = runs["status"] == "diverged"
    runs = runs.assign(**{loss: runs[loss].astype(float).mask(diverged, math.inf)})
    if len(broken := runs[runs[loss].isna()]):
        raise AnalysisError(f"run {broken['key'].iloc[0]} finished without a {loss}")
    seeds = sorted(set(runs["seed"]))
    swept = []
    for value, group in runs.groupby(size):
        table = group.pivot(index="seed", columns=axis, values=loss).reindex(seeds)
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


def optima(
    sweeps: Sequence[Sweep], seeds: np.ndarray, per_seed: bool = False
) -> list[list[Estimate]]:
    """log2 of the optimal learning rate of each size, for each of `loss_curve.FORMS`.

    The optimum is that of the mean loss over the chosen seeds or, with `per_seed`, the mean of the
    optima of single seeds.
    """
    if per_seed:
        each = [[o.forms for o in sweep.seed_optima(seeds)] for sweep in sweeps]
        of_sizes = [[mean(form) for form in zip(*forms, strict=True)] for forms in each]
    else:
        of_sizes = [sweep.optimum(seeds).forms for sweep in sweeps]
    return [list(places) for places in zip(*of_sizes, strict=True)]


def of_optima(
    sweeps: Sequence[Sweep],
    statistic: Callable[[Sequence[Estimate]], Estimate],
    per_seed: bool = False,
    level: float = LEVEL,
) -> Estimate:
    """A statistic of the optima of all sizes, such as `shift`, with its interval over seeds.

    The interval is over all forms of the loss curve, each of which is taken to be the form at every
    size: bias that a form brings to all sizes cancels in their differences.
    """
    found = cache(lambda seeds: optima(sweeps, np.array(seeds), per_seed))
    forms = [lambda seeds, i=i: statistic(found(tuple(seeds))[i]) for i in range(len(FORMS))]
    return over_forms(forms, len(sweeps[0].losses), level=level)


def stable_lrs(sweeps: Sequence[Sweep], seeds: np.ndarray, ceiling: float) -> list[Estimate]:
    """log2 of the largest stable learning rate of each size, averaged over the chosen seeds."""
    return [mean([max_stable_lr(s.lrs, s.losses[i], ceiling) for i in seeds]) for s in sweeps]


def shift(places: Sequence[Estimate]) -> Estimate:
    """Octaves from the smallest to the largest size; positive if the places rise with size."""
    return linear([-1, 1], [places[0], places[-1]])


def shifts_from_smallest(sweeps: Sequence[Sweep]) -> list[Estimate]:
    """The optimum shift from the smallest size to each size, with its interval over seeds."""
    shifts = [of_optima([sweeps[0], sweep], shift) for sweep in sweeps[1:]]
    return [exact(0.0), *shifts]


def slope(sizes: Sequence[float], places: Sequence[Estimate]) -> Estimate:
    """Octaves per doubling of the size, by least squares over all sizes."""
    x = np.log2(np.asarray(sizes, float))
    x -= x.mean()
    return linear((x / (x @ x)).tolist(), places)
