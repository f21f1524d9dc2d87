"""Claims as data: what a paper says, how to measure it here, and the verdict on it.

    - id: mup-width
      sentence: Under µP the best learning rate does not move with width.
      source: Noci et al., Fig. 1
      paper_value: 1 grid step in 16×
      confidence: high
      measure: optimum_shift
      where: {grid: width, parameterisation: mup}
      bar: {max: 1}
      control: {measure: optimum_shift, where: {grid: width, parameterisation: sp}, bar: {min: 2}}

A claim holds when the whole interval meets the bar, fails when the whole interval violates it,
and is undecided otherwise. Claims are checked for sense when the workflow is planned, so this
module stays free of pandas and scipy until something is measured.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hypertransfer import conditions, registry

if TYPE_CHECKING:
    import pandas as pd

    from hypertransfer.transfer import Estimate, Optimum, Sweep, Trajectories

Tables = Mapping[str, "pd.DataFrame"]

CONFIDENCE = ("high", "medium", "low")
MIN_SEEDS = 3
CONTROL_KEYS = {"measure": True, "where": True, "bar": True, "options": False, "unit": False}
CLAIM_KEYS = {
    "id": True, "sentence": True, "source": True, "confidence": True, **CONTROL_KEYS,
    "paper_value": False, "control": False, "min_seeds": False,
}  # fmt: skip
COLUMNS = (
    "study", "claim", "sentence", "source", "paper_value", "value", "low", "high", "bar",
    "verdict", "confidence", "scale", "edition", "reason", "unit",
)  # fmt: skip
NUMBERS = ("value", "low", "high")
IN_HISTORY = (
    "train_loss", "unclipped_share", "load_imbalance", "router_entropy", "dropped_share",
)  # fmt: skip
TIMES = ("seconds", "optimizer_seconds", "curvature_seconds")
TOLERANCE = 1e-9  # a value meets a bar that it misses by rounding


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

    @property
    def lower_bound_only(self) -> bool:
        """Whether only a lower bound is known."""
        return math.isfinite(self.low) and self.high == math.inf

    @property
    def upper_bound_only(self) -> bool:
        """Whether only an upper bound is known."""
        return math.isfinite(self.high) and self.low == -math.inf


@dataclass(frozen=True)
class Verdict:
    """What the runs say about a claim: `holds`, `fails` or `undecided`, and why."""

    id: str
    sentence: str
    source: str
    paper_value: str | None
    value: float
    low: float
    high: float
    bar: str
    verdict: str
    reason: str
    confidence: str
    seeds: int
    unit: str


# Measures ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measure:
    """A measure: a function of (tables, generator seed, *, options), and the value's unit."""

    function: Callable[..., Measured]
    unit: str

    @property
    def options(self) -> Mapping[str, object]:
        """The options by name, with their defaults."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


MEASURES: dict[str, Measure] = {}


def measure(unit: str) -> Callable[[Callable[..., Measured]], Callable[..., Measured]]:
    """Register a function under its name; its keyword-only parameters are its options."""

    def register(function: Callable[..., Measured]) -> Callable[..., Measured]:
        MEASURES[function.__name__] = Measure(function, unit)
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


@measure("loss")
def advantage(
    tables: Tables, seed: int, *, of: str = "", over: str = "", column: str = "parameterisation",
    loss: str = "final_loss", best: bool = False, tuned_at: str = "", higher: bool = False,
) -> Measured:  # fmt: skip
    """By how much the loss of one arm is below that of another, seed by seed.

    Arms are told apart by `column`; without `over` the best of all others is compared with.
    With `best` each arm takes its learning rate of least mean loss; with `tuned_at`, a column of
    sizes, that of its smallest size, and is compared at its largest; else there is one run for
    each arm and seed. `loss` may be what a probe measured at the last checkpoint; `higher` says
    that more of it is better. Positive is better.
    """
    runs = with_measured(tables, loss)
    _need("runs", runs, (column, loss))
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
    from hypertransfer import transfer

    runs = tables["runs"].drop_duplicates("key")
    _need("runs", runs, (column, size, "seed", "status", "lr", loss))
    arms = [transfer.sweeps(runs[runs[column] == name], size, loss) for name in (of, over)]
    if any(len(sweeps) < 2 for sweeps in arms):
        raise ClaimError(f"two {size} or more are needed of {of} and of {over}")

    def statistic(seeds: Any) -> Estimate:
        rises = []
        for sweeps in arms:
            first, last = (s.losses[seeds].mean(axis=0).min() for s in (sweeps[0], sweeps[-1]))
            rises.append(last - first)
        return transfer.exact(float(rises[1] - rises[0]))

    found = transfer.bootstrap(statistic, len(arms[0][0].losses), generator_seed=seed)
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
    _need("runs", runs, (along, between, "seed", "status", loss))
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
CHOICES: Mapping[str, tuple[str, ...]] = {
    "loss": ("final_loss", "eval_loss", *TIMES, *registry.measured()),
    "quantity": (*registry.measured(), *IN_HISTORY),
    "axis": ("lr", "weight_decay"),
}  # fmt: skip
RANGES: Mapping[str, tuple[float, float]] = {
    "tail": (1e-6, 1), "burn_in": (0, 0.99), "window": (1, math.inf), "ceiling": (0, math.inf),
}  # fmt: skip


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


def _of_arms(
    runs: pd.DataFrame, generator_seed: int, column: str, loss: str,
    statistic: Callable[[Mapping[str, float]], float], best: bool, tuned_at: str,
) -> Measured:  # fmt: skip
    """A statistic of the arms' mean losses, each at its one learning rate, or at its best."""
    from hypertransfer import transfer

    _need("runs", runs, (column, "seed", "status", "lr", loss, *([tuned_at] if tuned_at else [])))
    if tuned_at:
        runs, absent = at_tuned(runs, column, tuned_at)
        if absent:
            return Measured(math.nan, -math.inf, math.inf, runs["seed"].nunique(), absent)
    names = list(dict.fromkeys(runs[column]))
    if len(names) < 2:
        raise ClaimError(f"two values of {column} or more are needed to compare")
    numbered = runs.assign(arm=[1.0 + names.index(name) for name in runs[column]])
    sweeps = transfer.sweeps(transfer.common_seeds(numbered, "arm")[0], "arm", loss)
    if any(len(sweep.lrs) > 1 for sweep in sweeps) and not best:
        raise ClaimError("an arm has several learning rates: choose one, or set `best: true`")

    def of_seeds(seeds: Any) -> Estimate:
        lows = [float(sweep.losses[seeds].mean(axis=0).min()) for sweep in sweeps]
        return transfer.exact(statistic(dict(zip(names, lows, strict=True))))

    found = transfer.bootstrap(of_seeds, len(sweeps[0].losses), generator_seed=generator_seed)
    return Measured(found.value, found.low, found.high, len(sweeps[0].losses))


def _of_paths(
    tables: Tables, generator_seed: int, size: str, quantity: str, probe: str | None,
    statistic: Callable[[Trajectories, Any], Estimate],
    caveats: Callable[[Trajectories], Iterable[str]] = lambda paths: (), fewest: int = 2,
) -> Measured:  # fmt: skip
    """A statistic of a quantity along training, with one run for each size and seed."""
    from hypertransfer import transfer

    runs, notes = _runs(tables, size)
    paths = transfer.trajectories(runs, _series(tables, runs, quantity, probe), quantity, size)
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
    series = _series(tables, runs, loss, None).dropna(subset=[loss]).sort_values("step")
    return runs.merge(series.groupby("key")[loss].last().reset_index(), on="key")


def at_tuned(runs: pd.DataFrame, column: str, size: str) -> tuple[pd.DataFrame, str]:
    """The runs of the largest size at each arm's best learning rate of the smallest size.

    Or a caveat where those were not run.
    """
    import pandas as pd

    kept = []
    for name, arm in runs.groupby(column, sort=False):
        small = arm[arm[size] == arm[size].min()]
        diverged = small["status"] == "diverged"
        losses = small["final_loss"].mask(diverged, math.inf).groupby(small["lr"]).mean()
        best = losses.idxmin()
        large = arm[(arm[size] == arm[size].max()) & (arm["lr"] == best)]
        if large.empty:
            text = f"{name}: {size} {arm[size].max():g} was not run at lr {best:.3g}, the best"
            return runs, f"{text} of {arm[size].min():g}"
        kept.append(large)
    return pd.concat(kept), ""


def _one_size(size: str, value: float) -> str:
    return f"only one {size} was selected ({value:g}), and a comparison needs two"


def _runs(tables: Tables, size: str, *columns: str) -> tuple[pd.DataFrame, list[str]]:
    """The selected runs of seeds that all sizes share, and a note on the seeds left out."""
    from hypertransfer import transfer

    runs = tables["runs"]
    _need("runs", runs, (size, "seed", "status", *columns))
    runs, left_out = transfer.common_seeds(runs.drop_duplicates("key"), size)
    return runs, [f"{left_out} seeds are left out, not every {size} has them"] if left_out else []


def _series(tables: Tables, runs: pd.DataFrame, quantity: str, probe: str | None) -> pd.DataFrame:
    """The long table of a quantity: the training history, or what one probe measured."""
    name = "history" if quantity in IN_HISTORY else "probes"
    if name not in tables:
        raise ClaimError(f"{quantity} needs the table {name!r}; given: {', '.join(tables)}")
    series = tables[name]
    _need(name, series, ("key", "step", quantity))
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


def _need(name: str, table: pd.DataFrame, columns: Iterable[str]) -> None:
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


# Checking claims at planning time ----------------------------------------------------------


def validate(claims: Iterable[Any]) -> list[str]:
    """Everything that is wrong with a list of claims as written, in words; no tables needed."""
    claims = list(claims)
    ids = [claim.get("id") for claim in claims if isinstance(claim, Mapping)]
    doubles = [name for name in dict.fromkeys(map(str, ids)) if list(map(str, ids)).count(name) > 1]
    problems = [text for _, text in validate_each(claims)]
    return problems + [
        f"claim {name!r}: the id stands twice; give each its own" for name in doubles
    ]


def validate_each(claims: Iterable[Any]) -> Iterator[tuple[int, str]]:
    """What is wrong with each claim by itself: its place in the list, and the words."""
    for index, claim in enumerate(claims):
        if not isinstance(claim, Mapping):
            yield index, f"claim {index}: {claim!r} is not a mapping"
            continue
        name = f"claim {claim.get('id', index)!r}"
        for text in _claim_problems(claim):
            yield index, f"{name}: {text}"


def _claim_problems(claim: Mapping[str, Any]) -> Iterator[str]:
    yield from _part_problems(claim, CLAIM_KEYS)
    for key in ("id", "sentence", "source"):
        if key in claim and not (isinstance(claim[key], str) and claim[key].strip()):
            yield f"{key}: {claim[key]!r} is not a text"
    if not isinstance(claim.get("paper_value"), str | None):
        yield f"paper_value: {claim['paper_value']!r} is not a text or null; put it in quotes"
    if "confidence" in claim and claim["confidence"] not in CONFIDENCE:
        yield f"confidence: {claim['confidence']!r} is not one of {', '.join(CONFIDENCE)}"
    if not _is(claim.get("min_seeds", 1), int) or claim.get("min_seeds", 1) < 1:
        yield f"min_seeds: {claim['min_seeds']!r} is not a whole number of at least 1"
    control = claim.get("control", {})
    if not isinstance(control, Mapping):
        yield f"control: {control!r} is not a mapping"
    elif "control" in claim:
        yield from (f"control.{text}" for text in _part_problems(control, CONTROL_KEYS))


def _part_problems(part: Mapping[str, Any], keys: Mapping[str, bool]) -> Iterator[str]:
    """Problems of what claims and controls share: keys, measure, options, where, bar."""
    for key in part:
        if key not in keys:
            yield f"{key}: unknown key; known: {', '.join(keys)}"
    yield from (f"{key}: is missing" for key, needed in keys.items() if needed and key not in part)
    if "where" in part and not isinstance(part["where"], Mapping):
        yield f"where: {part['where']!r} is not a mapping of columns to values"
    if "unit" in part and not isinstance(part["unit"], str):
        yield f"unit: {part['unit']!r} is not a text"
    if "bar" in part:
        yield from _bar_problems(part["bar"])
    if "measure" in part:
        yield from _measure_problems(part["measure"], part.get("options", {}))


def _bar_problems(bar: Any) -> Iterator[str]:
    if not conditions.is_bounds(bar):
        yield f"bar: {bar!r} is not {{max: x}}, {{min: x}} or {{min: a, max: b}}"
        return
    wrong = [end for end, x in bar.items() if not _is(x, float) or not math.isfinite(x)]
    yield from (f"bar.{end}: {bar[end]!r} is not a finite number" for end in wrong)
    if not wrong and bar.get("min", -math.inf) > bar.get("max", math.inf):
        yield f"bar: min {bar['min']} is above max {bar['max']}"


def _measure_problems(name: Any, options: Any) -> Iterator[str]:
    if not isinstance(name, str) or name not in MEASURES:
        yield f"measure: {name!r} is unknown; known: {', '.join(MEASURES)}"
        return
    if not isinstance(options, Mapping):
        yield f"options: {options!r} is not a mapping"
        return
    known = MEASURES[name].options
    for key, value in options.items():
        if key not in known:
            yield f"options.{key}: unknown option of {name}; known: {', '.join(known)}"
        elif expected := _expected(key, value, known[key]):
            yield f"options.{key}: {value!r} is not {expected}"


def _expected(key: str, value: Any, default: object) -> str:
    """What an option should have been; empty if it is that."""
    kind = str if default is None else type(default)
    if not _is(value, kind):
        words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
        return words[kind]
    if key in CHOICES and value not in CHOICES[key]:
        return f"one of {', '.join(CHOICES[key])}"
    low, high = RANGES.get(key, (-math.inf, math.inf))
    return "" if kind in (bool, str) or low <= value <= high else f"within {low:g} and {high:g}"


def _is(value: object, kind: type) -> bool:
    """Whether a value of a config is of a type: whole numbers are numbers, booleans are not."""
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float if kind is float else kind)


# Verdicts ----------------------------------------------------------------------------------


def check(claim: Mapping[str, Any], tables: Tables, seed: int = 0) -> Verdict:
    """Measure a claim on the tables `runs`, `history` and `probes`, and judge it.

    `seed` is that of the generator that resamples.

    Raises:
        ClaimError: the claim is malformed, selects nothing, or names what is not there.
    """
    if problems := validate([claim]):
        raise ClaimError("\n".join(problems))
    name = f"claim {claim['id']!r}"
    measured = _measure(claim, tables, seed, name)
    unit = _unit(claim)
    verdict, reason = _judge(claim["bar"], measured, unit, claim.get("min_seeds", MIN_SEEDS))
    if "control" in claim and measured.seeds >= claim.get("min_seeds", MIN_SEEDS):
        fault = _control_fault(claim, tables, seed, name)
        verdict, reason = ("undecided", f"{fault}; by itself: {reason}") if fault else (
            verdict, reason)  # fmt: skip
    return Verdict(
        id=claim["id"], sentence=claim["sentence"], source=claim["source"],
        paper_value=claim.get("paper_value"), value=measured.value, low=measured.low,
        high=measured.high, bar=bar_text(claim["bar"], unit), verdict=verdict, reason=reason,
        confidence=claim["confidence"], seeds=measured.seeds, unit=unit,
    )  # fmt: skip


def scorecard(
    claims: Iterable[Mapping[str, Any]], tables: Tables, *, study: str, scale: str, edition: str,
    seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """One row a claim, with the columns `COLUMNS`.

    Raises:
        ClaimError: everything that keeps claims from being measured, a line each.
    """
    import pandas as pd

    rows, problems = [], []
    for claim in claims:
        try:
            verdict = asdict(check(claim, tables, seed))
        except ClaimError as error:
            problems.append(str(error))
            continue
        rows.append({"study": study, "claim": verdict["id"], **verdict,
                     "scale": scale, "edition": edition})  # fmt: skip
    if problems:
        raise ClaimError("\n".join(problems))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({name: float if name in NUMBERS else "str" for name in COLUMNS})


def bar_text(bar: Mapping[str, float], unit: str = "") -> str:
    """A bar in words: `≤ 1 octave`, `≥ 2 octaves`, `0.5 to 2 octaves`."""
    if len(bar) == 2:
        text = f"{bar['min']:g} to {bar['max']:g}"
    else:
        text = f"≤ {bar['max']:g}" if "max" in bar else f"≥ {bar['min']:g}"
        unit = unit.replace("octaves", "octave") if 1 in bar.values() else unit
    return f"{text} {unit}".strip()


def _unit(part: Mapping[str, Any]) -> str:
    return part.get("unit", MEASURES[part["measure"]].unit)


def _measure(part: Mapping[str, Any], tables: Tables, seed: int, name: str) -> Measured:
    """Select the runs of a claim or control and measure them; errors name the claim."""
    from hypertransfer.transfer import TransferError

    try:
        if "runs" not in tables:
            raise ClaimError(f"the table 'runs' is needed; given: {', '.join(tables) or 'none'}")
        selected = {**tables, "runs": _select(tables["runs"], part["where"])}
        return MEASURES[part["measure"]].function(selected, seed, **part.get("options", {}))
    except (ClaimError, TransferError) as error:
        raise ClaimError(f"{name}: {error}") from error


def _select(runs: pd.DataFrame, where: Mapping[str, Any]) -> pd.DataFrame:
    """The runs whose columns are as wanted; an empty selection names the column to blame."""
    _need("runs", runs, where)
    if runs.empty:
        raise ClaimError("the table 'runs' is empty: nothing was trained or collected")
    for column, wanted in where.items():
        known = runs[column].tolist()
        try:
            kept = [conditions.matches({column: wanted}, {column: value}) for value in known]
        except TypeError as error:
            raise ClaimError(f"where.{column}: {wanted!r} cannot be compared: {error}") from error
        if not any(kept):
            there = ", ".join(sorted({str(value) for value in known}))
            raise ClaimError(
                f"where.{column}: no run has {wanted!r}; with the conditions before it there is "
                f"{there}: change the claim or the grid"
            )
        runs = runs[kept]
    return runs


def _control_fault(claim: Mapping[str, Any], tables: Tables, seed: int, name: str) -> str:
    """Why a control does not show that the claim could have failed; empty if it does."""
    control = claim["control"]
    measured = _measure(control, tables, seed, f"{name} (control)")
    unit = _unit(control)
    verdict, reason = _judge(control["bar"], measured, unit, claim.get("min_seeds", MIN_SEEDS))
    if verdict == "holds":
        return ""
    bar = bar_text(control["bar"], unit)
    return f"the control does not hold, so these runs have no power ({bar} {verdict}: {reason})"


def _judge(
    bar: Mapping[str, float], measured: Measured, unit: str, min_seeds: int
) -> tuple[str, str]:
    """The verdict on an interval, and the reason for a reader."""
    if measured.seeds < min_seeds:
        noun = "seed" if measured.seeds == 1 else "seeds"
        return "undecided", f"{measured.seeds} {noun} ran, and {min_seeds} are asked for"
    least, most = bar.get("min", -math.inf) - TOLERANCE, bar.get("max", math.inf) + TOLERANCE
    text, words = _interval(measured), bar_text(bar, unit)
    caveat = f"; {measured.caveat}" if measured.caveat else ""
    if least <= measured.low and measured.high <= most:
        return "holds", f"{text}, all of it meets the bar {words}{caveat}"
    if measured.high < least or measured.low > most:
        return "fails", f"{text}, all of it violates the bar {words}{caveat}"
    return "undecided", f"{text}, on both sides of the bar {words}{caveat}"


def _interval(measured: Measured) -> str:
    seeds = f"over {measured.seeds} seeds" if measured.seeds > 1 else "from one seed"
    if math.isnan(measured.value) or (measured.low, measured.high) == (-math.inf, math.inf):
        return "the value is open"
    if measured.lower_bound_only:
        return f"at least {measured.low:.3g} {seeds}"
    if measured.upper_bound_only:
        return f"at most {measured.high:.3g} {seeds}"
    if measured.low == math.inf:
        return f"infinite {seeds}"
    low, high = f"{measured.low:.3g}", f"{measured.high:.3g}"
    return f"{low} {seeds}" if low == high else f"{low} to {high} {seeds}"
