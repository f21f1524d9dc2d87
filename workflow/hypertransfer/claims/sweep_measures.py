"""Measures of learning-rate sweeps over sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

from hypertransfer.analysis import searches
from hypertransfer.analysis import sweeps as analysis_sweeps
from hypertransfer.analysis.estimate import Estimate, bootstrap, in_units, undetermined
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
    seed: int,
    *,
    size: str = "shape.width",
    loss: str = "final_loss",
    axis: str = "lr",
    signed: bool = False,
    per_seed: bool = False,
) -> Estimate:
    """The shift of the best learning rate from the smallest to the largest size.

    The best learning rate is the vertex of a parabola in log₂ of the learning rate, through the
    least mean loss over seeds and its two neighbours; with `per_seed`, each seed has its own
    parabola, and the vertices are averaged. The shift is log₂ of the ratio of the best learning
    rates, without its sign unless `signed` is set. `axis` names the hyperparameter that was swept.
    """

    def statistic(sweeps: list[Sweep], seeds: np.ndarray) -> Estimate:
        return analysis_sweeps.optimum_shift(sweeps, seeds, per_seed)

    def caveats(sweeps: list[Sweep], seeds: np.ndarray, size: str) -> Iterator[str]:
        return _optimum_caveats([sweeps[0], sweeps[-1]], seeds, size, per_seed)

    return _of_sweeps(tables, seed, size, loss, statistic, caveats, not signed, axis)


@measure("octaves per doubling", values=Range(unmoved=0, on_grid=reach.optimum_slope))
def optimum_slope(
    tables: Tables,
    seed: int,
    *,
    size: str = "shape.width",
    loss: str = "final_loss",
    per_seed: bool = False,
) -> Estimate:
    """The slope of log₂ of the best learning rate over log₂ of the size, by least squares.

    The best learning rate, and `per_seed`, are as in `optimum_shift`. Positive if the best
    learning rate rises with the size.
    """

    def statistic(sweeps: list[Sweep], seeds: np.ndarray) -> Estimate:
        sizes = [sweep.size for sweep in sweeps]
        return analysis_sweeps.slope(sizes, analysis_sweeps.optima(sweeps, seeds, per_seed))

    def caveats(sweeps: list[Sweep], seeds: np.ndarray, size: str) -> Iterator[str]:
        return _optimum_caveats(sweeps, seeds, size, per_seed)

    return _of_sweeps(tables, seed, size, loss, statistic, caveats)


@measure("octaves", values=Range(unmoved=0, on_grid=reach.stable_shift))
def stable_lr_shift(
    tables: Tables,
    seed: int,
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

    def statistic(sweeps: list[Sweep], seeds: np.ndarray) -> Estimate:
        return analysis_sweeps.shift(analysis_sweeps.stable_lrs(sweeps, seeds, ceiling))

    def caveats(sweeps: list[Sweep], seeds: np.ndarray, size: str) -> Iterator[str]:
        ends = [sweeps[0], sweeps[-1]]
        for sweep, place in zip(
            ends, analysis_sweeps.stable_lrs(ends, seeds, ceiling), strict=True
        ):
            if place.high == math.inf:
                yield f"at {size} {sweep.size:g} the largest value tried is stable"
            elif place.low == -math.inf:
                yield f"at {size} {sweep.size:g} the smallest value tried is unstable"

    return _of_sweeps(tables, seed, size, loss, statistic, caveats, not signed, axis)


@measure("loss", values=Range(least=0, unmoved=0))
def transfer_regret(
    tables: Tables, seed: int, *, size: str = "shape.width", loss: str = "final_loss"
) -> Estimate:
    """The loss that the largest size loses at the best learning rate of the smallest size.

    The mean loss of the largest size at the tried learning rate that is best on the smallest size,
    minus the least mean loss of the largest size. Never negative; infinite if a run diverges at
    that learning rate.
    """

    return _of_sweeps(tables, seed, size, loss, analysis_sweeps.regret, _regret_caveats)


@measure("loss", values=Range(unmoved=0))
def transfer_gain(
    tables: Tables, seed: int, *, size: str = "shape.width", loss: str = "final_loss"
) -> Estimate:
    """The decrease of the mean loss from the smallest to the largest size, at one learning rate.

    The learning rate is the tried learning rate that is best on the smallest size.
    """

    return _of_sweeps(tables, seed, size, loss, analysis_sweeps.transfer_gain, _regret_caveats)


@measure("seed σ", values=Range(least=0, unmoved=0))
def transfer_regret_sigma(
    tables: Tables, seed: int, *, size: str = "shape.width", loss: str = "final_loss"
) -> Estimate:
    """`transfer_regret` divided by the standard deviation σ over seeds of the largest size's loss.

    σ is taken at the learning rate of least mean loss, over all seeds, also in the resamples of
    the interval.
    """

    def statistic(sweeps: list[Sweep], seeds: np.ndarray) -> Estimate:
        sigma = analysis_sweeps.seed_deviation(sweeps[-1])
        return in_units(analysis_sweeps.regret(sweeps, seeds), sigma)

    return _of_sweeps(tables, seed, size, loss, statistic, _regret_caveats)


@measure(
    "",
    schemas={"between": column(least_values=2)},
    values=Range(least=0, unmoved=0, on_grid=reach.place_range, swept="along"),
)
def minimum_shift(
    tables: Tables,
    seed: int,
    *,
    along: str = "place",
    between: str = "target",
    loss: str = "final_loss",
) -> Estimate:
    """The range over groups of runs of the place of least mean loss.

    `along` names the column of the places that were tried, and `between` the column whose values
    distinguish groups. The place of least loss is known up to one step of the places tried.
    """
    runs, left_out = runs_of_common_seeds(tables, between, loss, axis=along)
    groups = searches.losses_by_group(runs, along, between, loss)
    count = len(groups[0])
    return bootstrap(
        lambda seeds: searches.minimum_shift(groups, seeds), count, generator_seed=seed
    ).with_caveats(left_out_note(left_out, between, along), left_out)


def _of_sweeps(
    tables: Tables,
    generator_seed: int,
    size: str,
    loss: str,
    statistic: Callable[[list[Sweep], np.ndarray], Estimate],
    caveats: Callable[[list[Sweep], np.ndarray, str], Iterable[str]],
    magnitude: bool = False,
    axis: str = "lr",
) -> Estimate:
    """A statistic of the sweeps of all sizes, over the learning rate or another axis."""
    runs, left_out = runs_of_common_seeds(tables, size, loss, axis=axis)
    sweeps = analysis_sweeps.sweeps(runs, size, loss, axis)
    count = len(sweeps[0].losses)
    if len(sweeps) < 2:
        return undetermined(count, one_size(size, sweeps[0].size))
    estimate = bootstrap(
        lambda seeds: statistic(sweeps, seeds), count, generator_seed=generator_seed
    )
    notes = [*left_out_note(left_out, size, axis), *caveats(sweeps, np.arange(count), size)]
    if not notes and not estimate.is_bounded:
        notes.append("in resamples of the seeds an optimum lies on the edge, or a run diverged")
    return (estimate.magnitude() if magnitude else estimate).with_caveats(notes, left_out)


def _optimum_caveats(
    sweeps: list[Sweep], seeds: np.ndarray, size: str, per_seed: bool = False
) -> Iterator[str]:
    """The reasons why the optimum of a size is not known exactly, as texts."""
    for sweep in sweeps:
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
    if optimum.low < optimum.high:
        return "the optimum is known to a grid step only: a neighbour diverged, or is as good"
    return ""


def _regret_caveats(sweeps: list[Sweep], seeds: np.ndarray, size: str) -> Iterator[str]:
    """The reasons why a regret is not known exactly: an optimum on an edge, or a divergence."""
    ends = [sweeps[0], sweeps[-1]]
    edges = [sweep for sweep in ends if sweep.optimum(seeds).edge]
    yield from _optimum_caveats(edges, seeds, size)
    regret = analysis_sweeps.regret(sweeps, seeds).value
    if not edges and math.isnan(regret):
        lr = 2 ** ends[0].optimum(seeds).best
        yield f"{size} {ends[1].size:g} was not run at lr {lr:.3g}, the best of {ends[0].size:g}"
    if not edges and regret == math.inf:
        yield (
            f"at {size} {ends[1].size:g} the best learning rate of {size} {ends[0].size:g} diverges"
        )
