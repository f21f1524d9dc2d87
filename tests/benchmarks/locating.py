"""Searches for the best learning rate of a stored landscape: rounds, listed grids, Optuna.

A search asks for runs, each a learning rate and a seed, and each run costs one. A search knows the
range of learning rates and nothing else: rounds start anywhere in it, grids are placed at random.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import optuna
from tests.benchmarks.landscapes import PER_OCTAVE, Landscape
from tests.support.adaptive import rounds_of

from hypertransfer.analysis.sweeps import Sweep
from hypertransfer.rounds.arm import Arm
from hypertransfer.rounds.settings import Adaptive

SEED_COUNTS = (1, 2, 3, 4, 5, 6, 8, 10, 12)  # of rounds and grids
TRIALS = 40  # of each sampler
TRUST = 0.25  # octaves: the largest error of an optimum that is located
SHARE = 0.8  # of the searches have to locate the optimum
SAMPLERS: Mapping[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "TPE": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "GP": lambda seed: optuna.samplers.GPSampler(seed=seed),
}
WINDOW = 1.0  # octaves to each side of the best mean within which `fitted` fits


@dataclass(frozen=True)
class Located:
    """What a search found.

    Attributes:
        runs: the number of runs that it asked for.
        place: log2 of the learning rate that it calls best; nan if every run diverged.
    """

    runs: int
    place: float


# The answers to a search of a landscape, with a seed for the search's draws.
Search = Callable[[Landscape, int], Mapping[str, Located]]


@dataclass(frozen=True)
class Trials:
    """Trials of a sampler: log2 of the learning rate, the log loss and the seed of each."""

    log2: np.ndarray
    logs: np.ndarray
    seeds: np.ndarray


def by_rounds(
    landscape: Landscape, seed: int, seeds: int, finest: float | None, rounds: int
) -> dict[str, Located]:
    """The answers to an adaptive sweep of the workflow, for each of `ESTIMATES`.

    The start is drawn from the whole range. Every run outside the range counts as impossible, as
    in a grid with filters.
    """
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(landscape.losses))[:seeds].tolist()
    log2 = landscape.log2
    settings = Adaptive(
        start=float(2 ** generator.choice(log2)),
        finest=finest,
        rounds=rounds,
        octaves=4 * float(np.ptp(log2)),
    )
    places = {n: _column(landscape, settings.log2(n)) for n in settings.notches()}
    candidates = {(n, s): "" for n, at in places.items() if at is not None for s in order}
    arm = Arm({}, "", (), settings, candidates)
    (found,), _ = rounds_of(
        [arm], [lambda value, s: float(landscape.losses[s, _column(landscape, value)])]
    )
    values = np.full((seeds, len(log2)), np.nan)
    for (notch, s), loss in found.losses.items():
        values[order.index(s), places[notch]] = loss
    return _answered(log2, values)


def by_grid(landscape: Landscape, seed: int, seeds: int, spacing: float) -> dict[str, Located]:
    """The answers to a listed grid over the whole range with all seeds, as those to rounds."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(landscape.losses))[:seeds]
    step = round(spacing * PER_OCTAVE)
    columns = np.arange(generator.integers(step), len(landscape.log2), step)
    values = np.full((seeds, len(landscape.log2)), np.nan)
    values[:, columns] = landscape.losses[np.ix_(order, columns)]
    return _answered(landscape.log2, values)


def _answered(log2: np.ndarray, losses: np.ndarray) -> dict[str, Located]:
    runs = int((~np.isnan(losses)).sum())
    return {name: Located(runs, answer(log2, losses)) for name, answer in ESTIMATES.items()}


def estimated(log2: np.ndarray, losses: np.ndarray) -> float:
    """The optimum that claims estimate from losses (seed, rate), nan where nothing ran."""
    ran = ~np.isnan(losses).all(axis=0)
    sweep = Sweep(1.0, 2.0 ** log2[ran], losses[:, ran])
    return sweep.optimum(np.arange(len(losses))).log2_lr


def fitted_to_table(log2: np.ndarray, losses: np.ndarray) -> float:
    """The answer `fitted` to losses (seed, rate), nan where nothing ran."""
    seeds, columns = np.nonzero(~np.isnan(losses))
    return fitted(Trials(log2[columns], np.log(losses[seeds, columns]), seeds))


CLAIMS, PARABOLA = "estimate of claims", "fitted parabola"
ESTIMATES: Mapping[str, Callable[[np.ndarray, np.ndarray], float]] = {
    CLAIMS: estimated,
    PARABOLA: fitted_to_table,
}


def by_sampler(landscape: Landscape, seed: int, sampler: str) -> dict[str, list[Located]]:
    """The answers of a sampler of Optuna after each number of trials, for each of `ANSWERS`.

    Each trial is a seed that has not yet run at its learning rate, as long as there is one. The
    sampler minimises the logarithm of the loss, which is infinite where a run diverged.
    """
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(len(landscape.losses)) for _ in landscape.log2]
    columns: list[int] = []
    seeds: list[int] = []
    study = optuna.create_study(sampler=SAMPLERS[sampler](seed))
    found: dict[str, list[Located]] = {name: [] for name in ANSWERS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the GP clips infinite losses, and says so each time
        for count in range(1, TRIALS + 1):
            trial = study.ask()
            low, high = landscape.log2[[0, -1]].tolist()
            column = _column(landscape, trial.suggest_float("log2", low, high))
            seeds.append(orders[column][columns.count(column) % len(landscape.losses)])
            columns.append(column)
            logs = np.log(landscape.losses[seeds, columns])
            study.tell(trial, float(logs[-1]))
            trials = Trials(landscape.log2[columns], logs, np.array(seeds))
            for name, answer in ANSWERS.items():
                found[name].append(Located(count, answer(trials)))
    return found


def best_trial(trials: Trials) -> float:
    """The learning rate of the run with the least loss; nan if every run diverged."""
    logs = trials.logs
    return float(trials.log2[logs.argmin()]) if np.isfinite(logs).any() else np.nan


def best_mean(trials: Trials) -> float:
    """The learning rate with the least mean log loss; nan if a run diverged at each."""
    means = {place: fmean(trials.logs[trials.log2 == place]) for place in trials.log2}
    best = min(means, key=means.__getitem__)
    return float(best) if np.isfinite(means[best]) else np.nan


def fitted(trials: Trials) -> float:
    """The vertex of a parabola by least squares through the runs near the best mean.

    An offset of each seed is a random effect, with the variance of the noise. Where the parabola
    has no minimum within the runs that it is fitted to, or they have fewer than three learning
    rates, the best mean.
    """
    best = best_mean(trials)
    near = (np.abs(trials.log2 - best) <= WINDOW) & np.isfinite(trials.logs)
    x, y, seeds = trials.log2[near] - best, trials.logs[near], trials.seeds[near]
    if len(np.unique(x)) < 3:
        return best
    offsets = (seeds[:, None] == np.unique(seeds)).astype(float)
    count = offsets.shape[1]
    shrinking = np.hstack([np.zeros((count, 3)), np.eye(count)])
    design = np.vstack([np.hstack([np.vander(x, 3), offsets]), shrinking])
    solution, *_ = np.linalg.lstsq(design, np.append(y, np.zeros(count)), rcond=None)
    bend, tilt = solution[:2]
    vertex = -tilt / (2 * bend) if bend > 0 else np.nan
    return float(best + vertex) if x.min() <= vertex <= x.max() else best


ANSWERS: Mapping[str, Callable[[Trials], float]] = {
    "best trial": best_trial,
    "best mean": best_mean,
    PARABOLA: fitted,
}


def _column(landscape: Landscape, log2: float) -> int | None:
    """The index of a learning rate of a landscape; None if it is outside the range."""
    column = round((log2 - landscape.log2[0]) * PER_OCTAVE)
    return column if 0 <= column < len(landscape.log2) else None


@dataclass(frozen=True)
class Setting:
    """The result of one setting of a method over all searches.

    Attributes:
        runs: the mean number of runs.
        located: the share of searches whose error is at most `TRUST` octaves.
        error: the median error in octaves.
    """

    runs: float
    located: float
    error: float


def setting(found: list[Located], truths: list[float]) -> Setting:
    """The result of searches whose true optima, in their order, are known.

    A search without an answer has an infinite error.
    """
    errors = np.abs(np.array([one.place for one in found]) - np.array(truths))
    errors = np.where(np.isnan(errors), np.inf, errors)
    return Setting(
        fmean(one.runs for one in found),
        float((errors <= TRUST + 1e-9).mean()),
        float(np.median(errors)),
    )


def runs_needed(settings: list[Setting]) -> float:
    """The least mean number of runs of a setting that locates `SHARE` of optima; inf if none."""
    return min((s.runs for s in settings if s.located >= SHARE), default=np.inf)


def error_within(settings: list[Setting], runs: float) -> float:
    """The median error of the setting with the most runs that are not more than this; else inf."""
    within = [s for s in settings if s.runs <= runs]
    return max(within, key=lambda s: s.runs).error if within else np.inf
