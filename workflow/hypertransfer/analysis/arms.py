"""Arms of a comparison: their runs at the best or a tuned learning rate, and their differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from hypertransfer.analysis import curves, trajectories
from hypertransfer.analysis.additive import column_means
from hypertransfer.analysis.contrasts import least_lead, level_range
from hypertransfer.analysis.estimate import AnalysisError, Estimate, exact, undetermined
from hypertransfer.analysis.intervals import LEVEL, mean_over_seeds, over_seeds, share_of
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import pandas as pd
from hypertransfer.analysis.sweeps import (
    Sweep,
    check_distinct,
    common_seeds,
    left_out_note,
    level_after_choice,
    sweeps,
    tuned_losses,
)
from hypertransfer.analysis.tables import Tables, need, series_of
from hypertransfer.runs.table_values import name_of

NUMBER = "number of the arm"
TAIL = 0.1  # share of all steps over which the losses of a `Curve` are averaged


def named(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """The runs with the arms in `column` named by texts; numbers in their shortest form."""
    return runs.assign(**{column: list(map(name_of, runs[column]))})


def of_arms(runs: pd.DataFrame, column: str, loss: str, arms: Sequence[str]) -> pd.DataFrame:
    """The runs of the given arms, which are named by texts in `column`.

    Raises:
        AnalysisError: an arm has no runs.
    """
    need("runs", runs, (column, loss))
    runs = named(runs, column)
    if missing := sorted(set(arms) - set(runs[column])):
        known = ", ".join(sorted(set(map(str, runs[column]))))
        raise AnalysisError(f"no run has {column} {', '.join(missing)}; known: {known}")
    return runs[runs[column].isin(arms)]


def sweeps_of_arms(runs: pd.DataFrame, column: str, loss: str) -> dict[str, Sweep]:
    """The sweep of each arm, by the arm's name, over the seeds that all arms have.

    A seed counts if it has runs at two learning rates of every arm, or at its only one.

    Raises:
        AnalysisError: the arms have no seed in common, or the runs are no sweep (see `sweeps`).
    """
    names = list(dict.fromkeys(runs[column]))
    kept, _ = common_seeds(runs, column, "lr")
    # The message names the arm by its name in `column`, not by its number.
    check_distinct(kept, [column] * (len(names) > 1) + ["lr", "seed"])
    numbers = [1.0 + names.index(name) for name in kept[column]]
    swept = sweeps(kept.assign(**{NUMBER: numbers}), NUMBER, loss)
    return dict(zip(names, swept, strict=True))


@dataclass(frozen=True)
class Curve:
    """Training losses of an arm, each seed at its tuned rate, as trailing means over steps.

    `steps` has shape (step,), `losses` (seed, step), and `seeds` (seed,). A trailing mean is a loss
    of the middle of its window. The steps are therefore those of the middles, in units in which the
    last middle is the last step: a curve that falls twice as quickly has the same losses at half
    the steps.
    """

    steps: np.ndarray
    losses: np.ndarray
    level: float  # of intervals (see `sweeps.level_after_choice`)
    seeds: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Mean losses (step,) over seeds."""
        return self.losses.mean(axis=0)

    @property
    def final(self) -> float:
        """The mean loss at the last step."""
        return self.losses[:, -1].mean()


def best_curve(
    tables: Tables, runs: pd.DataFrame, loss: str = "final_loss", level: float = LEVEL
) -> Curve:
    """Training losses of an arm at its best learning rate.

    `loss` names the column of the runs that chooses the learning rate of each seed, by the mean
    loss over the other seeds (see `Sweep.chosen_by_others`). Each training loss of the curve is the
    mean over a tenth of all steps. `level` is that of intervals at one clear best learning rate.
    """
    runs, _ = common_seeds(runs.assign(arms="all"), "arms", "lr")
    (sweep,) = sweeps_of_arms(runs, "arms", loss).values()
    rates = {
        seed: sweep.lrs[sweep.chosen_by_others(row)]
        for row, seed in enumerate(sorted(set(runs["seed"])))
    }
    chosen = runs[np.isclose(runs["lr"], runs["seed"].map(rates), rtol=1e-6)].assign(size=1.0)
    history = series_of(tables, chosen, "train_loss", None)
    paths = trajectories.trajectories(chosen, history, "train_loss", "size")
    steps, losses = curves.trailing_means(paths.steps, paths.values[0], TAIL)
    half, last = TAIL * steps[-1] / 2, steps[-1]
    seeds = np.array(sorted(set(chosen["seed"])))
    steps = (steps - half) * last / (last - half)
    return Curve(steps, losses, level_after_choice([sweep], level), seeds)


def paired_curves(
    tables: Tables,
    runs: pd.DataFrame,
    columns: Sequence[str],
    loss: str = "final_loss",
    level: float = LEVEL,
) -> tuple[dict[tuple, Curve], int]:
    """The curves of groups of runs over the same seeds, and the number of seeds left out.

    A group is a combination of values of the columns. A seed counts if it has runs at two learning
    rates of every group, or at its only one. See `best_curve`.

    Raises:
        NoCommonSeedError: no seed counts.
    """
    kept, left_out = common_seeds(runs, columns, "lr")
    groups = kept.groupby(list(columns))
    return {group: best_curve(tables, part, loss, level) for group, part in groups}, left_out


def at_best(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """The runs of each arm at its learning rate of least mean final loss."""
    return pd.concat(
        [part[part["lr"] == best_lr(part)] for _, part in runs.groupby(column, sort=False)]
    )


def losses_at_best(runs: pd.DataFrame, column: str) -> pd.Series:
    """The mean final loss of each arm at its best learning rate, in the order of the runs' arms."""
    arms = runs.groupby(column, sort=False)
    return pd.Series({name: np.nanmin(_mean_losses(part)) for name, part in arms})


def best_lr(runs: pd.DataFrame) -> float:
    """The learning rate of least mean final loss; the loss of a run that diverged is +inf."""
    return _mean_losses(runs).idxmin()


def _mean_losses(runs: pd.DataFrame) -> pd.Series:
    """Mean final losses over seeds by learning rate (see `additive.column_means`)."""
    losses = runs["final_loss"].astype(float).mask(runs["status"] == "diverged", math.inf)
    table = runs.assign(loss=losses).pivot_table(
        index="seed", columns="lr", values="loss", aggfunc="mean"
    )
    return pd.Series(column_means(table.to_numpy(float)), table.columns)


def at_tuned(runs: pd.DataFrame, column: str, size: str) -> tuple[pd.DataFrame, str]:
    """The runs of each arm's largest size at the best learning rate of the arm's smallest size.

    `column` and `size` are the columns of arms and sizes. The text beside the returned runs is
    empty. If an arm has one size, or no run at its largest size and this learning rate, all runs
    are returned, and the text is a caveat that names the arm.
    """
    kept = []
    for name, arm in runs.groupby(column, sort=False):
        if arm[size].nunique() < 2:
            text = f"only one {size} was selected ({arm[size].iloc[0]:g})"
            return runs, f"{name}: {text}, and a learning rate is tuned at a smaller one"
        small = arm[arm[size] == arm[size].min()]
        best = best_lr(small)
        large = arm[(arm[size] == arm[size].max()) & (arm["lr"] == best)]
        if large.empty:
            text = f"{name}: {size} {arm[size].max():g} was not run at lr {best:.3g}, the best"
            return runs, f"{text} of {arm[size].min():g}"
        kept.append(large)
    return pd.concat(kept), ""


Losses = Mapping[str, "np.ndarray"]  # by arm: the losses (seed,) that are compared
Estimator = Callable[[Losses, float], Estimate]  # of losses and the level of the interval


def diverged_difference(diverged: np.ndarray, level: float = LEVEL) -> Estimate:
    """The percentage of runs of the second arm that diverged, minus that of the first arm.

    The interval is the union of two intervals. One is over seeds (see `over_seeds`). The other has
    exact intervals of the shares of pairs of runs of which only the second, or only the first,
    diverged (see `share_of`), each with half of the error; it remains where all seeds have the same
    counts.

    Args:
        diverged: whether the runs (arm, seed, place) of two arms diverged.
        level: the probability with which the interval should cover.
    """
    first, second = diverged.astype(bool)
    differences = 100.0 * (second.mean(axis=1) - first.mean(axis=1))
    seeds = mean_over_seeds(differences, level=level)
    worse, better = (
        share_of(int(pairs.sum()), pairs.size, level=(1 + level) / 2)
        for pairs in (second & ~first, first & ~second)
    )
    low, high = 100 * (worse.low - better.high), 100 * (worse.high - better.low)
    return replace(seeds, low=min(seeds.low, low), high=max(seeds.high, high))


def of_means(statistic: Callable[[Mapping[str, float]], float], *, log: bool = False) -> Estimator:
    """An estimator of a statistic of the arms' mean losses; see `over_seeds` for `log`."""

    def estimator(losses: Losses, level: float = LEVEL) -> Estimate:
        def of_seeds(seeds: np.ndarray) -> Estimate:
            return exact(statistic({name: float(v[seeds].mean()) for name, v in losses.items()}))

        return over_seeds(of_seeds, len(next(iter(losses.values()))), level=level, log=log)

    return estimator


def lead(arm: str) -> Estimator:
    """An estimator of the mean loss of the best other arm minus that of an arm.

    It is nan if the arm and another one diverged for a seed.
    """

    def estimator(losses: Losses, level: float = LEVEL) -> Estimate:
        with np.errstate(invalid="ignore"):  # inf − inf
            leads = [loss - losses[arm] for name, loss in losses.items() if name != arm]
        return least_lead(np.stack(leads), level=level)

    return estimator


def percent_range(losses: Losses, level: float = LEVEL) -> Estimate:
    """The range of the arms' mean losses in per cent of their average (see `level_range`)."""
    values = np.stack(list(losses.values()))
    found = level_range(values, level=level)
    factor = 100 / values.mean()
    low, high = factor * found.low, factor * found.high
    observed = None if found.observed is None else factor * found.observed
    return replace(found, value=factor * found.value, low=low, high=high, observed=observed)


def compare(
    runs: pd.DataFrame,
    column: str,
    estimator: Estimator,
    *,
    loss: str = "final_loss",
    best: bool = False,
    tuned_at: str = "",
    level: float = LEVEL,
) -> Estimate:
    """An estimate from the losses of arms, with its interval over seeds.

    Args:
        runs: the table of runs.
        column: the column that names the arms.
        estimator: maps the losses of each arm to an estimate; seeds have the same places.
        loss: the column of the loss.
        best: whether each arm is compared at its best learning rate. The final losses of the other
            seeds choose the learning rate of each seed, so that an arm gains nothing from having
            more learning rates to choose from. Otherwise each arm and seed has one run.
        tuned_at: a column of sizes, to compare each arm at its largest size with the best
            learning rate of its smallest size; empty to compare all runs.
        level: the probability with which the interval should cover.

    Raises:
        AnalysisError: there are fewer than two arms, or several learning rates without `best`.
    """
    need("runs", runs, (column, "seed", "status", "lr", loss, *([tuned_at] if tuned_at else [])))
    valued = runs
    if tuned_at:
        _, absent = at_tuned(runs, column, tuned_at)
        if absent:
            return undetermined(runs["seed"].nunique(), absent)
        sizes = runs.groupby(column)[tuned_at]
        valued = runs[runs[tuned_at] == sizes.transform("max")]
        runs = runs[runs[tuned_at] == sizes.transform("min")]
        shared = set(runs["seed"]) & set(valued["seed"])
        runs, valued = (part[part["seed"].isin(shared)] for part in (runs, valued))
    chosen = sweeps_of_arms(runs, column, "final_loss" if best or tuned_at else loss)
    arms = (
        chosen if runs is valued and loss == "final_loss" else sweeps_of_arms(valued, column, loss)
    )
    if len(arms) < 2:
        raise AnalysisError(f"a comparison needs at least two values of {column}")
    if any(len(sweep.lrs) > 1 for sweep in chosen.values()) and not (best or tuned_at):
        raise AnalysisError("an arm has several learning rates: choose one, or set `best: true`")
    losses = {name: tuned_losses(chosen[name], arms[name]) for name in arms}
    usable = ~np.isnan(np.stack(list(losses.values()))).any(axis=0)
    if not usable.any():
        return undetermined(0, f"no seed was run at the chosen lr of every {column}")
    left_out = max(runs["seed"].nunique(), valued["seed"].nunique()) - int(usable.sum())
    level = level_after_choice(chosen.values(), level)
    estimate = estimator({name: values[usable] for name, values in losses.items()}, level)
    return estimate.with_caveats(left_out_note(left_out, column, "lr"), left_out)


def steps_to_final_loss(curve: Curve, reference: Curve, seeds: np.ndarray) -> Estimate:
    """The first step at which a curve reaches the final loss of the reference; +inf if never.

    Both losses are means over the chosen seeds. If the curve never reaches that loss, the estimate
    is open above its last step.
    """
    target = reference.losses[seeds, -1].mean()
    steps = curves.steps_to_loss(curve.steps, curve.losses[seeds].mean(axis=0), target)
    return exact(steps) if math.isfinite(steps) else Estimate(steps, curve.steps[-1], steps)


def horizon_to_loss(steps: Sequence[float], losses: Sequence[float], target: float) -> Estimate:
    """log₂ of the number of steps after which a run with a schedule of that length ends at a loss.

    `losses` are those of runs whose schedules have the numbers `steps` of steps. They are
    interpolated linearly in log₂ of the number of steps. See `curves.crossing` for open ends.
    """
    return curves.crossing([math.log2(number) for number in steps], losses, target)


@dataclass(frozen=True)
class Race:
    """Losses of two arms at their best learning rates, and the reference arm's final loss.

    Attributes:
        along: training losses of each arm along its longest runs.
        horizons: numbers of steps (number,) of each arm's runs.
        ends: final losses (seed, number) of runs of these numbers of steps, of each arm.
        target: the final loss of the reference arm's longest runs.
        steps: number of steps of the reference arm's longest runs.
        steps_along: steps after which the other arm is at the target along its longest runs; +inf
            if never.
        steps_at_ends: number of steps, interpolated, of a run of the other arm that ends at the
            target; +inf if there is none.
    """

    along: Mapping[str, Curve]
    horizons: Mapping[str, np.ndarray]
    ends: Mapping[str, np.ndarray]
    target: float
    steps: float
    steps_along: float
    steps_at_ends: float


def race(tables: Tables, of: str, over: str, column: str) -> Race:
    """The race of the arm `of` to the final loss of the arm `over`, the reference.

    `column` names the arms. `steps_along` and `steps_at_ends` over `steps` are the values of the
    measures `steps_ratio` and `horizon_ratio`. Both arms have the same seeds at every number of
    steps; others are left out.
    """
    runs = tables["runs"]
    runs, _ = common_seeds(runs[runs[column].isin((of, over))], [column, "steps"], "lr")
    longest = runs[runs["steps"] == runs.loc[runs[column] == over, "steps"].max()]
    curves_along, _ = paired_curves(tables, longest, [column])
    along = {arm: curves_along[(arm,)] for arm in (over, of)}
    horizons = {arm: sweeps(runs[runs[column] == arm], "steps") for arm in (over, of)}
    ends = {
        arm: np.stack([tuned_losses(sweep, sweep) for sweep in swept], axis=1)
        for arm, swept in horizons.items()
    }
    target = along[over].final
    return Race(
        along,
        {arm: np.array([sweep.size for sweep in swept]) for arm, swept in horizons.items()},
        ends,
        target,
        along[over].steps[-1],
        curves.steps_to_loss(along[of].steps, along[of].mean, target),
        2
        ** horizon_to_loss(
            [sweep.size for sweep in horizons[of]], ends[of].mean(axis=0), target
        ).value,
    )


def frontier(tables: Tables, column: str, size: str) -> tuple[pd.DataFrame, float]:
    """Steps and samples until a common loss, and that loss.

    The common loss is the highest final loss over all arms and sizes at their best learning rates,
    so that every arm reaches it at every size. Columns: the arm in `column`, the batch size in
    `size`, `steps`, and `samples`, which is steps × size. Rows are sorted by arm and size.
    """
    groups = tables["runs"].groupby([column, size])
    paths = {group: best_curve(tables, part) for group, part in groups}
    target = max(curve.final for curve in paths.values())
    rows = []
    for (arm, value), curve in paths.items():
        steps = curves.steps_to_loss(curve.steps, curve.mean, target)
        rows.append({column: arm, size: value, "steps": steps, "samples": steps * value})
    return pd.DataFrame(rows), target
