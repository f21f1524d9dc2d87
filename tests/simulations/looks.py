"""Verdicts where claims are tested at several numbers of seeds, and get seeds by the rule itself.

Two claims of one kind share a budget that is enough to give one of them the largest number of
seeds. Runs, levels, judgements and the choice of the claim are those of `claims`; only the values
are drawn, so that the truth is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from tests.simulations.synthetic import World, split

from hypertransfer.analysis import sweeps as analysis_sweeps
from hypertransfer.analysis import trajectories
from hypertransfer.analysis.estimate import Estimate
from hypertransfer.analysis.intervals import over_seeds
from hypertransfer.analysis.looks import Looks
from hypertransfer.analysis.trajectories import Trajectories
from hypertransfer.claims.claim import Claim
from hypertransfer.claims.judging import examine
from hypertransfer.claims.looks import allocate
from hypertransfer.claims.measure import MEASURES, Measure
from hypertransfer.runs.scorecard import FAILS, HOLDS

Estimator = Callable[[int, float], Estimate]  # of the first so many seeds, at a level
NAMES = ("a", "b")
SEEDS = ((4, 8), (4, 10), (3, 6, 12))


@dataclass(frozen=True)
class Kind:
    """A kind of claim.

    Attributes:
        measure: the measure.
        text: what the runs are like.
        draw: the values of so many seeds, as an estimator of any first part of them.
        truth: the true value.
        near: a bar above the truth, from which the first seeds often cannot tell it.
        unit: the unit of the measure.
    """

    measure: str
    text: str
    draw: Callable[[np.random.Generator, int], Estimator]
    truth: float
    near: float
    unit: str = ""


@dataclass(frozen=True)
class Outcome:
    """Shares of claims at the end of all looks.

    Attributes:
        covered: shares whose last interval holds the truth.
        holds, fails: shares with each verdict.
        extended: shares that got more seeds than the first number.
    """

    covered: float
    holds: float
    fails: float
    extended: float


def _paths(logs: np.ndarray) -> Trajectories:
    """Sizes 1, 2, 4, … whose logarithms of a constant quantity are `logs`, of (size, seed)."""
    values = np.exp(logs)[:, :, None] * np.ones(3)
    return Trajectories(2.0 ** np.arange(len(logs)), np.arange(3.0), values)


def _level(rng: np.random.Generator, most: int) -> Estimator:
    logs = 0.2 * rng.normal(size=(3, most)) - 0.2**2 / 2

    def estimator(count: int, level: float) -> Estimate:
        paths = _paths(logs[:, :count])
        return over_seeds(lambda rows: trajectories.late_level(paths, rows), count, level=level)

    return estimator


def _exponent(rng: np.random.Generator, most: int) -> Estimator:
    logs = 0.5 * np.log(2.0 ** np.arange(4))[:, None] + 0.2 * rng.normal(size=(4, most))

    def estimator(count: int, level: float) -> Estimate:
        paths = _paths(logs[:, :count])
        return over_seeds(lambda rows: trajectories.size_exponent(paths, rows), count, level=level)

    return estimator


def _spread(rng: np.random.Generator, most: int) -> Estimator:
    levels = np.log(1.5) * np.array([0.0, 1.0, 1.0])  # two sizes alike, one apart
    logs = levels[:, None] + 0.1 * rng.normal(size=most) + 0.2 * rng.normal(size=(3, most))
    return lambda count, level: trajectories.spread(_paths(logs[:, :count]), level=level)


def _shift(rng: np.random.Generator, most: int) -> Estimator:
    phase = float(rng.uniform(-0.25, 0.25))
    world = World(split(1), {16: phase, 64: phase - 0.5})
    seeds, rates = world.seeds(rng, most), np.arange(-4, 3.5, 0.5)
    sweeps = [world.sweep(seeds, size, rates) for size in world.optima]

    def estimator(count: int, level: float) -> Estimate:
        first = [analysis_sweeps.Sweep(s.size, s.lrs, s.losses[:count]) for s in sweeps]
        return analysis_sweeps.of_optima(first, analysis_sweeps.shift, level=level)

    return estimator


KINDS: Mapping[str, Kind] = {
    "level": Kind("late_level", "lognormal seeds that vary by 20 %", _level, 1.0, 1.1),
    "exponent": Kind("size_exponent", "4 sizes, seeds vary by 20 %", _exponent, 0.5, 0.6),
    "spread": Kind(
        "sharpness_spread", "3 sizes, 1.5×, seeds vary by 20 %", _spread, 1.5, 2.0, unit="×"
    ),
    "shift": Kind("optimum_shift", "half octaves, symmetric", _shift, -0.5, -0.35),
}


def outcome(name: str, seeds: Sequence[int], near: bool, draws: int) -> Outcome:
    """The verdicts on claims `≤ bar`, with the bar on the truth or near it.

    The draws depend on nothing but the arguments.
    """
    kind = KINDS[name]
    bar = kind.near if near else kind.truth
    ends = []
    for draw in range(draws):
        rng = np.random.default_rng([list(KINDS).index(name), *seeds, draw])
        values = {claim: kind.draw(rng, seeds[-1]) for claim in NAMES}
        with _measured(values, kind.unit):
            ends += _played(seeds, bar)
    slack = 1e-9
    covered = [e.low <= kind.truth + slack and e.high >= kind.truth - slack for e, _ in ends]
    shares = [np.mean([verdict == word for _, verdict in ends]) for word in (HOLDS, FAILS)]
    extended = np.mean([estimate.count > seeds[0] for estimate, _ in ends])
    return Outcome(float(np.mean(covered)), *map(float, shares), float(extended))


@contextmanager
def _measured(values: Mapping[str, Estimator], unit: str) -> Iterator[None]:
    """Register a measure of the drawn values as `simulated`."""

    def simulated(tables: Mapping[str, pd.DataFrame], level: float) -> Estimate:
        runs = tables["runs"]
        return values[runs["claim"].iloc[0]](len(runs), level)

    MEASURES["simulated"] = Measure(simulated, unit)
    try:
        yield
    finally:
        del MEASURES["simulated"]


def _played(seeds: Sequence[int], bar: float) -> list[tuple[Estimate, str]]:
    """The last estimate and verdict of each claim, after all looks."""
    looks = Looks(tuple(seeds), frozenset(NAMES))
    claims = [_claim(name, bar) for name in NAMES]
    there = {name: list(range(seeds[0])) for name in NAMES}
    for look in range(1, len(seeds)):
        chosen = set(allocate(_parts(look, seeds, claims), _tables(there))["keys"])
        for name, ran in there.items():
            ran += [seed for seed in range(seeds[-1]) if f"{name}{seed}" in chosen]
    found = [examine(Claim.parse(claim), _tables(there), looks) for claim in claims]
    return [(x.own.measurement.estimate, x.judgement.verdict) for x in found]


def _claim(name: str, bar: float) -> dict[str, Any]:
    texts = dict.fromkeys(("sentence", "source", "bar_from"), "simulated")
    facts = {"kind": "paper", "confidence": "high", "measure": "simulated", "bar": {"max": bar}}
    return {"id": name, "where": {"claim": name}, **texts, **facts}


def _parts(look: int, seeds: Sequence[int], claims: list[dict[str, Any]]) -> dict[str, Any]:
    """The parts of the job of a look; a run costs one second."""
    places = [
        {
            "grid": "g",
            "claims": [name],
            "runs": [[seed, f"{name}{seed}", 1.0] for seed in range(seeds[-1])],
        }
        for name in NAMES
    ]
    budget = float(seeds[0] + seeds[-1])
    return {
        "look": look, "seeds": list(seeds), "budget_seconds": budget, "fixed_seconds": 0.0,
        "claims": claims, "places": places,
    }  # fmt: skip


def _tables(there: Mapping[str, Sequence[int]]) -> dict[str, pd.DataFrame]:
    rows = [(name, seed, f"{name}{seed}") for name, ran in there.items() for seed in ran]
    return {"runs": pd.DataFrame(rows, columns=["claim", "seed", "key"]).assign(grid="g")}


def table(draws: int) -> Iterator[str]:
    """The rows of the table of looks in Markdown, one by one."""
    columns = (
        "measure",
        "runs",
        "tested at",
        "bar",
        "covered",
        "holds",
        "fails",
        "more seeds",
    )
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    for name, kind in KINDS.items():
        for seeds in SEEDS:
            for near in (False, True):
                found = outcome(name, seeds, near, draws)
                shares = (found.covered, found.holds, found.fails, found.extended)
                cells = [f"{100 * share:.1f} %" for share in shares]
                bar = "above the truth" if near else "on the truth"
                numbers = ", ".join(map(str, seeds))
                row = (f"`{kind.measure}`", kind.text, f"{numbers} seeds", bar, *cells)
                yield f"| {' | '.join(row)} |"
