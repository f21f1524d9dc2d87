"""Runs until a result is known: the best learning rate of a network, and verdicts on claims.

`run` returns the rows of all parts; each part is a function that returns its rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import optuna
from tests.benchmarks import deciding, landscapes, locating
from tests.benchmarks.deciding import OTHER_ROUNDING, OTHER_SEEDS, Spent
from tests.benchmarks.landscapes import KNOWN, Landscape
from tests.benchmarks.locating import CLAIMS, SEED_COUNTS, Search, Setting
from tests.benchmarks.rows import row

REPEATS = 40  # searches of each landscape by each setting of a method
OURS = "rounds to half octaves"  # the refinement in the documentation's example of an adaptive axis
# `finest` and `rounds` of adaptive axes. Rounds are enough to bracket any optimum of the range.
ROUNDS: Mapping[str, tuple[float | None, int]] = {
    OURS: (0.5, 6),
    "rounds of whole octaves": (None, 6),
    "rounds to quarter octaves": (0.25, 6),
}
GRIDS = {"a grid of octaves": 1.0, "a grid of half octaves": 0.5}
BUDGETS = (16, 32)  # runs at which median errors are compared


def run() -> list[dict]:
    """The rows of all parts."""
    return [*_optima(), *_claims()]


def _claims() -> Iterator[dict]:
    """Claims that are decided per core-hour, and claims that are decided again."""
    ours, *listed = deciding.each()
    yield from per_hour(ours, listed)
    yield from agreement(ours, deciding.again(OTHER_SEEDS), "other seeds")
    yield from agreement(ours, deciding.again(OTHER_ROUNDING), "other rounding")


def per_hour(ours: Spent, listed: Sequence[Spent]) -> Iterator[dict]:
    """The rows of claims decided with found and with listed learning rates and seeds.

    Args:
        ours: with found ones.
        listed: with listed ones, and each of `deciding.TIMES` the seeds.
    """
    of = f"{len(ours.verdicts)} claims of the paper"
    put = partial(row, benchmark="verdicts", rule="decided")
    for times, rival in zip(deciding.TIMES, listed, strict=True):
        text = of if times == 1 else f"{of}, {times} times the listed seeds"
        yield put(f"{text}: decided", ours.decided, rival.decided, None, "claims")
        minutes = ours.seconds / 60, rival.seconds / 60
        yield put(f"{text}: training and probing", *minutes, None, "core min")
        # A target for as many seeds as the study listed: with more it would be another rival.
        target = 3.0 if times == 1 else None
        yield put(f"{text}: decided per core-hour", ours.per_hour, rival.per_hour, target, "1/h")


def agreement(ours: Spent, other: Spent, change: str) -> Iterator[dict]:
    """The rows of verdicts that are equal after a change of random numbers or rounding."""
    both = ours.decided_in_both(other)
    equal = sum(ours.verdicts[claim] == other.verdicts[claim] for claim in both)
    pairs = ((value, other.values[claim]) for claim, value in ours.values.items())
    moved = sum(one != two and not (math.isnan(one) and math.isnan(two)) for one, two in pairs)
    text = f"{len(ours.verdicts)} claims of the paper, {change}"
    yield row(f"{text}: values that differ", moved, None, None, "claims", "verdicts", "stable")
    counts = ours.decided, other.decided
    yield row(f"{text}: decided", *counts, None, "claims", "verdicts", "stable", math.nan)
    yield row(f"{text}: decided in both", len(both), None, None, "claims", "verdicts", "stable")
    share = 100 * equal / len(both) if both else math.nan
    yield row(f"{text}: equal verdicts of these", share, None, 98.0, "%", "verdicts", "stable")


def _optima() -> Iterator[dict]:
    """Runs to locate an optimum, by rounds of the workflow, listed grids, and Optuna's samplers."""
    found, runs, seconds = landscapes.load()
    for landscape in found:
        place, error = landscape.truth
        yield row(landscape.name, place, error, KNOWN, "octaves", "verdicts", "landscape")
    known = [landscape for landscape in found if landscape.is_known]
    text = f"training {runs:,} runs of {len(found)} landscapes, once: core seconds"
    yield row(text, seconds, None, None, "s", "verdicts", "cost")
    of = f"{len(known)} landscapes, {REPEATS} searches each"
    for ours, name, *settings in _pairs(results(known)):
        needed = [locating.runs_needed(each) for each in settings]
        text = f"{of}: runs, {OURS}, {ours}, against {name}"
        yield _compared(text, needed, "runs", "located")
        for budget in BUDGETS:
            errors = [locating.error_within(each, budget) for each in settings]
            text = f"{of}: median error of at most {budget} runs, {OURS}, {ours}, against {name}"
            yield _compared(text, errors, "octaves", "off")


def _compared(text: str, numbers: Sequence[float], unit: str, rule: str) -> dict:
    ratio = numbers[0] / numbers[1] if all(map(math.isfinite, numbers)) else math.nan
    return row(text, *numbers, None, unit, "verdicts", rule, ratio)


Results = dict[str, dict[str, list[Setting]]]  # settings of each method, for each of its answers


def _pairs(methods: Results) -> Iterator[tuple[str, str, list[Setting], list[Setting]]]:
    """Our answer, a rival's name, and the settings of both.

    The estimate of claims is compared with that of other rounds and of grids, and with all answers
    to samplers; the fitted parabola with that of every rival.
    """
    ours = methods.pop(OURS)
    for answer in ours:
        for name, answers in methods.items():
            for other, settings in answers.items():
                if other == answer or (answer == CLAIMS and CLAIMS not in answers):
                    yield answer, f"{name}, {other}", ours[answer], settings


def results(known: Sequence[Landscape]) -> Results:
    """The results of each method over searches of all landscapes.

    A setting is the number of seeds, or of trials.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    searches: dict[str, Callable[..., Search]] = {
        name: partial(locating.by_rounds, finest=finest, rounds=rounds)
        for name, (finest, rounds) in ROUNDS.items()
    } | {name: partial(locating.by_grid, spacing=spacing) for name, spacing in GRIDS.items()}
    tables = {
        name: _transposed([_setting(known, partial(search, seeds=n)) for n in SEED_COUNTS])
        for name, search in searches.items()
    }
    return tables | {f"Optuna's {name}": _sampled(known, name) for name in locating.SAMPLERS}


def _transposed(settings: Sequence[Mapping[str, Setting]]) -> dict[str, list[Setting]]:
    return {answer: [setting[answer] for setting in settings] for answer in settings[0]}


def _setting(known: Sequence[Landscape], search: Search) -> dict[str, Setting]:
    found = [search(landscape, seed) for landscape in known for seed in range(REPEATS)]
    return {
        answer: locating.setting([answers[answer] for answers in found], _truths(known))
        for answer in locating.ESTIMATES
    }


def _sampled(known: Sequence[Landscape], sampler: str) -> dict[str, list[Setting]]:
    found = [
        locating.by_sampler(landscape, seed, sampler)
        for landscape in known
        for seed in range(REPEATS)
    ]
    return {
        answer: [
            locating.setting([answers[answer][trial] for answers in found], _truths(known))
            for trial in range(locating.TRIALS)
        ]
        for answer in locating.ANSWERS
    }


def _truths(known: Sequence[Landscape]) -> list[float]:
    """The true optimum of each search."""
    return [landscape.truth[0] for landscape in known for _ in range(REPEATS)]
