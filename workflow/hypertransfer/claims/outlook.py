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
        units_needed: the number of units that decides an undecided claim if values stay; that of
            its control if this lacks more. None if the control's units are others.
        minutes_needed: core-minutes of the additional units' runs and probes.
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
    lacking = _lacking(examined, looks)
    for need in lacking:
        if need.number is None:
            return Outlook(power=chance, words=need.words)
    most = max(lacking, key=lambda need: need.more)
    minutes = _minutes(most, lacking, tables)
    return Outlook(
        # The columns of a scorecard have the units of the claim itself.
        units_needed=most.number if most.over == own.estimate.over else None,
        minutes_needed=minutes,
        power=chance,
        words=_needed_words(most, lacking, minutes, looks),
    )


@dataclass(frozen=True)
class _Need:
    """The units that a claim or a control lacks.

    Attributes:
        part: the claim by itself, or its control, which is undecided or fails.
        of_control: whether the part is the control.
        number: the number of units that decides the part if values stay; None if there is none.
        is_looked_at: whether the part is tested at the looks of the study.
        words: why there is no number; may be empty.
    """

    part: Judged
    of_control: bool
    number: int | None
    is_looked_at: bool
    words: str = ""

    @property
    def count(self) -> int:
        """The present number of units."""
        return self.part.measurement.estimate.count

    @property
    def over(self) -> str:
        """The plural noun for the units."""
        return self.part.measurement.estimate.over

    @property
    def more(self) -> int:
        """The number of units that are missing."""
        return (self.number or 0) - self.count


def _minutes(most: _Need, lacking: Iterable[_Need], tables: Tables) -> float | None:
    """The core-minutes of the seeds that are missing; None if the tables do not say."""
    if most.over != "seeds":
        return None
    parts = [need.part.measurement.part for need in lacking if need.over == "seeds"]
    seconds = seconds_per_seed(parts, tables)
    return None if seconds is None else most.more * seconds / 60


def _needed_words(
    most: _Need, lacking: Sequence[_Need], minutes: float | None, looks: Looks
) -> str:
    """What decides a claim, such as `about 10 seeds in place of 4 would decide it …`."""
    alike = len({(need.count, need.over) for need in lacking}) == 1
    of_control = most.of_control and (len(lacking) == 1 or not alike)
    text = f"about {most.number} {most.over}{' of its control' if of_control else ''}"
    text += f" in place of {most.count}"
    if most.is_looked_at and most.number > looks.seeds[-1]:
        text += f", beyond the {looks.seeds[-1]} of the study's looks,"
    cost = "" if minutes is None else f" ({minutes_text(minutes)} more)"
    return f"{text} would decide it if values stay{cost}"


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


def _lacking(examined: Examined, looks: Looks) -> list[_Need]:
    """What an undecided claim lacks: units of its own, or of its control, or both."""
    parts = [(examined.own, False)] if examined.own.judgement.verdict == UNDECIDED else []
    if examined.control and examined.control.judgement.verdict != HOLDS:
        parts.append((examined.control, True))
    return [_need(examined.claim, part, of_control, looks) for part, of_control in parts]


def _need(claim: Claim, part: Judged, of_control: bool, looks: Looks) -> _Need:
    found = part.measurement
    looked_at = claim.id in looks.claims and found.estimate.over == "seeds"
    number, words = _needed(part, claim.min_seeds, looks if looked_at else ONCE)
    if of_control:
        if number is not None and _value_fails(found):
            number, words = None, "its value fails"
        words = f"of the control, {words}" if words else ""
    return _Need(part, of_control, number, looked_at, words)


def _value_fails(found: Measurement) -> bool:
    """Whether the value itself does not meet the bar."""
    low, high = found.bar
    return not low <= found.estimate.value <= high


def _needed(judged: Judged, min_seeds: int, looks: Looks) -> tuple[int | None, str]:
    """The number of units that decides a claim or a control alone if values stay.

    It is one of the later numbers of `looks`, or larger than the last one. The second result says
    why no number is known, or is empty.
    """
    found = judged.measurement
    estimate, bar = found.estimate, found.part.bar
    later = [number for number in looks.seeds if number > estimate.count and number >= min_seeds]
    if estimate.count >= FEWEST and verdict_of(estimate, bar) != UNDECIDED:
        return (later[0] if later else min_seeds), ""  # which are more than there are
    noun = estimate.over
    if found.precision is None:
        if estimate.count < min_seeds:
            return None, ""  # the judgement says how many are asked for
        if estimate.count < FEWEST:
            return None, f"an interval needs {FEWEST} {noun}"
        return None, f"both ends are open, which more {noun} alone may not change"
    for number in later:
        if prospects.decides(found.precision, found.bar, number, looks.level_for(number)):
            return number, ""
    beyond = prospects.units_needed(found.precision, found.bar, looks.levels[-1])
    return (None, _why_none(found, noun)) if beyond is None else (max(beyond, min_seeds), "")


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
