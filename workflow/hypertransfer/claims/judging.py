"""Judgements on measurements: an interval is compared with a bar, and a control with its own.

A claim holds when the whole interval meets the bar, and fails when the whole interval violates it.
Otherwise it is undecided, and also with too few seeds, or a control that does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hypertransfer.analysis.estimate import Estimate, singular
from hypertransfer.analysis.intervals import LEVEL
from hypertransfer.analysis.looks import Looks
from hypertransfer.analysis.tables import Tables
from hypertransfer.claims.bars import (
    bar_text,
    ends_violated,
    far_text,
    longer_texts,
    meets,
    text_on_side,
)
from hypertransfer.claims.claim import Claim
from hypertransfer.claims.measuring import Measurement, measured
from hypertransfer.runs.scorecard import FAILS, HOLDS, UNDECIDED

UNMET = "control not met"


class Judgement(NamedTuple):
    """A verdict with its reason.

    Attributes:
        verdict: `holds`, `fails` or `undecided`.
        reason: the reason for the verdict, with its numbers.
        cause: why a claim is undecided, if the cause is its control or too few seeds; else empty.
    """

    verdict: str
    reason: str
    cause: str = ""


@dataclass(frozen=True)
class Judged:
    """A measurement, and the judgement on it alone."""

    measurement: Measurement
    judgement: Judgement


@dataclass(frozen=True)
class Examined:
    """A claim with the judgements on itself and on its control.

    Attributes:
        claim: the claim.
        own: the measurement of the claim, and the judgement without a look at the control.
        control: those of the control; None without a control, or if too few seeds ran.
    """

    claim: Claim
    own: Judged
    control: Judged | None = None

    @property
    def judgement(self) -> Judgement:
        """The judgement on the claim: undecided if the control does not hold."""
        if not self.control or self.control.judgement.verdict == HOLDS:
            return self.own.judgement
        part, (verdict, reason, _) = self.control.measurement, self.control.judgement
        fault = (
            "the control does not hold, so these runs have no power "
            f"({bar_text(part.part.bar, part.unit)} {verdict}: {reason})"
        )
        return Judgement(UNDECIDED, f"{fault}; by itself: {self.own.judgement.reason}", UNMET)


def examine(claim: Claim, tables: Tables, looks: Looks, searched: Collection[str] = ()) -> Examined:
    """Measure a claim and its control on the tables of a study, and judge both.

    `searched` is as in `measured`.

    Raises:
        ClaimError: the claim cannot be measured; the message names the claim.
    """
    own = _judged(measured(claim, tables, claim, looks, searched), claim.min_seeds)
    if not claim.control or own.measurement.estimate.count < claim.min_seeds:
        return Examined(claim, own)
    control = measured(claim.control, tables, claim, looks, searched)
    return Examined(claim, own, _judged(control, claim.min_seeds))


def _judged(found: Measurement, min_seeds: int) -> Judged:
    judgement = judge(found.part.bar, found.estimate, found.unit, min_seeds, found.level)
    return Judged(found, judgement)


def judge(
    bar: Mapping[str, float], estimate: Estimate, unit: str, min_seeds: int, level: float = LEVEL
) -> Judgement:
    """The judgement on an interval of a level, without a look at a control."""
    if estimate.count < min_seeds:
        noun = singular(estimate.over) if estimate.count == 1 else estimate.over
        cause = f"too few {estimate.over}"
        if not estimate.left_out and estimate.count:
            reason = f"{estimate.count} {noun} ran, and {min_seeds} are asked for"
            return Judgement(UNDECIDED, reason, cause)
        text = f"{estimate.count} {noun} can be used, and {min_seeds} are asked for"
        return Judgement(UNDECIDED, f"{text}; {estimate.caveat}", cause)
    text, words = _interval(estimate, bar, unit, level), bar_text(bar, unit)
    caveat = f"; {estimate.caveat}" if estimate.caveat else ""
    verdict = verdict_of(estimate, bar)
    if verdict == HOLDS:
        return Judgement(HOLDS, f"{text}, all of it meets the bar {words}{caveat}")
    if verdict == FAILS:
        return Judgement(FAILS, f"{text}, all of it violates the bar {words}{caveat}")
    return Judgement(UNDECIDED, f"{text}, on both sides of the bar {words}{caveat}")


def verdict_of(estimate: Estimate, bar: Mapping[str, float]) -> str:
    """The verdict of an interval alone, whatever the number of seeds is."""
    if meets(estimate.low, bar) and meets(estimate.high, bar):
        return HOLDS
    if ends_violated(estimate.high, bar)[0] or ends_violated(estimate.low, bar)[1]:
        return FAILS
    return UNDECIDED


def _interval(estimate: Estimate, bar: Mapping[str, float], unit: str, level: float) -> str:
    """An interval in words, with its level where that is not the usual one."""
    one, many = singular(estimate.over), estimate.over
    units = f"over {estimate.count} {many}" if estimate.count > 1 else f"from one {one}"
    if math.isnan(estimate.value) or (estimate.low, estimate.high) == (-math.inf, math.inf):
        return "the value is open"
    if level != LEVEL:
        units += f" ({100 * level:.4g} % interval)"
    low, high = (
        text_on_side(end, bar, longer_texts(end, 3)) for end in (estimate.low, estimate.high)
    )
    if estimate.lower_bound_only:
        return f"at least {low} {units}"
    if estimate.upper_bound_only:
        return f"at most {high} {units}"
    low = far_text(estimate.low, estimate.value, unit, bar) or low
    high = far_text(estimate.high, estimate.value, unit, bar) or high
    if estimate.low == math.inf:
        return f"infinite {units}"
    return f"{low} {units}" if low == high else f"{low} to {high} {units}"
