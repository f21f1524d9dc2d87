"""Runs until a result is known: the best learning rate of a network, to a quarter of an octave.

`run` returns the rows of all parts; each part is a function that returns its rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import optuna
from tests.benchmarks import deciding, landscapes, locating
from tests.benchmarks.landscapes import KNOWN, Landscape
from tests.benchmarks.locating import SEED_COUNTS, Search, Setting
from tests.benchmarks.rows import row

REPEATS = 20  # searches of each landscape by each setting of a method
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
    """Claims decided per core-hour, with found and with listed learning rates and seeds."""
    ours, listed = deciding.both()
    of = f"{len(ours.verdicts)} claims of the paper"
    decided, minutes = (ours.decided, listed.decided), (ours.seconds / 60, listed.seconds / 60)
    yield row(f"{of}: decided", *decided, None, "claims", "verdicts", "decided")
    yield row(f"{of}: training and probing", *minutes, None, "core min", "verdicts", "decided")
    rates = ours.per_hour, listed.per_hour
    yield row(f"{of}: decided per core-hour", *rates, 3.0, "1/h", "verdicts", "decided")


def _optima() -> Iterator[dict]:
    """Runs to locate an optimum, by rounds of the workflow, listed grids, and Optuna's samplers."""
    found, runs, seconds = landscapes.load()
    for landscape in found:
        place, error = landscape.truth
        yield row(landscape.name, place, error, KNOWN, "octaves", "verdicts", "landscape")
    known = [landscape for landscape in found if landscape.is_known]
    text = f"training {runs:,} runs of {len(found)} landscapes, once: core seconds"
    yield row(text, seconds, None, None, "s", "verdicts", "cost")
    methods = results(known)
    of = f"{len(known)} landscapes, {REPEATS} searches each"
    ours = methods.pop(OURS)
    for name, rival in methods.items():
        needed = [locating.runs_needed(settings) for settings in (ours, rival)]
        yield _compared(f"{of}: runs, against {name}", needed, "runs", "located")
    for budget in BUDGETS:
        for name, rival in methods.items():
            errors = [locating.error_within(settings, budget) for settings in (ours, rival)]
            text = f"{of}: median error of at most {budget} runs, against {name}"
            yield _compared(text, errors, "octaves", "off")


def _compared(text: str, numbers: Sequence[float], unit: str, rule: str) -> dict:
    ratio = numbers[0] / numbers[1] if all(map(math.isfinite, numbers)) else math.nan
    return row(text, *numbers, None, unit, "verdicts", rule, ratio)


def results(known: Sequence[Landscape]) -> dict[str, list[Setting]]:
    """The results of each method, with each of its settings, over searches of all landscapes.

    A setting is the number of seeds, or of trials. A sampler is a method with each of its answers.
    """
    methods = {
        name: [_setting(known, partial(locating.by_rounds, seeds=n, finest=finest, rounds=rounds))
               for n in SEED_COUNTS]
        for name, (finest, rounds) in ROUNDS.items()
    } | {
        name: [_setting(known, partial(locating.by_grid, seeds=n, spacing=spacing))
               for n in SEED_COUNTS]
        for name, spacing in GRIDS.items()
    }  # fmt: skip
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for name in locating.SAMPLERS:
        for answer, settings in _sampled(known, name).items():
            methods[f"Optuna's {name}, {answer}"] = settings
    return methods


def _setting(known: Sequence[Landscape], search: Search) -> Setting:
    found = [search(landscape, seed) for landscape in known for seed in range(REPEATS)]
    return locating.setting(found, _truths(known))


def _sampled(known: Sequence[Landscape], sampler: str) -> dict[str, list[Setting]]:
    found = [
        locating.by_sampler(landscape, seed, sampler)
        for landscape in known
        for seed in range(REPEATS)
    ]
    return {
        answer: [
            locating.setting([search[answer][trial] for search in found], _truths(known))
            for trial in range(locating.TRIALS)
        ]
        for answer in locating.ANSWERS
    }


def _truths(known: Sequence[Landscape]) -> list[float]:
    """The true optimum of each search."""
    return [landscape.truth[0] for landscape in known for _ in range(REPEATS)]
