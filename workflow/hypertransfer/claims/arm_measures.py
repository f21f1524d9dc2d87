"""Measures that compare arms: optimizers, architectures, rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hypertransfer.analysis.arms import (
    at_best,
    at_tuned,
    best_curves,
    named,
    sweeps_of_arms,
    with_measured,
)
from hypertransfer.analysis.estimate import need
from hypertransfer.claims.measure import ClaimError, Measured, Tables, measure

if TYPE_CHECKING:
    import pandas as pd

    from hypertransfer.analysis.estimate import Estimate


@measure("loss")
def advantage(
    tables: Tables, seed: int, *, of: str = "", over: str = "", column: str = "parameterisation",
    loss: str = "final_loss", best: bool = False, tuned_at: str = "", higher: bool = False,
) -> Measured:  # fmt: skip
    """By how much the loss of one arm is below that of another, seed by seed.

    Arms are told apart by `column`; without `over` the best of all others is compared with.
    With `best` each arm takes its learning rate of least mean final loss; with `tuned_at`, a column
    of sizes, that of its smallest size, and is compared at its largest; else there is one run for
    each arm and seed. `loss` may be what a probe measured at the last checkpoint; `higher` says
    that more of it is better. Positive is better.
    """
    runs = with_measured(tables, loss)
    need("runs", runs, (column, loss))
    runs = named(runs, column)
    chosen = runs[runs[column].isin([of, over])] if over else runs
    if missing := sorted({of, *([over] if over else [])} - set(chosen[column])):
        known = ", ".join(sorted(set(map(str, runs[column]))))
        raise ClaimError(f"no run has {column} {', '.join(missing)}; there is {known}")
    if higher:
        chosen = chosen.assign(**{loss: -chosen[loss]})

    def gain(lows: Mapping[str, float]) -> float:
        least = min(low for name, low in lows.items() if name != of)
        return least - lows[of] if math.isfinite(least) or math.isfinite(lows[of]) else math.nan

    return _of_arms(chosen, seed, column, loss, gain, best, tuned_at)


@measure("loss")
def rise_advantage(
    tables: Tables, seed: int, *, of: str = "", over: str = "", column: str = "parameterisation",
    size: str = "shape.width", loss: str = "final_loss",
) -> Measured:  # fmt: skip
    """By how much less the loss of one arm rises than another's, from smallest to largest size.

    At each size each arm takes its learning rate of least mean loss. Positive is better.
    """
    from hypertransfer.analysis import estimate
    from hypertransfer.analysis import sweeps as analysis_sweeps

    runs = tables["runs"].drop_duplicates("key")
    need("runs", runs, (column, size, "seed", "status", "lr", loss))
    arms = [analysis_sweeps.sweeps(runs[runs[column] == name], size, loss) for name in (of, over)]
    if any(len(sweeps) < 2 for sweeps in arms):
        raise ClaimError(f"two {size} or more are needed of {of} and of {over}")

    def statistic(seeds: Any) -> Estimate:
        rises = []
        for sweeps in arms:
            first, last = (s.losses[seeds].mean(axis=0).min() for s in (sweeps[0], sweeps[-1]))
            rises.append(last - first)
        return estimate.exact(float(rises[1] - rises[0]))

    found = estimate.bootstrap(statistic, len(arms[0][0].losses), generator_seed=seed)
    return Measured(found.value, found.low, found.high, len(arms[0][0].losses))


@measure("%")
def arms_range(
    tables: Tables, seed: int, *, column: str = "parameterisation", loss: str = "final_loss",
    best: bool = False, tuned_at: str = "",
) -> Measured:  # fmt: skip
    """The largest less the smallest loss of all arms, over their mean, in per cent.

    `best` and `tuned_at` choose learning rates as in `advantage`.
    """

    def spread(lows: Mapping[str, float]) -> float:
        found = lows.values()
        return 100 * (max(found) - min(found)) / (sum(found) / len(found))

    return _of_arms(with_measured(tables, loss), seed, column, loss, spread, best, tuned_at)


@measure("×")
def arms_ratio(
    tables: Tables, seed: int, *, of: str = "", over: str = "", column: str = "parameterisation",
    loss: str = "final_loss", best: bool = False, tuned_at: str = "",
) -> Measured:  # fmt: skip
    """One arm's mean over another's, of a loss, a time, or what a probe measured.

    `best` and `tuned_at` choose learning rates as in `advantage`.
    """
    runs = _two_arms(with_measured(tables, loss), column, loss, of, over)
    return _of_arms(runs, seed, column, loss, lambda lows: lows[of] / lows[over], best, tuned_at)


@measure("%")
def perplexity_gain(
    tables: Tables, seed: int, *, of: str = "", over: str = "", column: str = "parameterisation",
    loss: str = "final_loss", best: bool = False, tuned_at: str = "",
) -> Measured:  # fmt: skip
    """By how many per cent one arm's perplexity, exp of the mean loss, is below another's.

    `best` and `tuned_at` choose learning rates as in `advantage`.
    """
    runs = _two_arms(with_measured(tables, loss), column, loss, of, over)

    def gain(lows: Mapping[str, float]) -> float:
        return 100 * (1 - math.exp(lows[of] - lows[over]))

    return _of_arms(runs, seed, column, loss, gain, best, tuned_at)


@measure("loss")
def interaction(
    tables: Tables, seed: int, *, base: str = "", single: str = "", joint: str = "",
    column: str = "grid", loss: str = "final_loss",
) -> Measured:  # fmt: skip
    """What changes gain together, less what each of them gains alone: 0 if gains multiply.

    Gains are in loss, the logarithm of perplexity, over the arm `base`; `single` names the arms of
    one change each, with commas between. Each arm takes its learning rate of least mean loss.
    """
    alone = [name.strip() for name in single.split(",")]
    runs = with_measured(tables, loss)
    need("runs", runs, (column, loss))
    chosen = runs[runs[column].isin([base, joint, *alone])]
    if missing := sorted({base, joint, *alone} - set(chosen[column])):
        raise ClaimError(f"no run has {column} {', '.join(missing)}")

    def left(lows: Mapping[str, float]) -> float:
        gains = [lows[base] - lows[name] for name in alone]
        return lows[base] - lows[joint] - sum(gains)

    return _of_arms(chosen, seed, column, loss, left, best=True, tuned_at="")


@measure("percentage points")
def diverged_advantage(
    tables: Tables, seed: int, *, of: str = "", over: str = "", column: str = "optimizer",
    axis: str = "lr",
) -> Measured:  # fmt: skip
    """By how much the share of runs that diverged is smaller in one arm than in another.

    Of each arm and seed there is a run for each value of `axis`.
    """
    from hypertransfer.analysis import estimate

    runs = _two_arms(tables["runs"].drop_duplicates("key"), column, "status", of, over)
    need("runs", runs, ("seed", axis))
    shares = runs.assign(share=100.0 * (runs["status"] == "diverged"))
    table = shares.pivot_table(index="seed", columns=column, values="share").dropna()

    if not table.to_numpy().any():
        text = "no run of either diverged, so there is nothing to tell: try larger learning rates"
        return Measured(math.nan, -math.inf, math.inf, len(table), text)

    def statistic(seeds: Any) -> Estimate:
        means = table.iloc[seeds].mean()
        return estimate.exact(float(means[over] - means[of]))

    found = estimate.bootstrap(statistic, len(table), generator_seed=seed)
    return Measured(found.value, found.low, found.high, len(table))


@measure("octaves")
def lr_span_advantage(
    tables: Tables, seed: int, *, of: str = "", over: str = "", column: str = "optimizer",
    loss: str = "final_loss", margin: float = 0.2,
) -> Measured:  # fmt: skip
    """How many octaves more of learning rates keep the mean loss within `margin` of its least.

    Between learning rates that were tried the loss is taken as linear in their logarithm. Where an
    end of those tried is within the margin, more may be.
    """
    from hypertransfer.analysis import curves as analysis_curves
    from hypertransfer.analysis import estimate

    runs = _two_arms(tables["runs"].drop_duplicates("key"), column, loss, of, over)
    sweeps = sweeps_of_arms(runs, column, loss)

    def statistic(seeds: Any) -> Estimate:
        spans = [
            analysis_curves.span(sweeps[arm].lrs, sweeps[arm].losses[seeds].mean(axis=0), margin)
            for arm in (of, over)
        ]
        return estimate.linear([1.0, -1.0], spans)

    seeds = len(sweeps[of].losses)
    found = estimate.bootstrap(statistic, seeds, generator_seed=seed)
    return Measured(found.value, found.low, found.high, seeds)


@measure("× steps")
def steps_ratio(
    tables: Tables, seed: int, *, of: str = "", over: str = "", column: str = "optimizer",
    loss: str = "final_loss",
) -> Measured:  # fmt: skip
    """The share of steps after which one arm's training loss is at the other's final one.

    Each arm takes its learning rate of least mean loss; losses are means over the last tenth of the
    whole number of steps, as the final loss is. Where the learning rate falls until the end, it has
    not fallen yet when the target is reached: see `horizon_ratio`.
    """
    from hypertransfer.analysis import curves as analysis_curves
    from hypertransfer.analysis import estimate

    runs = _two_arms(tables["runs"].drop_duplicates("key"), column, loss, of, over)
    curves = {arm: best_curves(tables, runs[runs[column] == arm], loss) for arm in (of, over)}

    def statistic(seeds: Any) -> Estimate:
        (steps, losses), (last, target) = curves[of], curves[over]
        share = analysis_curves.reached(steps, losses[seeds].mean(axis=0), target[seeds, -1].mean())
        return estimate.exact(share / last[-1])

    seeds = len(curves[of][1])
    found = estimate.bootstrap(statistic, seeds, generator_seed=seed)
    return Measured(found.value, found.low, found.high, seeds)


@measure("octaves per doubling")
def steps_ratio_slope(
    tables: Tables, seed: int, *, of: str = "", over: str = "", column: str = "optimizer",
    size: str = "batch_size", loss: str = "final_loss",
) -> Measured:  # fmt: skip
    """How the factor by which one arm needs fewer steps than another changes with a size.

    The factor is 1/`steps_ratio` at each size; positive is growing.
    """
    from hypertransfer.analysis import curves as analysis_curves
    from hypertransfer.analysis import estimate
    from hypertransfer.analysis import sweeps as analysis_sweeps

    runs = _two_arms(tables["runs"].drop_duplicates("key"), column, loss, of, over)
    need("runs", runs, (size,))
    curves = {
        value: [best_curves(tables, part[part[column] == arm], loss) for arm in (of, over)]
        for value, part in runs.groupby(size)
    }
    if len(curves) < 2:
        raise ClaimError(f"two {size} or more are needed, not {len(curves)}")

    def statistic(seeds: Any) -> Estimate:
        factors = []
        for (steps, losses), (last, target) in curves.values():
            share = analysis_curves.reached(
                steps, losses[seeds].mean(axis=0), target[seeds, -1].mean()
            )
            factors.append(estimate.exact(math.log2(last[-1] / share)))
        return analysis_sweeps.slope([float(value) for value in curves], factors)

    seeds = min(len(losses) for pair in curves.values() for _, losses in pair)
    found = estimate.bootstrap(statistic, seeds, generator_seed=seed)
    return Measured(found.value, found.low, found.high, seeds)


@measure("× steps")
def horizon_ratio(
    tables: Tables, seed: int, *, of: str = "", over: str = "", column: str = "optimizer",
    size: str = "steps", loss: str = "final_loss",
) -> Measured:  # fmt: skip
    """The share of steps that one arm needs for the other's final loss, each run to its own end.

    The arm `of` is run for several numbers of steps (`size`), with its schedule over each and its
    learning rate of least mean loss at each; the loss is taken as linear in the logarithm of steps
    between them. The target is the other arm's at its largest number of steps.
    """
    from hypertransfer.analysis import curves as analysis_curves
    from hypertransfer.analysis import estimate
    from hypertransfer.analysis import sweeps as analysis_sweeps

    runs = _two_arms(tables["runs"].drop_duplicates("key"), column, loss, of, over)
    need("runs", runs, (size,))
    runs, _ = analysis_sweeps.common_seeds(runs, column)
    sweeps = analysis_sweeps.sweeps(runs[runs[column] == of], size, loss)
    (target,) = analysis_sweeps.sweeps(_largest(runs[runs[column] == over], size), size, loss)

    def statistic(seeds: Any) -> Estimate:
        lows = [float(sweep.losses[seeds].mean(axis=0).min()) for sweep in sweeps]
        wanted = float(target.losses[seeds].mean(axis=0).min())
        place = analysis_curves.crossing([math.log2(sweep.size) for sweep in sweeps], lows, wanted)
        shares = [2.0**end / target.size for end in (place.value, place.low, place.high)]
        return estimate.Estimate(*shares)

    found = estimate.bootstrap(statistic, len(target.losses), generator_seed=seed)
    return Measured(found.value, found.low, found.high, len(target.losses))


def _largest(runs: pd.DataFrame, size: str) -> pd.DataFrame:
    return runs[runs[size] == runs[size].max()]


def _two_arms(runs: pd.DataFrame, column: str, loss: str, of: str, over: str) -> pd.DataFrame:
    """The runs of two arms.

    Raises:
        ClaimError: one of them has none.
    """
    need("runs", runs, (column, loss))
    runs = named(runs, column)
    if missing := sorted({of, over} - set(runs[column])):
        known = ", ".join(sorted(set(map(str, runs[column]))))
        raise ClaimError(f"no run has {column} {', '.join(missing)}; there is {known}")
    return runs[runs[column].isin([of, over])]


def _of_arms(
    runs: pd.DataFrame, generator_seed: int, column: str, loss: str,
    statistic: Callable[[Mapping[str, float]], float], best: bool, tuned_at: str,
) -> Measured:  # fmt: skip
    """A statistic of the arms' means, each at its one learning rate, or at its best."""
    from hypertransfer.analysis import estimate

    need("runs", runs, (column, "seed", "status", "lr", loss, *([tuned_at] if tuned_at else [])))
    if tuned_at:
        runs, absent = at_tuned(runs, column, tuned_at)
        if absent:
            return Measured(math.nan, -math.inf, math.inf, runs["seed"].nunique(), absent)
    elif best and loss != "final_loss":  # the rate is chosen by the loss that is trained on
        runs = at_best(runs, column)
    sweeps = sweeps_of_arms(runs, column, loss)
    if len(sweeps) < 2:
        raise ClaimError(f"two values of {column} or more are needed to compare")
    if any(len(sweep.lrs) > 1 for sweep in sweeps.values()) and not best:
        raise ClaimError("an arm has several learning rates: choose one, or set `best: true`")

    def of_seeds(seeds: Any) -> Estimate:
        lows = {
            name: float(sweep.losses[seeds].mean(axis=0).min()) for name, sweep in sweeps.items()
        }
        return estimate.exact(statistic(lows))

    seeds = len(next(iter(sweeps.values())).losses)
    found = estimate.bootstrap(of_seeds, seeds, generator_seed=generator_seed)
    return Measured(found.value, found.low, found.high, seeds)
