"""What would decide an undecided claim, and how sure verdicts are: units, power, p values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hypertransfer.analysis import prospects
from hypertransfer.analysis.intervals import FEWEST, LEVEL
from hypertransfer.analysis.looks import ONCE, Looks
from hypertransfer.analysis.tables import Tables
from hypertransfer.claims.bars import P_VALUE
from hypertransfer.claims.claim import Claim, Control
from hypertransfer.claims.families import measures
from hypertransfer.claims.judging import Examined, Judged, verdict_of
from hypertransfer.claims.measuring import Measurement, selected_rows
from hypertransfer.runs.scorecard import HOLDS, UNDECIDED

LEAST_ERROR = 1e-6  # error of an interval below which p values are not told apart
PRECISION = 1.05  # ratio of neighbouring errors at which the search for a p value ends


@dataclass(frozen=True)
class Outlook:
    """Numbers beside a verdict; None where they are not known, or do not apply.

    Attributes:
        units_needed: the number of units that decides an undecided claim if values stay, or its
            control if this lacks more; None if the control is over other units.
        minutes_needed: core-minutes of the runs and probes of the additional seeds, of what is
            undecided: the claim by itself, its control, or both.
        power: the probability that the claim holds with these runs if the source's value is true.
        p_value: the p value of a verdict, corrected for looks.
        words: what would decide an undecided claim, or why no number of units does.
    """

    units_needed: int | None = None
    minutes_needed: float | None = None
    power: float | None = None
    p_value: float | None = None
    words: str = ""


UNKNOWN = Outlook()


def outlook(examined: Examined, tables: Tables, looks: Looks) -> Outlook:
    """The numbers beside the verdict on a claim that was measured."""
    claim, own = examined.claim, examined.own.measurement
    chance = power(claim, own)
    verdict = examined.judgement.verdict
    if verdict != UNDECIDED:
        return Outlook(power=chance, p_value=p_value(own, verdict))
    lacking, words = units_needed(examined, looks)
    if lacking is None:
        return Outlook(power=chance, words=words)
    needed, found = lacking
    count, over = found.estimate.count, found.estimate.over
    undecided = [
        part.measurement.part
        for part in (examined.own, examined.control)
        if part and part.judgement.verdict == UNDECIDED
    ]
    seconds = seconds_per_seed(undecided, tables) if over == "seeds" else None
    minutes = None if seconds is None else (needed - count) * seconds / 60
    cost = "" if minutes is None else f" ({minutes_text(minutes)} more)"
    of_part = "" if found is own else " of the control"
    text = f"about {needed} {over}{of_part} in place of {count} would decide it if values stay"
    if over == "seeds" and claim.id in looks.claims and needed > looks.seeds[-1]:
        text += f", which are more than the {looks.seeds[-1]} that may run"
    # The units of the columns are those of the claim itself.
    words = f"{text}{cost}"
    if over != own.estimate.over:
        return Outlook(power=chance, words=words)
    return Outlook(needed, minutes, chance, words=words)


def minutes_text(minutes: float) -> str:
    """Core-minutes in words, such as 0.25 core-minutes or 312 core-minutes."""
    return f"{minutes:.0f} core-minutes" if minutes >= 10 else f"{minutes:.2g} core-minutes"


def power(claim: Claim, own: Measurement) -> float | None:
    """The probability that a claim holds with these runs if the source's value is true.

    The control is taken to hold. None if the source has no number, or if the interval is open.
    """
    if claim.paper_number is None or own.precision is None:
        return None
    if own.estimate.count < claim.min_seeds:
        return 0.0
    return prospects.power(own.precision, claim.paper_number, own.bar, own.level)


def units_needed(examined: Examined, looks: Looks) -> tuple[tuple[int, Measurement] | None, str]:
    """The number of units that decides an undecided claim if values stay, and its part.

    The part is the claim's own measurement or that of its control, the one that lacks more units.
    The second result says why no number of units is known, or is empty.
    """
    claim = examined.claim
    of_looks = looks if claim.id in looks.claims else ONCE
    of_parts = [(*_needed(examined.own, claim.min_seeds, of_looks), examined.own.measurement)]
    if examined.control and examined.control.judgement.verdict != HOLDS:
        number, words = _needed(examined.control, claim.min_seeds, of_looks)
        found = examined.control.measurement
        if number is not None and _value_fails(found):
            number, words = None, "its value fails"
        of_parts.append((number, f"of the control, {words}" if words else "", found))
    for number, words, _ in of_parts:
        if number is None:
            return None, words
    number, _, found = max(of_parts, key=lambda part: part[0] - part[2].estimate.count)
    return (number, found), ""


def _value_fails(found: Measurement) -> bool:
    """Whether the value itself does not meet the bar."""
    low, high = found.bar
    return not low <= found.estimate.value <= high


def _needed(judged: Judged, min_seeds: int, looks: Looks) -> tuple[int | None, str]:
    """The number of units that decides a claim or a control alone, or why none is known.

    The present number if it is decided. A number of seeds that looks test is one of theirs, since
    the level of the interval is that of the last one reached; or more than all of them.
    """
    found = judged.measurement
    estimate, bar = found.estimate, found.part.bar
    if judged.judgement.verdict != UNDECIDED:
        return estimate.count, ""
    if estimate.count >= FEWEST and verdict_of(estimate, bar) != UNDECIDED:
        return min_seeds, ""  # which are more than there are
    noun = estimate.over
    if found.precision is None:
        if estimate.count < min_seeds:
            return None, ""  # the judgement says how many are asked for
        if estimate.count < FEWEST:
            return None, f"an interval needs {FEWEST} {noun}"
        return None, f"both ends are open, which more {noun} alone may not change"
    tested = looks.seeds if noun == "seeds" and looks is not ONCE else ()
    for later in (n for n in tested if n > estimate.count):
        enough = prospects.units_needed(found.precision, found.bar, looks.level_for(later))
        if enough is not None and max(enough, min_seeds) <= later:
            return later, ""
    level = looks.levels[-1] if noun == "seeds" else LEVEL
    number = prospects.units_needed(found.precision, found.bar, level)
    if number is not None:
        return max(number, min_seeds, *(n + 1 for n in tested[-1:])), ""
    return None, _why_none(found, noun)


def _why_none(found: Measurement, noun: str) -> str:
    """Why no number of units, or none within reason, decides a claim or a control."""
    match prospects.obstacle(found.precision, found.bar):
        case prospects.OPEN_END:
            return f"the end that could decide it is open, which more {noun} alone may not change"
        case prospects.FIXED:
            return f"the part of the interval that more {noun} do not narrow is on both sides"
        case prospects.ON_BAR:
            return f"the value lies on the bar, so that no number of {noun} decides it"
    return f"more than {prospects.MOST_UNITS:,} {noun} would be needed"


def p_value(own: Measurement, verdict: str) -> float | None:
    """The p value of a verdict: the least error of the interval at which the verdict stays.

    It is found to 5 % of itself, and at least `LEAST_ERROR`. At a look whose level spends a part of
    the error only, the p value is larger in proportion, so that a verdict always has a p value of
    at most 0.05. A measure that is a p value itself has no interval: its value counts if the claim
    holds, and there is none otherwise.
    """
    if measures()[own.part.measure].unit == P_VALUE:
        return own.estimate.value if verdict == HOLDS else None

    def stays(error: float) -> bool:
        return verdict_of(own.at(1 - error), own.part.bar) == verdict

    return least_error(stays, 1 - own.level) * (1 - LEVEL) / (1 - own.level)


def least_error(stays: Callable[[float], bool], error: float) -> float:
    """The least error, up to `PRECISION`, at which a verdict stays that has the given error."""
    if stays(LEAST_ERROR):
        return LEAST_ERROR
    least, most = LEAST_ERROR, error
    while most > PRECISION * least:
        middle = math.sqrt(least * most)
        least, most = (least, middle) if stays(middle) else (middle, most)
    return most


def seconds_per_seed(parts: Sequence[Control], tables: Tables) -> float | None:
    """Core-seconds of the runs that claims or controls read, and of their probes, per seed.

    None if the tables do not say.
    """
    runs = tables.get("runs")
    if runs is None or "seconds" not in runs or not all(map(_reads_runs, parts)):
        return None
    keys = _keys(parts, tables)
    rows = runs[runs["key"].isin(keys)].drop_duplicates("key")
    seconds = float(rows["seconds"].sum())
    probes = tables.get("probes")
    if probes is not None and "seconds" in probes:
        seconds += float(probes.loc[probes["key"].isin(keys), "seconds"].sum())
    seeds = rows["seed"].nunique()
    return seconds / seeds if seeds and math.isfinite(seconds) else None


def _reads_runs(part: Control) -> bool:
    return measures()[part.measure].table == "runs"


def _keys(parts: Iterable[Control], tables: Tables) -> set[str]:
    """The keys of the runs that claims or controls read."""
    return {key for part in parts for key in selected_rows(part, tables)["key"]}
