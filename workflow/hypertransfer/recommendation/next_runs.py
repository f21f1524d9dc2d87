"""The sweeps that would narrow a forecast most for their time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.recommendation.observations import DIMENSIONS, Observation
from hypertransfer.recommendation.trend import Trend

RATES, SEEDS = 5, 2  # of a suggested sweep
MOST = 4  # sweeps that are suggested
LEAST_GAIN = 0.9  # of the deviation, below which it is after a sweep that is suggested
# Operations of a run over those of another, in powers of the ratios of the shapes: dense layers.
USUAL = {"width": 2.0, "depth": 1.0, "batch": 0.0, "duration": 1.0}


@dataclass(frozen=True)
class NextSweep:
    """A suggested sweep.

    Attributes:
        logs: log2 of its size, in the order of `DIMENSIONS`.
        minutes: of all its runs, one after another, on the machine of the measured runs.
        deviation: of the forecast at the target after the sweep, in octaves.
    """

    logs: tuple[float, ...]
    minutes: float
    deviation: float


def next_sweeps(
    found: Sequence[Observation], fitted: Trend, target: Sequence[float]
) -> list[NextSweep]:
    """Sweeps of `RATES` learning rates and `SEEDS` seeds, the one that narrows most a minute first.

    Candidates are sizes that were measured, and sizes on the way to the target in steps of two in
    each dimension, up to the target itself.
    """
    before = fitted.at(target).deviation
    usable = [one.error for one in found if not one.is_open]
    error = float(np.median(usable))
    made = []
    for logs in _candidates(found, target):
        after = fitted.with_sweep(logs, error).at(target).deviation
        made.append(NextSweep(logs, minutes(found, logs), after))
    made = [one for one in made if one.deviation < LEAST_GAIN * before]
    made.sort(key=lambda one: one.minutes / (before**2 - one.deviation**2))
    return made[:MOST]


def _candidates(
    found: Sequence[Observation], target: Sequence[float]
) -> Iterator[tuple[float, ...]]:
    """Measured sizes, the target, and sizes between the largest one and the target."""
    start = max(found, key=lambda one: one.flops).logs
    ways = []
    for here, there in zip(start, target, strict=True):
        count = max(math.ceil(abs(there - here) - 1e-9), 1)
        ways.append([here + (there - here) * step / count for step in range(count + 1)])
    places = {tuple(round(part, 6) for part in place) for place in itertools.product(*ways)}
    places |= {tuple(round(part, 6) for part in one.logs) for one in found}
    yield from sorted(places)


def minutes(found: Sequence[Observation], logs: Sequence[float]) -> float:
    """Minutes of a sweep at a size, from the seconds of the measured size that is nearest.

    The powers with which the time grows are fitted to the measured sizes, about those of the
    operations of dense layers.
    """
    design = np.array([one.logs for one in found])
    seconds = np.log2([one.seconds for one in found])
    usual = np.array([USUAL[name] for name in DIMENSIONS])
    away = design - design.mean(axis=0)
    ridge = 0.25 * np.eye(len(usual))
    change = np.linalg.solve(
        away.T @ away + ridge, away.T @ (seconds - seconds.mean() - away @ usual)
    )
    powers = usual + change
    nearest = int(np.argmin(np.abs(design - np.array(logs)).sum(axis=1)))
    one = float(seconds[nearest] + (np.array(logs) - design[nearest]) @ powers)
    return RATES * SEEDS * 2**one / 60
