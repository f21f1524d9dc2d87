"""The page on how good recommendations are: sizes of the studies, predicted from smaller ones."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence

from hypertransfer.analysis.numerals import percent
from hypertransfer.recommendation.hold_out import (
    PREDICTORS,
    Prediction,
    Sweeps,
    fitted_prior,
    predictions,
)
from hypertransfer.recommendation.theory import CARRIED, THEORY, UNKNOWN
from hypertransfer.recommendation.trend import LEVEL, PRIOR
from hypertransfer.report.markdown import code, page, table

Selection = Callable[[Prediction], bool]
BASES = {
    CARRIED: "the table scales what grows",
    THEORY: "a theory tells how the rate moves",
    UNKNOWN: "neither",
}
ALL: tuple[str, Selection] = ("all", lambda one: True)
WAYS = ((2, "4 times"), (3, "8 times"), (4, "16 times"))  # octaves of the width


def forecasts_page(arms: Sequence[Sweeps]) -> str:
    """The page.

    Args:
        arms: the sweeps of all studies.
    """
    compared = [arm for arm in arms if len(arm.bracketed) > 1]
    found = list(_left_out(compared))
    studies = dict.fromkeys(arm.study for arm in compared)
    own = fitted_prior(compared)
    return page(
        "Forecasts of learning rates",
        "How good [recommendations](../recommend.md) are. Each size of each learning-rate sweep of "
        "the studies is predicted from the smaller sizes of the sweep, and compared with its own "
        "best rate. The first value of a cell is that of the *trend* that recommendations are made "
        "from. The second is that of the *same rate*, the best one of the largest smaller size; "
        "the third is that of *µP's rule*, which scales this rate over the width as µP scales the "
        "rate of hidden weights.",
        "*Error* is the median distance, in octaves, between predicted and found rate. *Regret* is "
        "the median of the loss at the predicted rate above the least loss, in per cent of the "
        "least loss, which is near 0 for networks that interpolate. *Diverged* is the number of "
        "predicted rates at which runs diverge. *Inside* is the share of found rates in the "
        f"trend's interval of {percent(LEVEL)}, widened by the error of the found rate.",
        f"{len(compared)} sweeps have more than one size. Of {len(found)} predictions "
        f"{sum(one.smaller == 1 for one in found)} are from a single smaller size. The widths of "
        "the priors are fitted to the sweeps of the other studies. Their form, which tells three "
        "cases apart, was chosen with these sweeps known.",
        _table([(words, _basis(name)) for name, words in BASES.items()] + [ALL], found),
        "Sweeps in which several dimensions grow, for different reasons, count in the last row "
        "alone.",
        "## Over the width",
        _table(list(_over_width()), found),
        "## By study",
        _table([(code(name), _study(name)) for name in studies], found),
        "## The priors",
        f"Standard deviations, in octaves of the rate per octave of the size: {PRIOR.carried:g} "
        f"where the table scales the dimension, {PRIOR.theory:g} about a theory's power, and "
        f"{PRIOR.unknown:g} elsewhere (our choice); {PRIOR.scatter:g} octaves of scatter. Fitted "
        f"to all sweeps of this page, the first two are {own.carried:.2f} and {own.theory:.2f}, "
        f"and the scatter is {own.scatter:.2f}.",
    )


def _left_out(arms: Sequence[Sweeps]) -> Iterator[Prediction]:
    """The predictions of all arms, each with the prior of the other studies."""
    for study in dict.fromkeys(arm.study for arm in arms):
        prior = fitted_prior([arm for arm in arms if arm.study != study])
        for arm in arms:
            if arm.study == study:
                yield from predictions(arm, prior)


def _basis(name: str) -> Selection:
    return lambda one: one.bases == {name}


def _study(name: str) -> Selection:
    return lambda one: one.sweeps.study == name


def _over_width() -> Iterator[tuple[str, Selection]]:
    for basis in (CARRIED, THEORY, UNKNOWN):
        for octaves, words in WAYS:
            yield f"{words} as wide, {BASES[basis]}", _width(basis, octaves)


def _width(basis: str, octaves: int) -> Selection:
    def select(one: Prediction) -> bool:
        of_width = one.dimensions == ("width",) and one.bases == {basis}
        return of_width and abs(one.octaves - octaves) < 0.1

    return select


def _table(selections: Sequence[tuple[str, Selection]], found: Sequence[Prediction]) -> str:
    """A row for each selection; the three values of a cell are those of `PREDICTORS`."""
    rows = []
    for words, select in selections:
        chosen = [one for one in found if select(one)]
        if not chosen:
            continue
        errors = (statistics.median(abs(one.errors[p]) for one in chosen) for p in PREDICTORS)
        regrets = (statistics.median(one.regrets[p] for one in chosen) for p in PREDICTORS)
        diverged = (sum(math.isinf(one.regrets[p]) for one in chosen) for p in PREDICTORS)
        rows.append(
            (
                words,
                len(chosen),
                " · ".join(f"{error:.2f}" for error in errors),
                " · ".join(map(_regret_text, regrets)),
                " · ".join(map(str, diverged)),
                percent(sum(one.inside for one in chosen) / len(chosen)),
            )
        )
    return table(("predicted", "number", "error", "regret, %", "diverged", "inside"), rows)


def _regret_text(regret: float) -> str:
    return f"{regret:.2g}" if regret < 100 else "> 100"
