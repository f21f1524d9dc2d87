"""Measures of learning-rate sweeps over sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from hypertransfer.analysis import regret as analysis_regret
from hypertransfer.analysis import searches
from hypertransfer.analysis import sweeps as analysis_sweeps
from hypertransfer.analysis.contrasts import standardised_mean
from hypertransfer.analysis.estimate import OPEN, Estimate, undetermined
from hypertransfer.analysis.intervals import FEWEST, LEVEL, mean_over_seeds, over_seeds
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.optimum import Optimum
from hypertransfer.analysis.sweeps import Sweep, left_out_note
from hypertransfer.analysis.tables import Tables
from hypertransfer.catalogue.options import column
from hypertransfer.claims import reach
from hypertransfer.claims.measure import measure, one_size, runs_of_common_seeds
from hypertransfer.claims.reach import Range


@measure("octaves", values=Range(unmoved=0, on_grid=reach.optimum_shift))
def optimum_shift(
    tables: Tables,
    level: float,
    *,
    size: str = "shape.width",
    loss: str = "final_loss",
    axis: str = "lr",
    signed: bool = False,
    per_seed: bool = False,
) -> Estimate:
    """The shift of the best learning rate from the smallest to the largest size.

    Sizes between these two have no part; `optimum_slope` uses all. The best learning rate is the
    minimum of a curve fitted to the logarithm of the mean loss over seeds, around the best learning
    rate tried; with `per_seed`, each seed has its own curve, and the minima are averaged. The
    interval is over curves without skew, with a skew that changes smoothly, and with one that does
    not. The shift is log₂ of the ratio of the best learning rates, without its sign unless `signed`
    is set. `axis` names the hyperparameter that was swept.
    """

    def estimator(sweeps: list[Sweep]) -> Estimate:
        ends = [sweeps[0], sweeps[-1]]
        found = analysis_sweeps.of_optima(ends, analysis_sweeps.shift, per_seed, level)
        return found if signed else found.magnitude()

    def caveats(sweeps: list[Sweep], size: str) -> Iterator[str]:
        return _optimum_caveats([sweeps[0], sweeps[-1]], size, per_seed)

    return _of_sweeps(tables, size, loss, estimator, caveats, axis)


@measure("octaves per doubling", values=Range(unmoved=0, on_grid=reach.optimum_slope))
def optimum_slope(
    tables: Tables,
    level: float,
    *,
    size: str = "shape.width",
    loss: str = "final_loss",
    per_seed: bool = False,
) -> Estimate:
    """The slope of log₂ of the best learning rate over log₂ of the size, by least squares.

    The best learning rate, and `per_seed`, are as in `optimum_shift`. Positive if the best
    learning rate rises with the size.
    """

    def estimator(sweeps: list[Sweep]) -> Estimate:
        sizes = [sweep.size for sweep in sweeps]
        return analysis_sweeps.of_optima(
            sweeps, lambda places: analysis_sweeps.slope(sizes, places), per_seed, level
        )

    def caveats(sweeps: list[Sweep], size: str) -> Iterator[str]:
        return _optimum_caveats(sweeps, size, per_seed)

    return _of_sweeps(tables, size, loss, estimator, caveats)


@measure("octaves", values=Range(unmoved=0, on_grid=reach.stable_shift), complete=True)
def stable_lr_shift(
    tables: Tables,
    level: float,
    *,
    size: str = "shape.width",
    loss: str = "final_loss",
    axis: str = "lr",
    ceiling: float = math.inf,
    signed: bool = False,
) -> Estimate:
    """The shift of the largest stable learning rate from the smallest to the largest size.

    A run is unstable if it diverged, or if its loss ends above `ceiling` at a learning rate above
    the best one. The largest stable learning rate is known up to one step of the grid. The shift
    is a log₂ ratio, without its sign unless `signed` is set. `axis` names the hyperparameter that
    was swept.
    """

    def estimator(sweeps: list[Sweep]) -> Estimate:
        ends = [sweeps[0], sweeps[-1]]
        found = over_seeds(
            lambda seeds: analysis_sweeps.shift(analysis_sweeps.stable_lrs(ends, seeds, ceiling)),
            len(ends[0].losses),
            level=level,
        )
        return found if signed else found.magnitude()

    def caveats(sweeps: list[Sweep], size: str) -> Iterator[str]:
        ends, everyone = [sweeps[0], sweeps[-1]], np.arange(len(sweeps[0].losses))
        places = analysis_sweeps.stable_lrs(ends, everyone, ceiling)
        for sweep, place in zip(ends, places, strict=True):
            if place.high == math.inf:
                yield f"at {size} {sweep.size:g} the largest value tried is stable"
            elif place.low == -math.inf:
                yield f"at {size} {sweep.size:g} the smallest value tried is unstable"

    return _of_sweeps(tables, size, loss, estimator, caveats, axis, complete=True)


@measure("loss", values=Range(least=0, unmoved=0, on_grid=reach.regret), shrinks=True)
def transfer_regret(
    tables: Tables, level: float, *, size: str = "shape.width", loss: str = "final_loss"
) -> Estimate:
    """The loss that the largest size loses at the best learning rate of the smallest size.

    The loss of the largest size at the tried learning rate that is best on the smallest size, minus
    that at the largest size's own best; the mean over seeds. The other seeds choose both learning
    rates, so that noise that looks like a better learning rate is no regret. The interval is over
    every pair of learning rates that may be the best of the two sizes. Never negative; infinite if
    a run diverges at that learning rate.
    """

    def estimator(sweeps: list[Sweep]) -> Estimate:
        regret = analysis_regret.regret(sweeps, level)
        if regret is None:
            return _no_regret(sweeps)
        return regret.estimate()

    return _of_sweeps(tables, size, loss, estimator, partial(_transfer_caveats, regret_level=level))


@measure("loss", values=Range(unmoved=0, on_grid=reach.gain))
def transfer_gain(
    tables: Tables, level: float, *, size: str = "shape.width", loss: str = "final_loss"
) -> Estimate:
    """The decrease of the mean loss from the smallest to the largest size, at one learning rate.

    The learning rate is the tried learning rate that is best on the smallest size, chosen for each
    seed by the other seeds.
    """

    def estimator(sweeps: list[Sweep]) -> Estimate:
        gains = analysis_regret.transfer_gain(sweeps)
        known = gains[~np.isnan(gains)]
        if not len(known):
            return replace(OPEN, count=len(gains))
        chosen = analysis_sweeps.level_after_choice(sweeps[:1], level)
        return mean_over_seeds(known, level=chosen)

    return _of_sweeps(tables, size, loss, estimator, _transfer_caveats)


@measure("seed σ", values=Range(least=0, unmoved=0, on_grid=reach.regret), shrinks=True)
def transfer_regret_sigma(
    tables: Tables, level: float, *, size: str = "shape.width", loss: str = "final_loss"
) -> Estimate:
    """`transfer_regret` divided by its standard deviation σ over seeds.

    σ is that of the paired difference between the two losses of a seed, in which cancels what the
    seed brings to both. The interval takes into account that σ is estimated.
    """

    def estimator(sweeps: list[Sweep]) -> Estimate:
        regret = analysis_regret.regret(sweeps, level)
        if regret is None:
            return _no_regret(sweeps)
        return regret.estimate(standardised_mean)

    return _of_sweeps(tables, size, loss, estimator, partial(_transfer_caveats, regret_level=level))


@measure(
    "",
    schemas={"between": column(least_values=2)},
    values=Range(least=0, unmoved=0, on_grid=reach.place_range, swept="along"),
)
def minimum_shift(
    tables: Tables,
    level: float,
    *,
    along: str = "place",
    between: str = "target",
    loss: str = "final_loss",
) -> Estimate:
    """The range over groups of runs of the place of least mean loss.

    `along` names the column of the places that were tried, and `between` the column whose values
    distinguish groups. The place of least loss is known up to half a step of the places tried, and
    is open beyond the first and the last.
    """
    runs, left_out = runs_of_common_seeds(tables, between, loss, axis=along)
    groups = searches.losses_by_group(runs, along, between, loss)
    found = over_seeds(
        lambda seeds: searches.minimum_shift(groups, seeds), len(groups[0]), level=level
    )
    return found.with_caveats(left_out_note(left_out, between, along), left_out)


def _no_regret(sweeps: list[Sweep]) -> Estimate:
    """The estimate from sweeps that say nothing of the regret."""
    return Estimate(math.nan, 0.0, math.inf, len(sweeps[0].losses))


def _of_sweeps(
    tables: Tables,
    size: str,
    loss: str,
    estimator: Callable[[list[Sweep]], Estimate],
    caveats: Callable[[list[Sweep], str], Iterable[str]],
    axis: str = "lr",
    complete: bool = False,
) -> Estimate:
    """An estimate from the sweeps of all sizes, over the learning rate or another axis.

    With `complete`, seeds need a run at every value of the axis.
    """
    runs, left_out = runs_of_common_seeds(tables, size, loss, axis=axis, complete=complete)
    sweeps = analysis_sweeps.sweeps(runs, size, loss, axis)
    if len(sweeps) < 2:
        return undetermined(len(sweeps[0].losses), one_size(size, sweeps[0].size))
    estimate = estimator(sweeps)
    notes = [*left_out_note(left_out, size, axis), *caveats(sweeps, size)]
    if not notes and not estimate.is_bounded:
        notes.append("without one of the seeds an optimum lies on the edge, or a run diverged")
    return estimate.with_caveats(notes, left_out)


def _optimum_caveats(sweeps: list[Sweep], size: str, per_seed: bool = False) -> Iterator[str]:
    """The reasons why the optimum of a size is not known exactly, as texts."""
    for sweep in sweeps:
        seeds = np.arange(len(sweep.losses))
        optima = sweep.seed_optima(seeds) if per_seed else [sweep.optimum(seeds)]
        faults = [fault for fault in map(_fault, optima) if fault]
        for fault in dict.fromkeys(faults):
            share = f" (seeds: {faults.count(fault)} of {len(optima)})" if per_seed else ""
            yield f"at {size} {sweep.size:g} {fault}{share}"


def _fault(optimum: Optimum) -> str:
    """The reason why an optimum is not known exactly; empty if the optimum is known."""
    if optimum.edge == "none":
        return "every value tried diverged"
    if optimum.edge == "both":
        return "only one value was tried"
    if optimum.edge:
        lr = f"{2**optimum.best:.3g}"
        return f"the optimum lies on the {optimum.edge} edge of the values tried, {lr}"
    if not optimum.is_fitted:
        return (
            "the optimum is known to a grid step only: a neighbour diverged, is as good or the last"
        )
    return ""


def _transfer_caveats(
    sweeps: list[Sweep], size: str, regret_level: float | None = None
) -> Iterator[str]:
    """The reasons why a gain, or a regret at a level, is not known exactly.

    An optimum lies on an edge, a run diverged, or, for a regret, rates lack seeds.
    """
    everyone = np.arange(len(sweeps[0].losses))
    ends = [sweeps[0], sweeps[-1]]
    edges = [sweep for sweep in ends if sweep.optimum(everyone).edge]
    if edges:
        yield from _optimum_caveats(edges, size)
        return
    small, large = (f"{size} {sweep.size:g}" for sweep in ends)
    regret = analysis_regret.regret(sweeps, LEVEL if regret_level is None else regret_level)
    if regret is None:
        lr = sweeps[0].lrs[sweeps[0].best_tried()]
        yield f"{large} was not run at lr {lr:.3g}, the best of {small}"
        return
    if np.isposinf(regret.losses).any():
        yield f"at {large} the best learning rate of {small} diverges"
    if regret_level is None:
        return
    if regret.pairs_lack_seeds:
        yield (
            f"at {large} no {FEWEST} seeds ran both a learning rate that may be best at {small} "
            "and one that may be its own best"
        )
    for is_open, name in ((regret.proxy_open, small), (regret.target_open, large)):
        if is_open:
            yield f"fewer than {FEWEST} seeds ran the learning rate with the lowest loss at {name}"
