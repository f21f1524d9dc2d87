"""Measures of learning-rate sweeps over sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from hypertransfer.analysis.estimate import need
from hypertransfer.claims.measure import (
    ClaimError,
    Measured,
    Tables,
    measure,
    one_size,
    runs_of_common_seeds,
)

if TYPE_CHECKING:
    from hypertransfer.analysis.estimate import Estimate
    from hypertransfer.analysis.optimum import Optimum
    from hypertransfer.analysis.sweeps import Sweep


@measure("octaves")
def optimum_shift(
    tables: Tables, seed: int, *, size: str = "shape.width", loss: str = "final_loss",
    axis: str = "lr", signed: bool = False, per_seed: bool = False,
) -> Measured:  # fmt: skip
    """How far the best learning rate moves from the smallest to the largest size.

    `axis` is the hyperparameter swept. Positive is up if `signed`. The optimum is that of the
    mean loss, or with `per_seed` the mean of each seed's own optimum.
    """
    from hypertransfer.analysis import sweeps as analysis_sweeps

    def statistic(sweeps: list[Sweep], seeds: Any) -> Estimate:
        return analysis_sweeps.shift(analysis_sweeps.optima(sweeps, seeds, per_seed))

    def caveats(sweeps: list[Sweep], seeds: Any, size: str) -> Iterator[str]:
        return _optimum_caveats([sweeps[0], sweeps[-1]], seeds, size, per_seed)

    return _of_sweeps(tables, seed, size, loss, statistic, caveats, not signed, axis)


@measure("octaves per doubling")
def optimum_slope(
    tables: Tables, seed: int, *, size: str = "shape.width", loss: str = "final_loss",
    per_seed: bool = False,
) -> Measured:  # fmt: skip
    """How far the best learning rate moves with each doubling of the size; positive is up."""
    from hypertransfer.analysis import sweeps as analysis_sweeps

    def statistic(sweeps: list[Sweep], seeds: Any) -> Estimate:
        sizes = [sweep.size for sweep in sweeps]
        return analysis_sweeps.slope(sizes, analysis_sweeps.optima(sweeps, seeds, per_seed))

    def caveats(sweeps: list[Sweep], seeds: Any, size: str) -> Iterator[str]:
        return _optimum_caveats(sweeps, seeds, size, per_seed)

    return _of_sweeps(tables, seed, size, loss, statistic, caveats)


@measure("octaves")
def stable_lr_shift(
    tables: Tables, seed: int, *, size: str = "shape.width", loss: str = "final_loss",
    axis: str = "lr", ceiling: float = math.inf, signed: bool = False,
) -> Measured:  # fmt: skip
    """How far the largest stable learning rate moves from the smallest to the largest size.

    `axis` is the hyperparameter swept. Unstable is a run that diverged, or whose loss ends above
    `ceiling` at a learning rate above the best one. Known to a grid step.
    """
    from hypertransfer.analysis import sweeps as analysis_sweeps

    def statistic(sweeps: list[Sweep], seeds: Any) -> Estimate:
        return analysis_sweeps.shift(analysis_sweeps.stable_lrs(sweeps, seeds, ceiling))

    def caveats(sweeps: list[Sweep], seeds: Any, size: str) -> Iterator[str]:
        ends = [sweeps[0], sweeps[-1]]
        for sweep, place in zip(
            ends, analysis_sweeps.stable_lrs(ends, seeds, ceiling), strict=True
        ):
            if place.high == math.inf:
                yield f"at {size} {sweep.size:g} the largest value tried is stable"
            elif place.low == -math.inf:
                yield f"at {size} {sweep.size:g} the smallest value tried is unstable"

    return _of_sweeps(tables, seed, size, loss, statistic, caveats, not signed, axis)


@measure("loss")
def transfer_regret(
    tables: Tables, seed: int, *, size: str = "shape.width", loss: str = "final_loss"
) -> Measured:
    """What the smallest size's best learning rate costs the largest size, in loss."""
    from hypertransfer.analysis import sweeps as analysis_sweeps

    return _of_sweeps(tables, seed, size, loss, analysis_sweeps.regret, _regret_caveats)


@measure("loss")
def transfer_gain(
    tables: Tables, seed: int, *, size: str = "shape.width", loss: str = "final_loss"
) -> Measured:
    """By how much the largest size's loss is below the smallest's, both at the latter's best rate.

    The rate is the best one that was tried.
    """
    from hypertransfer.analysis import sweeps as analysis_sweeps

    return _of_sweeps(tables, seed, size, loss, analysis_sweeps.gain, _regret_caveats)


@measure("seed σ")
def transfer_regret_sigma(
    tables: Tables, seed: int, *, size: str = "shape.width", loss: str = "final_loss"
) -> Measured:
    """The same cost, in standard deviations over seeds of the largest size's best loss.

    The standard deviation is that of all seeds, also in the resamples of the interval.
    """
    from hypertransfer.analysis import estimate
    from hypertransfer.analysis import sweeps as analysis_sweeps

    def statistic(sweeps: list[Sweep], seeds: Any) -> Estimate:
        sigma = analysis_sweeps.seed_deviation(sweeps[-1])
        return estimate.in_units(analysis_sweeps.regret(sweeps, seeds), sigma)

    return _of_sweeps(tables, seed, size, loss, statistic, _regret_caveats)


@measure("")
def minimum_shift(
    tables: Tables, seed: int, *, along: str = "place", between: str = "target",
    loss: str = "final_loss",
) -> Measured:  # fmt: skip
    """How far apart the places of least mean loss lie between groups of runs, at most.

    `along` is the column of places, `between` the one that tells groups apart. Known to a step
    of the places tried.
    """
    import numpy as np

    from hypertransfer.analysis import estimate

    runs = tables["runs"].drop_duplicates("key")
    need("runs", runs, (along, between, "seed", "status", loss))
    groups = [
        part.pivot(index="seed", columns=along, values=loss).sort_index()
        for _, part in runs.groupby(between)
    ]
    if len(groups) < 2 or any(not g.index.equals(groups[0].index) for g in groups):
        raise ClaimError(f"two {between} or more with the same seeds are needed")

    def statistic(seeds: Any) -> Estimate:
        best = [g.columns[np.argmin(g.to_numpy()[seeds].mean(axis=0))] for g in groups]
        return estimate.exact(float(max(best) - min(best)))

    found = estimate.bootstrap(statistic, len(groups[0]), generator_seed=seed)
    return Measured(found.value, found.low, found.high, len(groups[0]))


# What options may be, beside the type of their default.
def _of_sweeps(
    tables: Tables, generator_seed: int, size: str, loss: str,
    statistic: Callable[[list[Sweep], Any], Estimate],
    caveats: Callable[[list[Sweep], Any, str], Iterable[str]], magnitude: bool = False,
    axis: str = "lr",
) -> Measured:  # fmt: skip
    """A statistic of the sweeps of all sizes, over the learning rate or another axis."""
    import numpy as np

    from hypertransfer.analysis import estimate
    from hypertransfer.analysis import sweeps as analysis_sweeps

    runs, notes = runs_of_common_seeds(tables, size, axis, loss)
    sweeps = analysis_sweeps.sweeps(runs, size, loss, axis)
    seeds = len(sweeps[0].losses)
    if len(sweeps) < 2:
        return Measured(math.nan, -math.inf, math.inf, seeds, one_size(size, sweeps[0].size))
    found = estimate.bootstrap(
        lambda chosen: statistic(sweeps, chosen), seeds, generator_seed=generator_seed
    )
    notes += dict.fromkeys(caveats(sweeps, np.arange(seeds), size))
    if not notes and not (math.isfinite(found.low) and math.isfinite(found.high)):
        notes.append("in resamples of the seeds an optimum lies on the edge, or a run diverged")
    if magnitude:
        found = found.magnitude()
    return Measured(found.value, found.low, found.high, seeds, "; ".join(notes))


def _optimum_caveats(
    sweeps: list[Sweep], seeds: Any, size: str, per_seed: bool = False
) -> Iterator[str]:
    """What keeps the optimum of each size from being known, in words."""
    for sweep in sweeps:
        found = sweep.seed_optima(seeds) if per_seed else [sweep.optimum(seeds)]
        faults = [fault for fault in map(_fault, found) if fault]
        for fault in dict.fromkeys(faults):
            share = f" (seeds: {faults.count(fault)} of {len(found)})" if per_seed else ""
            yield f"at {size} {sweep.size:g} {fault}{share}"


def _fault(found: Optimum) -> str:
    if found.edge == "none":
        return "every value tried diverged"
    if found.edge == "both":
        return "only one value was tried"
    if found.edge:
        lr = f"{2**found.best:.3g}"
        return f"the optimum lies on the {found.edge} edge of the values tried, {lr}"
    if found.low < found.high:
        return "the optimum is known to a grid step only: a neighbour diverged, or is as good"
    return ""


def _regret_caveats(sweeps: list[Sweep], seeds: Any, size: str) -> Iterator[str]:
    from hypertransfer.analysis import sweeps as analysis_sweeps

    ends = [sweeps[0], sweeps[-1]]
    edges = [sweep for sweep in ends if sweep.optimum(seeds).edge]
    yield from _optimum_caveats(edges, seeds, size)
    if not edges and analysis_sweeps.regret(sweeps, seeds).value == math.inf:
        yield (
            f"at {size} {ends[1].size:g} the best learning rate of {size} {ends[0].size:g} diverges"
        )
