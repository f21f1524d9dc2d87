"""Measures that compare arms: optimizers, architectures, rules."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hypertransfer.analysis import curves
from hypertransfer.analysis import sweeps as analysis_sweeps
from hypertransfer.analysis.arms import (
    compare,
    diverged_difference,
    horizon_to_loss,
    lead,
    named,
    of_arms,
    of_means,
    paired_curves,
    percent_range,
    steps_to_final_loss,
    sweeps_of_arms,
)
from hypertransfer.analysis.estimate import Estimate, linear, undetermined
from hypertransfer.analysis.intervals import mean_over_seeds, over_seeds
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.sweeps import level_after_choice, tuned_losses
from hypertransfer.analysis.tables import Tables, need, unique_runs, with_measured
from hypertransfer.claims import reach
from hypertransfer.claims.measure import (
    ARM,
    LOSS_OR_MEASURED,
    TWO_SIZES,
    ClaimError,
    measure,
    sweeps_of_arms_over_sizes,
)
from hypertransfer.claims.reach import Range

MEASURED = {"loss": LOSS_OR_MEASURED}  # of measures of losses, or of what a probe measured


@measure("loss", schemas={**MEASURED, "over": {**ARM, "minLength": 0}}, values=Range(contrast=True))
def advantage(
    tables: Tables,
    level: float,
    *,
    of: str = "",
    over: str = "",
    column: str = "parameterisation",
    loss: str = "final_loss",
    best: bool = False,
    tuned_at: str = "",
    higher: bool = False,
) -> Estimate:
    """The mean loss of the arm `over` minus that of the arm `of`: positive if `of` is better.

    `column` names the column whose values are the arms. Without `over`, `of` is compared with the
    best of all other arms. With `best`, each arm has its learning rate of least mean final
    loss, chosen for each seed by the other seeds, so that trying more rates is no advantage.
    With `tuned_at`, a column of sizes, each arm has the best learning rate of its smallest
    size, and is compared at its largest size. Otherwise each arm has one run for each seed.
    `loss` may name a quantity that a probe measured, taken at the last checkpoint. With
    `higher`, larger values of `loss` are better, and the difference has the opposite sign.
    """
    runs = with_measured(tables, loss)
    arms = of_arms(runs, column, loss, (of, over) if over else (of,))
    chosen = arms if over else named(runs, column)
    if higher:
        chosen = chosen.assign(**{loss: -chosen[loss]})
    return compare(chosen, column, lead(of), loss=loss, best=best, tuned_at=tuned_at, level=level)


@measure("loss", schemas=TWO_SIZES, values=Range(contrast=True))
def rise_advantage(
    tables: Tables,
    level: float,
    *,
    of: str = "",
    over: str = "",
    column: str = "parameterisation",
    size: str = "shape.width",
    loss: str = "final_loss",
) -> Estimate:
    """The rise of the loss of `over` from the smallest to the largest size, minus that of `of`.

    The rise of an arm is the difference of its mean losses at the two sizes, each at the learning
    rate of least mean loss by the other seeds. Positive if the loss of `of` rises less.
    """
    arms, left_out = sweeps_of_arms_over_sizes(tables, column, (of, over), size, loss)
    rises = [tuned_losses(s[-1], s[-1]) - tuned_losses(s[0], s[0]) for s in arms]
    less = rises[1] - rises[0]
    ends = [sweep for sweeps in arms for sweep in (sweeps[0], sweeps[-1])]
    estimate = mean_over_seeds(less, level=level_after_choice(ends, level))
    note = analysis_sweeps.left_out_note(left_out, f"{column} and {size}", "lr")
    return estimate.with_caveats(note, left_out)


@measure("%", schemas=MEASURED, values=Range(least=0, contrast=True), shrinks=True)
def arms_range(
    tables: Tables,
    level: float,
    *,
    column: str = "parameterisation",
    loss: str = "final_loss",
    best: bool = False,
    tuned_at: str = "",
) -> Estimate:
    """The range of the mean losses of all arms, divided by their average, in per cent.

    The interval contains 0 if all arms may be equal, and the value is corrected for the range that
    noise alone brings. `best` and `tuned_at` choose learning rates as in `advantage`.
    """
    return compare(
        with_measured(tables, loss),
        column,
        percent_range,
        loss=loss,
        best=best,
        tuned_at=tuned_at,
        level=level,
    )


@measure("×", schemas=MEASURED, values=Range(least=0, contrast=True))
def arms_ratio(
    tables: Tables,
    level: float,
    *,
    of: str = "",
    over: str = "",
    column: str = "parameterisation",
    loss: str = "final_loss",
    best: bool = False,
    tuned_at: str = "",
) -> Estimate:
    """The mean of the arm `of` divided by the mean of the arm `over`.

    `loss` names the averaged column: a loss, a time, or a quantity that a probe measured.

    `best` and `tuned_at` choose learning rates as in `advantage`.
    """
    return compare(
        of_arms(with_measured(tables, loss), column, loss, (of, over)),
        column,
        of_means(lambda losses: losses[of] / losses[over], log=True),
        loss=loss,
        best=best,
        tuned_at=tuned_at,
        level=level,
    )


@measure("%", schemas=MEASURED, values=Range(greatest=100, contrast=True))
def perplexity_gain(
    tables: Tables,
    level: float,
    *,
    of: str = "",
    over: str = "",
    column: str = "parameterisation",
    loss: str = "final_loss",
    best: bool = False,
    tuned_at: str = "",
) -> Estimate:
    """The decrease of the perplexity, exp of the mean loss, from `over` to `of`, in per cent.

    `best` and `tuned_at` choose learning rates as in `advantage`.
    """

    def gain(losses: Mapping[str, float]) -> float:
        return 100 * (1 - math.exp(losses[of] - losses[over]))

    return compare(
        of_arms(with_measured(tables, loss), column, loss, (of, over)),
        column,
        of_means(gain),
        loss=loss,
        best=best,
        tuned_at=tuned_at,
        level=level,
    )


@measure("loss", schemas=MEASURED, values=Range(contrast=True))
def interaction(
    tables: Tables,
    level: float,
    *,
    base: str = "",
    single: str = "",
    joint: str = "",
    column: str = "grid",
    loss: str = "final_loss",
) -> Estimate:
    """The gain of several changes together, minus the sum of the gains of the single changes.

    A gain is the decrease of the mean loss, the logarithm of perplexity, from the arm `base`; the
    difference is 0 if factors on the perplexity multiply. `joint` names the arm with all changes,
    and `single` the arms with one change each, separated by commas. Each arm has its learning rate
    of least mean loss.
    """
    alone = [name.strip() for name in single.split(",")]
    chosen = of_arms(with_measured(tables, loss), column, loss, [base, joint, *alone])

    def remainder(losses: Mapping[str, float]) -> float:
        gains = [losses[base] - losses[name] for name in alone]
        return losses[base] - losses[joint] - sum(gains)

    return compare(chosen, column, of_means(remainder), loss=loss, best=True, level=level)


@measure("percentage points", values=Range(-100, 100, contrast=True))
def diverged_advantage(
    tables: Tables,
    level: float,
    *,
    of: str = "",
    over: str = "",
    column: str = "optimizer",
    axis: str = "lr",
) -> Estimate:
    """The percentage of runs of `over` that diverged, minus that of `of`.

    Runs are compared at the values of `axis` that every seed of both arms ran. Positive if fewer
    runs of `of` diverged.
    """
    runs = of_arms(unique_runs(tables), column, "status", (of, over))
    need("runs", runs, ("seed", axis))
    kept, left_out = analysis_sweeps.common_seeds(runs, column)
    gone = kept.assign(gone=(kept["status"] == "diverged").astype(float))
    table = gone.pivot_table(index=[column, "seed"], columns=axis, values="gone")
    table = table.dropna(axis="columns")
    count = kept["seed"].nunique()
    if table.empty:
        return undetermined(count, f"no value of {axis} was run by every seed of both arms")
    if not table.to_numpy().any():
        text = "no run of either diverged, so there is nothing to tell: try larger learning rates"
        return undetermined(count, text)
    found = diverged_difference(np.stack([table.loc[of], table.loc[over]]), level)
    return found.with_caveats(analysis_sweeps.left_out_note(left_out, column), left_out)


@measure("octaves", values=Range(contrast=True))
def lr_span_advantage(
    tables: Tables,
    level: float,
    *,
    of: str = "",
    over: str = "",
    column: str = "optimizer",
    loss: str = "final_loss",
    margin: float = 0.2,
) -> Estimate:
    """The range of good learning rates of `of`, minus that of `over`, in octaves.

    The range of an arm holds the learning rates around the best one at which the mean loss exceeds
    its least value by at most `margin`. The loss is interpolated linearly in the logarithm of the
    learning rate. If the lowest or highest learning rate tried is within the margin, the range is
    open at that end.
    """
    runs = of_arms(unique_runs(tables), column, loss, (of, over))
    sweeps = sweeps_of_arms(runs, column, loss)

    def statistic(seeds: np.ndarray) -> Estimate:
        spans = [
            curves.stable_span(sweeps[arm].lrs, sweeps[arm].means(seeds), margin)
            for arm in (of, over)
        ]
        return linear([1.0, -1.0], spans)

    count = len(sweeps[of].losses)
    left_out = runs["seed"].nunique() - count
    note = analysis_sweeps.left_out_note(left_out, column, "lr")
    return over_seeds(statistic, count, level=level).with_caveats(note, left_out)


@measure("× steps", values=Range(least=0, contrast=True))
def steps_ratio(
    tables: Tables,
    level: float,
    *,
    of: str = "",
    over: str = "",
    column: str = "optimizer",
    loss: str = "final_loss",
) -> Estimate:
    """The share of steps after which the training loss of `of` reaches the final loss of `over`.

    Each arm has its learning rate of least mean loss, chosen for each seed by the other seeds.
    Training losses are means over a tenth of all steps, as the final loss is; a mean counts at the
    middle of its steps. If the learning rate decays until the end of a run,
    it is still high when `of` reaches the target; `horizon_ratio` compares whole runs.
    """
    runs = of_arms(unique_runs(tables), column, loss, (of, over))
    paired, left_out = paired_curves(tables, runs, [column], loss, level)
    arm, other = paired[(of,)], paired[(over,)]
    last = float(other.steps[-1])

    def share(seeds: np.ndarray) -> Estimate:
        return linear([1 / last], [steps_to_final_loss(arm, other, seeds)])

    chosen = max(arm.level, other.level)
    estimate = over_seeds(share, len(arm.losses), level=chosen, log=True)
    note = analysis_sweeps.left_out_note(left_out, column, "lr")
    return estimate.with_caveats(note, left_out)


@measure("octaves per doubling", schemas=TWO_SIZES, values=Range(contrast=True))
def steps_ratio_slope(
    tables: Tables,
    level: float,
    *,
    of: str = "",
    over: str = "",
    column: str = "optimizer",
    size: str = "batch_size",
    loss: str = "final_loss",
) -> Estimate:
    """The slope of log₂(1/`steps_ratio`) over log₂ of a size, by least squares.

    1/`steps_ratio` is the factor by which `of` needs fewer steps than `over`. Positive if the
    factor grows with the size.
    """
    runs = of_arms(unique_runs(tables), column, loss, (of, over))
    need("runs", runs, (size,))
    paired, left_out = paired_curves(tables, runs, [column, size], loss, level)
    sizes = sorted({value for _, value in paired})
    if len(sizes) < 2:
        raise ClaimError(f"runs at two or more values of {size} are needed, not at {len(sizes)}")
    if absent := [(arm, x) for x in sizes for arm in (of, over) if (arm, x) not in paired]:
        (arm, value), *_ = absent
        raise ClaimError(f"{arm} has no run at {size} {value:g}: choose common sizes in `where`")
    pairs = [(paired[of, value], paired[over, value]) for value in sizes]

    def statistic(seeds: np.ndarray) -> Estimate:
        factors = [
            _log2_factor(steps_to_final_loss(arm, other, seeds), float(other.steps[-1]))
            for arm, other in pairs
        ]
        return analysis_sweeps.slope(list(map(float, sizes)), factors)

    count, chosen = len(pairs[0][0].losses), max(curve.level for curve in paired.values())
    estimate = over_seeds(statistic, count, level=chosen)
    note = analysis_sweeps.left_out_note(left_out, f"{column} and {size}", "lr")
    return estimate.with_caveats(note, left_out)


def _log2_factor(steps: Estimate, last: float) -> Estimate:
    """log₂ of last/steps, with its bounds."""
    value, high, low = (
        math.log2(last / end) if end < math.inf else -math.inf
        for end in (steps.value, steps.low, steps.high)
    )
    return Estimate(value, low, high)


@measure("× steps", values=Range(least=0, contrast=True, on_grid=reach.horizon_share, swept="size"))
def horizon_ratio(
    tables: Tables,
    level: float,
    *,
    of: str = "",
    over: str = "",
    column: str = "optimizer",
    size: str = "steps",
    loss: str = "final_loss",
) -> Estimate:
    """The share of steps that whole runs of `of` need to end at the final loss of `over`.

    The arm `of` has runs of several numbers of steps (`size`), each with a schedule over its own
    steps and with the learning rate of least mean loss for this number of steps, chosen for each
    seed by the other seeds. The final loss is
    interpolated linearly in the logarithm of the number of steps. The target is the final loss of
    `over` at its largest number of steps, of which the result is a share.
    """
    runs = of_arms(unique_runs(tables), column, loss, (of, over))
    need("runs", runs, (size,))
    runs, left_out = analysis_sweeps.common_seeds(runs, [column, size], "lr")
    sweeps = analysis_sweeps.sweeps(runs[runs[column] == of], size, loss)
    others = runs[runs[column] == over]
    longest = others[others[size] == others[size].max()]
    (target,) = analysis_sweeps.sweeps(longest, size, loss)

    ends, goals = [tuned_losses(sweep, sweep) for sweep in sweeps], tuned_losses(target, target)
    horizons = [sweep.size for sweep in sweeps]

    def statistic(seeds: np.ndarray) -> Estimate:
        means = [float(losses[seeds].mean()) for losses in ends]
        steps = horizon_to_loss(horizons, means, float(goals[seeds].mean()))
        return Estimate(*(2.0**end / target.size for end in (steps.value, steps.low, steps.high)))

    chosen = level_after_choice([*sweeps, target], level)
    estimate = over_seeds(statistic, len(goals), level=chosen, log=True)
    note = analysis_sweeps.left_out_note(left_out, f"{column} and {size}", "lr")
    return estimate.with_caveats(note, left_out)
