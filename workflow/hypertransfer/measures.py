"""Measures: what a claim can measure on tables of runs, each with an interval over seeds.

A measure is a function of (tables, generator seed, *, options); it is registered under its name.
Here are those of sweeps and of quantities along training; `comparisons` has those of arms,
`space_measures` those of learned search spaces. Names
and options are checked when the workflow is planned, so this module stays free of pandas and
scipy until something is measured.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypertransfer import registry

if TYPE_CHECKING:
    import pandas as pd

    from hypertransfer.transfer import Estimate, Optimum, Sweep, Trajectories

Tables = Mapping[str, "pd.DataFrame"]

IN_HISTORY = (
    "train_loss", "unclipped_share", "load_imbalance", "router_entropy", "dropped_share",
)  # fmt: skip
TIMES = ("seconds", "optimizer_seconds", "curvature_seconds")


class ClaimError(ValueError):
    """A claim that cannot be measured: names the claim, what is known, and what to do."""


@dataclass(frozen=True)
class Measured:
    """A measured value with its interval over seeds; an end that the runs leave open is ±inf.

    `caveat` tells a reader what limits the measurement, such as an optimum on the grid's edge.
    """

    value: float
    low: float
    high: float
    seeds: int
    caveat: str = ""
    over: str = "seeds"  # what the interval is over, and counted by `seeds`

    @property
    def lower_bound_only(self) -> bool:
        """Whether only a lower bound is known."""
        return math.isfinite(self.low) and self.high == math.inf

    @property
    def upper_bound_only(self) -> bool:
        """Whether only an upper bound is known."""
        return math.isfinite(self.high) and self.low == -math.inf


@dataclass(frozen=True)
class Measure:
    """A measure: a function of (tables, generator seed, *, options), and the value's unit.

    `table` is the one that a claim's `where` selects from.
    """

    function: Callable[..., Measured]
    unit: str
    table: str = "runs"
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: CHOICES)

    @property
    def options(self) -> Mapping[str, object]:
        """The options by name, with their defaults."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


CHOICES: Mapping[str, tuple[str, ...]] = {
    "loss": ("final_loss", "eval_loss", *TIMES, *registry.measured()),
    "quantity": (*registry.measured(), *IN_HISTORY),
    "axis": ("lr", "weight_decay"),
}  # fmt: skip
RANGES: Mapping[str, tuple[float, float]] = {
    "tail": (1e-6, 1), "burn_in": (0, 0.99), "window": (1, math.inf), "ceiling": (0, math.inf),
}  # fmt: skip

MEASURES: dict[str, Measure] = {}


def measure(
    unit: str, table: str = "runs", choices: Mapping[str, tuple[str, ...]] | None = None
) -> Callable[[Callable[..., Measured]], Callable[..., Measured]]:
    """Register a function under its name; its keyword-only parameters are its options.

    `choices` are the values of options that have no others.
    """

    def register(function: Callable[..., Measured]) -> Callable[..., Measured]:
        known = CHOICES if choices is None else choices
        MEASURES[function.__name__] = Measure(function, unit, table, known)
        return function

    return register


@measure("octaves")
def optimum_shift(
    tables: Tables, seed: int, *, size: str = "shape.width", loss: str = "final_loss",
    axis: str = "lr", signed: bool = False, per_seed: bool = False,
) -> Measured:  # fmt: skip
    """How far the best learning rate moves from the smallest to the largest size.

    `axis` is the hyperparameter swept. Positive is up if `signed`. The optimum is that of the
    mean loss, or with `per_seed` the mean of each seed's own optimum.
    """
    from hypertransfer import transfer

    def statistic(sweeps: list[Sweep], seeds: Any) -> Estimate:
        return transfer.shift(transfer.optima(sweeps, seeds, per_seed))

    def caveats(sweeps: list[Sweep], seeds: Any, size: str) -> Iterator[str]:
        return _optimum_caveats([sweeps[0], sweeps[-1]], seeds, size, per_seed)

    return _of_sweeps(tables, seed, size, loss, statistic, caveats, not signed, axis)


@measure("octaves per doubling")
def optimum_slope(
    tables: Tables, seed: int, *, size: str = "shape.width", loss: str = "final_loss",
    per_seed: bool = False,
) -> Measured:  # fmt: skip
    """How far the best learning rate moves with each doubling of the size; positive is up."""
    from hypertransfer import transfer

    def statistic(sweeps: list[Sweep], seeds: Any) -> Estimate:
        sizes = [sweep.size for sweep in sweeps]
        return transfer.slope(sizes, transfer.optima(sweeps, seeds, per_seed))

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
    from hypertransfer import transfer

    def statistic(sweeps: list[Sweep], seeds: Any) -> Estimate:
        return transfer.shift(transfer.stable_lrs(sweeps, seeds, ceiling))

    def caveats(sweeps: list[Sweep], seeds: Any, size: str) -> Iterator[str]:
        ends = [sweeps[0], sweeps[-1]]
        for sweep, place in zip(ends, transfer.stable_lrs(ends, seeds, ceiling), strict=True):
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
    from hypertransfer import transfer

    return _of_sweeps(tables, seed, size, loss, transfer.regret, _regret_caveats)


@measure("loss")
def transfer_gain(
    tables: Tables, seed: int, *, size: str = "shape.width", loss: str = "final_loss"
) -> Measured:
    """By how much the largest size's loss is below the smallest's, both at the latter's best rate.

    The rate is the best one that was tried.
    """
    from hypertransfer import transfer

    return _of_sweeps(tables, seed, size, loss, transfer.gain, _regret_caveats)


@measure("seed σ")
def transfer_regret_sigma(
    tables: Tables, seed: int, *, size: str = "shape.width", loss: str = "final_loss"
) -> Measured:
    """The same cost, in standard deviations over seeds of the largest size's best loss.

    The standard deviation is that of all seeds, also in the resamples of the interval.
    """
    from hypertransfer import transfer

    def statistic(sweeps: list[Sweep], seeds: Any) -> Estimate:
        sigma = transfer.seed_deviation(sweeps[-1])
        return transfer.in_units(transfer.regret(sweeps, seeds), sigma)

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

    from hypertransfer import transfer

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
        return transfer.exact(float(max(best) - min(best)))

    found = transfer.bootstrap(statistic, len(groups[0]), generator_seed=seed)
    return Measured(found.value, found.low, found.high, len(groups[0]))


@measure("×")
def sharpness_spread(
    tables: Tables, seed: int, *, size: str = "shape.width", quantity: str = "scaled_sharpness",
    probe: str | None = None, tail: float = 1 / 3,
) -> Measured:  # fmt: skip
    """Largest over smallest size mean of a quantity, averaged over the last third of training."""
    from hypertransfer import transfer

    def statistic(paths: Trajectories, seeds: Any) -> Estimate:
        return transfer.spread(paths, seeds, tail)

    return _of_paths(tables, seed, size, quantity, probe, statistic)


@measure("")
def late_level(
    tables: Tables, seed: int, *, size: str = "shape.width", quantity: str = "edge",
    probe: str | None = None, tail: float = 1 / 3,
) -> Measured:  # fmt: skip
    """The mean of a quantity over sizes, seeds and the last third of training."""
    from hypertransfer import transfer

    def statistic(paths: Trajectories, seeds: Any) -> Estimate:
        return transfer.level(paths, seeds, tail)

    return _of_paths(tables, seed, size, quantity, probe, statistic, fewest=1)


@measure("")
def largest(
    tables: Tables, seed: int, *, size: str = "shape.width", quantity: str = "theory_error",
    probe: str | None = None,
) -> Measured:  # fmt: skip
    """The largest value of a quantity over all sizes, seeds and checkpoints."""
    from hypertransfer import transfer

    return _of_paths(tables, seed, size, quantity, probe, transfer.largest, fewest=1)


@measure("")
def size_exponent(
    tables: Tables, seed: int, *, size: str = "shape.width", quantity: str = "scaled_sharpness",
    probe: str | None = None, tail: float = 1 / 3,
) -> Measured:  # fmt: skip
    """b of a quantity ∝ size^b, averaged over the last third of training."""
    from hypertransfer import transfer

    def statistic(paths: Trajectories, seeds: Any) -> Estimate:
        return transfer.exponent(paths, seeds, tail)

    return _of_paths(tables, seed, size, quantity, probe, statistic)


@measure("")
def gap_size_exponent(
    tables: Tables, seed: int, *, size: str = "shape.width", quantity: str = "train_loss",
    probe: str | None = None, tail: float = 1 / 3, relative: bool = False,
) -> Measured:  # fmt: skip
    """b of |S_N − S_∞| ∝ N^b, averaged over the last third of training; S_∞ is the largest size."""
    from hypertransfer import transfer

    def statistic(paths: Trajectories, seeds: Any) -> Estimate:
        return transfer.closing(paths, seeds, tail, relative)

    return _of_paths(tables, seed, size, quantity, probe, statistic, fewest=3)


@measure("")
def gap_growth(
    tables: Tables, seed: int, *, size: str = "shape.width", quantity: str = "scaled_sharpness",
    probe: str | None = None, window: int = 3, burn_in: float = 0.1, relative: bool = False,
    systematic: bool = False,
) -> Measured:  # fmt: skip
    """β of |S_N(t) − S_∞(t)| ∝ t^β, all smaller sizes pooled; S_∞ is the largest size.

    `window` records are averaged, and the first `burn_in` of training is left out. For a loss,
    consider `relative` (to S_∞) and `systematic` (seeds averaged before the size is taken).
    """
    from hypertransfer import transfer

    def statistic(paths: Trajectories, seeds: Any) -> Estimate:
        steps, gap = transfer.gaps(paths, window, burn_in, relative)
        return transfer.growth(steps, gap, seeds, systematic)

    def caveats(paths: Trajectories) -> Iterator[str]:
        steps, gap = transfer.gaps(paths, window, burn_in, relative)
        if len(steps) < transfer.MIN_POINTS:
            yield (
                f"{len(steps)} points in time are left after the burn-in and the rolling mean, "
                f"and an exponent needs {transfer.MIN_POINTS}"
            )
        if zeros := int((gap == 0).sum()):
            yield f"{zeros} of {gap.size} gaps are exactly zero"

    return _of_paths(tables, seed, size, quantity, probe, statistic, caveats)


# What options may be, beside the type of their default.
def _of_sweeps(
    tables: Tables, generator_seed: int, size: str, loss: str,
    statistic: Callable[[list[Sweep], Any], Estimate],
    caveats: Callable[[list[Sweep], Any, str], Iterable[str]], magnitude: bool = False,
    axis: str = "lr",
) -> Measured:  # fmt: skip
    """A statistic of the sweeps of all sizes, over the learning rate or another axis."""
    import numpy as np

    from hypertransfer import transfer

    runs, notes = _runs(tables, size, axis, loss)
    sweeps = transfer.sweeps(runs, size, loss, axis)
    seeds = len(sweeps[0].losses)
    if len(sweeps) < 2:
        return Measured(math.nan, -math.inf, math.inf, seeds, _one_size(size, sweeps[0].size))
    found = transfer.bootstrap(
        lambda chosen: statistic(sweeps, chosen), seeds, generator_seed=generator_seed
    )
    notes += dict.fromkeys(caveats(sweeps, np.arange(seeds), size))
    if not notes and not (math.isfinite(found.low) and math.isfinite(found.high)):
        notes.append("in resamples of the seeds an optimum lies on the edge, or a run diverged")
    if magnitude:
        found = found.magnitude()
    return Measured(found.value, found.low, found.high, seeds, "; ".join(notes))


def _of_paths(
    tables: Tables, generator_seed: int, size: str, quantity: str, probe: str | None,
    statistic: Callable[[Trajectories, Any], Estimate],
    caveats: Callable[[Trajectories], Iterable[str]] = lambda paths: (), fewest: int = 2,
) -> Measured:  # fmt: skip
    """A statistic of a quantity along training, with one run for each size and seed."""
    from hypertransfer import transfer

    runs, notes = _runs(tables, size)
    paths = transfer.trajectories(runs, series_of(tables, runs, quantity, probe), quantity, size)
    seeds = paths.values.shape[1]
    if len(paths.sizes) < fewest:
        text = f"{len(paths.sizes)} {size} selected, and this measure needs {fewest}"
        text = _one_size(size, paths.sizes[0]) if len(paths.sizes) == 1 else text
        return Measured(math.nan, -math.inf, math.inf, seeds, text)
    if paths.unusable:
        notes.append(
            f"{paths.unusable} of {len(runs)} runs diverged or have a {quantity} that is no number"
        )
    notes += caveats(paths)
    found = transfer.bootstrap(
        lambda chosen: statistic(paths, chosen), seeds, generator_seed=generator_seed
    )
    return Measured(found.value, found.low, found.high, seeds, "; ".join(notes))


def with_measured(tables: Tables, loss: str) -> pd.DataFrame:
    """The runs, with what a probe measured at each one's last checkpoint if that is the loss."""
    runs = tables["runs"].drop_duplicates("key")
    if loss not in registry.measured() or loss in runs:
        return runs
    series = series_of(tables, runs, loss, None).dropna(subset=[loss]).sort_values("step")
    return runs.merge(series.groupby("key")[loss].last().reset_index(), on="key")


def _one_size(size: str, value: float) -> str:
    return f"only one {size} was selected ({value:g}), and a comparison needs two"


def _runs(tables: Tables, size: str, *columns: str) -> tuple[pd.DataFrame, list[str]]:
    """The selected runs of seeds that all sizes share, and a note on the seeds left out."""
    from hypertransfer import transfer

    runs = tables["runs"]
    need("runs", runs, (size, "seed", "status", *columns))
    runs, left_out = transfer.common_seeds(runs.drop_duplicates("key"), size)
    return runs, [f"{left_out} seeds are left out, not every {size} has them"] if left_out else []


def series_of(tables: Tables, runs: pd.DataFrame, quantity: str, probe: str | None) -> pd.DataFrame:
    """The long table of a quantity: the training history, or what one probe measured."""
    name = "history" if quantity in IN_HISTORY else "probes"
    if name not in tables:
        raise ClaimError(f"{quantity} needs the table {name!r}; given: {', '.join(tables)}")
    series = tables[name]
    need(name, series, ("key", "step", quantity))
    # A run may stand in several grids, probed differently: rows belong to a grid and a key.
    owner = [column for column in ("grid", "key") if column in series and column in runs]
    series = series.merge(runs[owner], on=owner)
    if name == "probes":
        series = series[series["probe"] == _probe(series, quantity, probe)]
    return series


def _probe(series: pd.DataFrame, quantity: str, probe: str | None) -> str:
    """The name of the probe that measured a quantity."""
    measured = sorted(series.loc[series[quantity].notna(), "probe"].unique())
    if probe is None and len(measured) > 1:
        raise ClaimError(
            f"{quantity} was measured by several probes: name one as the option `probe`; "
            f"known: {', '.join(measured)}"
        )
    if not measured or (probe is not None and probe not in measured):
        known = ", ".join(measured) or "none"
        wanted = f"probe {probe!r} with" if probe else "probe that measured"
        raise ClaimError(f"the selected runs have no {wanted} {quantity}; probes with it: {known}")
    return probe or measured[0]


def need(name: str, table: pd.DataFrame, columns: Iterable[str]) -> None:
    """Raise a ClaimError that names the columns a table lacks."""
    if missing := [column for column in columns if column not in table]:
        raise ClaimError(
            f"the table {name!r} has no column {', '.join(map(repr, missing))}; "
            f"known: {', '.join(map(str, table))}"
        )


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
    from hypertransfer import transfer

    ends = [sweeps[0], sweeps[-1]]
    edges = [sweep for sweep in ends if sweep.optimum(seeds).edge]
    yield from _optimum_caveats(edges, seeds, size)
    if not edges and transfer.regret(sweeps, seeds).value == math.inf:
        yield (
            f"at {size} {ends[1].size:g} the best learning rate of {size} {ends[0].size:g} diverges"
        )
