"""Arms of a comparison: their runs at the best or a tuned learning rate, and their differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hypertransfer.analysis import curves, trajectories
from hypertransfer.analysis.estimate import (
    AnalysisError,
    Estimate,
    bootstrap,
    exact,
    undetermined,
)
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import pandas as pd
from hypertransfer.analysis.sweeps import (
    Sweep,
    check_distinct,
    common_seeds,
    left_out_note,
    sweeps,
    sweeps_of_common_seeds,
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

    A seed counts if it has a run at every learning rate of every arm.

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
    """Training losses of an arm at its best learning rate, as trailing means over steps.

    `steps` has shape (step,), and `losses` (seed, step).
    """

    steps: np.ndarray
    losses: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Mean losses (step,) over seeds."""
        return self.losses.mean(axis=0)

    @property
    def final(self) -> float:
        """The mean loss at the last step."""
        return self.losses[:, -1].mean()


def best_curve(tables: Tables, runs: pd.DataFrame, loss: str = "final_loss") -> Curve:
    """Training losses of an arm at its best learning rate.

    `loss` names the column of the runs whose mean over seeds is least at the best learning rate.
    Each training loss of the curve is the mean over a tenth of all steps, up to its step.
    """
    (sweep,) = sweeps_of_arms(runs.assign(arms="all"), "arms", loss).values()
    chosen = runs[runs["lr"] == sweep.lrs[sweep.best_tried()]].assign(size=1.0)
    history = series_of(tables, chosen, "train_loss", None)
    paths = trajectories.trajectories(chosen, history, "train_loss", "size")
    return Curve(*curves.trailing_means(paths.steps, paths.values[0], TAIL))


def at_best(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """The runs of each arm at its learning rate of least mean final loss."""
    return pd.concat(
        [part[part["lr"] == best_lr(part)] for _, part in runs.groupby(column, sort=False)]
    )


def losses_at_best(runs: pd.DataFrame, column: str) -> pd.Series:
    """The mean final loss of each arm at its best learning rate, in the order of the runs' arms."""
    return at_best(runs, column).groupby(column, sort=False)["final_loss"].mean()


def best_lr(runs: pd.DataFrame) -> float:
    """The learning rate of least mean final loss; the loss of a run that diverged is +inf."""
    losses = runs["final_loss"].mask(runs["status"] == "diverged", math.inf)
    return losses.groupby(runs["lr"]).mean().idxmin()


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


def compare(
    runs: pd.DataFrame,
    column: str,
    statistic: Callable[[Mapping[str, float]], float],
    *,
    loss: str = "final_loss",
    best: bool = False,
    tuned_at: str = "",
    generator_seed: int = 0,
) -> Estimate:
    """A statistic of the arms' mean losses, with its interval over seeds.

    Args:
        runs: the table of runs.
        column: the column that names the arms.
        statistic: the statistic of a mapping from arms to mean losses over seeds.
        loss: the column of the loss.
        best: whether each arm is compared at its learning rate of least mean final loss. Otherwise
            each arm and seed has one run.
        tuned_at: a column of sizes, to compare each arm at its largest size with the best
            learning rate of its smallest size; empty to compare all runs.
        generator_seed: the seed of the resamples.

    Raises:
        AnalysisError: there are fewer than two arms, or several learning rates without `best`.
    """
    need("runs", runs, (column, "seed", "status", "lr", loss, *([tuned_at] if tuned_at else [])))
    if tuned_at:
        runs, absent = at_tuned(runs, column, tuned_at)
        if absent:
            return undetermined(runs["seed"].nunique(), absent)
    elif best and loss != "final_loss":  # the training loss chooses the learning rate
        runs = at_best(runs, column)
    arms = sweeps_of_arms(runs, column, loss)
    if len(arms) < 2:
        raise AnalysisError(f"a comparison needs at least two values of {column}")
    if any(len(sweep.lrs) > 1 for sweep in arms.values()) and not best:
        raise AnalysisError("an arm has several learning rates: choose one, or set `best: true`")

    def of_seeds(seeds: np.ndarray) -> Estimate:
        return exact(statistic({name: sweep.least_loss(seeds) for name, sweep in arms.items()}))

    count = len(next(iter(arms.values())).losses)
    left_out = runs["seed"].nunique() - count
    estimate = bootstrap(of_seeds, count, generator_seed=generator_seed)
    return estimate.with_caveats(left_out_note(left_out, column, "lr"), left_out)


def lead(losses: Mapping[str, float], arm: str) -> float:
    """The least loss of the other arms minus the arm's loss; nan if all arms diverged."""
    least = min(loss for name, loss in losses.items() if name != arm)
    return least - losses[arm] if math.isfinite(least) or math.isfinite(losses[arm]) else math.nan


def steps_to_final_loss(curve: Curve, reference: Curve, seeds: np.ndarray) -> float:
    """The first step at which a curve reaches the final loss of the reference; +inf if never.

    Both losses are means over the chosen seeds.
    """
    target = reference.losses[seeds, -1].mean()
    return curves.steps_to_loss(curve.steps, curve.losses[seeds].mean(axis=0), target)


def horizon_to_loss(sweeps: Sequence[Sweep], seeds: np.ndarray | slice, target: float) -> Estimate:
    """log₂ of the number of steps after which a run with a schedule of that length ends at a loss.

    The size of each sweep is a number of steps, which its schedule covers. The loss at a number of
    steps is the mean over the chosen seeds at the sweep's best learning rate, and is interpolated
    linearly in log₂ of the number of steps. See `curves.crossing` for open ends.
    """
    losses = [sweep.least_loss(seeds) for sweep in sweeps]
    return curves.crossing([math.log2(sweep.size) for sweep in sweeps], losses, target)


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
    measures `steps_ratio` and `horizon_ratio`.
    """
    runs = tables["runs"]
    longest = runs[runs["steps"] == runs.loc[runs[column] == over, "steps"].max()]
    along = {arm: best_curve(tables, longest[longest[column] == arm]) for arm in (over, of)}
    horizons = {
        arm: sweeps_of_common_seeds(runs[runs[column] == arm], "steps") for arm in (over, of)
    }
    target = along[over].final
    return Race(
        along,
        {arm: np.array([sweep.size for sweep in swept]) for arm, swept in horizons.items()},
        {
            arm: np.stack([sweep.losses[:, sweep.best_tried()] for sweep in swept], axis=1)
            for arm, swept in horizons.items()
        },
        target,
        along[over].steps[-1],
        curves.steps_to_loss(along[of].steps, along[of].mean, target),
        2 ** horizon_to_loss(horizons[of], slice(None), target).value,
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
