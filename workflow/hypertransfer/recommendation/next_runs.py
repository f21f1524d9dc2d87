"""The sweeps that would narrow a forecast most for their time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.recommendation.observations import (
    DIMENSIONS,
    Observation,
    bracketed,
    error_of,
)
from hypertransfer.recommendation.trend import Trend, trend

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
    made = []
    for logs in _candidates(found, target):
        after = _with_sweep(found, fitted, logs).at(target).deviation
        made.append(NextSweep(logs, minutes(found, logs), after))
    made = [one for one in made if one.deviation < LEAST_GAIN * before]
    made.sort(key=lambda one: one.minutes / (before**2 - one.deviation**2))
    return made[:MOST]


def _with_sweep(found: Sequence[Observation], fitted: Trend, logs: tuple[float, ...]) -> Trend:
    """The trend after a sweep; at a measured size it adds seeds, which leave the form open."""
    usable = bracketed(found)
    same = next((one for one in usable if one.logs == logs), None)
    if same is None:
        form = float(np.median([one.form_error for one in usable]))
        typical = min(usable, key=lambda one: abs(one.form_error - form))
        return fitted.with_sweep(logs, error_of(typical, typical.seed_deviation, SEEDS))
    more = replace(same, error=error_of(same, same.seed_deviation, same.seeds + SEEDS))
    again = trend([more if one is same else one for one in usable], fitted.slopes, fitted.prior)
    assert again is not None
    return again


def _candidates(
    found: Sequence[Observation], target: Sequence[float]
) -> Iterator[tuple[float, ...]]:
    """Measured sizes, the target, and doublings from the largest size to the target."""
    start = max(found, key=lambda one: (one.flops, one.logs)).logs
    ways = []
    for here, there in zip(start, target, strict=True):
        step = 1 if there > here else -1
        whole = math.ceil(abs(there - here) - 1e-9)
        ways.append([*(here + step * octave for octave in range(whole)), there])
    places = set(itertools.product(*ways)) | {one.logs for one in found} | {tuple(target)}
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
