"""The page on how good recommendations are: sizes of the studies, predicted from smaller ones."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence

from hypertransfer.analysis.numerals import percent
from hypertransfer.recommendation.advice import DO_NOT, NARROW, TRUST
from hypertransfer.recommendation.hold_out import (
    PREDICTORS,
    Prediction,
    Sweeps,
    fitted_prior,
    predictions,
)
from hypertransfer.recommendation.observations import bracketed
from hypertransfer.recommendation.rate_costs import excess_text
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
    compared = [arm for arm in arms if len(bracketed(arm.found)) > 1]
    found = list(_left_out(compared))
    studies = dict.fromkeys(arm.study for arm in compared)
    own = fitted_prior(compared)
    return page(
        "Forecasts of learning rates",
        "How good [recommendations](../recommend.md) are. Each size of each learning-rate sweep of "
        "the studies is predicted from each number of smaller sizes of the sweep, and compared "
        "with its own best rate. *trend* is the prediction of a recommendation, *same* the best "
        "rate of the largest smaller size as it is, and *µP* this rate, scaled over the width as "
        "µP scales the rate of hidden weights.",
        "*Error* is the median distance, in octaves, between predicted and found rate. *Excess* is "
        "the median excess loss at the predicted rate, in per cent of the least loss; networks "
        "that interpolate have a least loss near 0, and excess losses far above 100 %. *Diverge* "
        "is the number of predicted rates at which runs diverge. *Inside* is the share of found "
        f"rates in the trend's interval of {percent(LEVEL)}, widened by the error of the found "
        "rate, and *reach* the median of half the interval's width, in octaves.",
        f"{len(compared)} sweeps have more than one size. Of {len(found)} predictions "
        f"{sum(one.smaller == 1 for one in found)} are from a single smaller size. For each study "
        "the standard deviations of the priors are fitted to the other studies. The three cases of "
        "the next table were told apart with these sweeps known, so that this is no blind test.",
        _table([(words, _basis(name)) for name, words in BASES.items()] + [ALL], found),
        "Sweeps in which several dimensions grow, for different reasons, count in the last row "
        "alone. Where neither a table nor a theory is known, intervals are wide, and rates within "
        "them cost much: sweep at the size instead.",
        "## By verdict",
        _table([(f"*{name}*", _verdict(name)) for name in (TRUST, NARROW, DO_NOT)], found),
        "With a single smaller size the verdict is never *trust*.",
        "## Over the width",
        _table(list(_over_width()), found),
        "## By study",
        _table([(code(name), _study(name)) for name in studies], found),
        "## The priors",
        f"Standard deviations of slopes, in octaves of the rate per octave of the size: "
        f"{PRIOR.carried:g} where the table scales the dimension, {PRIOR.theory:g} about a "
        f"theory's power, and {PRIOR.unknown:g} elsewhere (our choice); {PRIOR.scatter:g} octaves "
        f"of scatter. `hypertransfer recommend` uses these. Fitted to all sweeps of this page, the "
        f"first two are {own.carried:.2f} and {own.theory:.2f}, and the scatter is "
        f"{own.scatter:.2f}.",
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


def _verdict(name: str) -> Selection:
    return lambda one: one.verdict == name


def _table(selections: Sequence[tuple[str, Selection]], found: Sequence[Prediction]) -> str:
    """A row for each selection; selections of no prediction are left out."""
    shown = ("trend", "same", "µP")
    head = ["predicted", "number", *(f"error, {name}" for name in shown)]
    head += [f"excess, {name}" for name in shown]
    head += ["diverge, trend", "inside", "reach"]
    rows = []
    for words, select in selections:
        chosen = [one for one in found if select(one)]
        if not chosen:
            continue
        errors = (statistics.median(abs(one.errors[p]) for one in chosen) for p in PREDICTORS)
        regrets = (statistics.median(one.regrets[p] for one in chosen) for p in PREDICTORS)
        rows.append(
            (
                words,
                len(chosen),
                *(f"{error:.2f}" for error in errors),
                *map(excess_text, regrets),
                sum(math.isinf(one.regrets["trend"]) for one in chosen),
                percent(sum(one.inside for one in chosen) / len(chosen)),
                f"{statistics.median(one.reach for one in chosen):.2f}",
            )
        )
    return table(head, rows)
