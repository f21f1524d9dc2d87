"""Verdicts on claims: measure a claim on the tables of a study, and compare the value with a bar.

    - id: mup-width
      sentence: Under µP the best learning rate does not move with width.
      kind: paper
      source: Noci et al., Fig. 1
      paper_value: 1 grid step in 16×
      confidence: high
      bar_from: ours, a step of the grid
      measure: optimum_shift
      where: {grid: width, parameterisation: mup}
      bar: {max: 1}
      control: {measure: optimum_shift, where: {grid: width, parameterisation: sp}, bar: {min: 2}}

A claim holds when the whole interval meets the bar, and fails when the whole interval violates it.
Otherwise it is undecided, and also with too few seeds, or a control that does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from hypertransfer.analysis.estimate import AnalysisError, Estimate, undetermined
from hypertransfer.analysis.intervals import LEVEL
from hypertransfer.analysis.lazy import pandas as pd
from hypertransfer.analysis.sweeps import NoCommonSeedError
from hypertransfer.analysis.tables import Tables, need
from hypertransfer.claims.bars import bar_text, ends_violated, longer_texts, meets, text_on_side
from hypertransfer.claims.claim import Claim, Control
from hypertransfer.claims.families import measures
from hypertransfer.claims.measure import ClaimError
from hypertransfer.claims.reach import form
from hypertransfer.claims.validation import validate
from hypertransfer.runs import conditions
from hypertransfer.runs.scorecard import COLUMNS, FAILS, HOLDS, NUMBERS, UNDECIDED

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
class Verdict:
    """The verdict on a claim, with its reason and cause as in `Judgement`; estimate and unit."""

    claim: Claim
    estimate: Estimate
    unit: str
    verdict: str
    reason: str
    cause: str = ""

    def row(self) -> dict[str, Any]:
        """The columns of a scorecard that depend on the claim and its runs."""
        texts = ("sentence", "kind", "source", "paper_value", "confidence", "bar_from")
        return {
            "claim": self.claim.id,
            **{name: getattr(self.claim, name) for name in texts},
            **{name: getattr(self.estimate, name) for name in ("value", "low", "high", "over")},
            "bar": bar_text(self.claim.bar, self.unit),
            "bar_min": self.claim.bar.get("min"),
            "bar_max": self.claim.bar.get("max"),
            "test": form(measures()[self.claim.measure].values, self.claim.bar),
            "verdict": self.verdict,
            "reason": self.reason,
            "cause": self.cause,
            "unit": self.unit,
        }


def check(written: Mapping[str, Any], tables: Tables, level: float = LEVEL) -> Verdict:
    """Measure a claim, as written in a config, on the tables of a study, and judge the value.

    `level` is the probability with which intervals should cover.

    Raises:
        ClaimError: the claim is malformed, selects nothing, or names a column, table or arm that
            the study does not have.
    """
    if problems := validate([written]):
        raise ClaimError("\n".join(problems))
    return _checked(Claim.parse(written), tables, level)


def _checked(claim: Claim, tables: Tables, level: float) -> Verdict:
    """The verdict on a claim that is well formed; errors are those of `check`."""
    name = f"claim {claim.id!r}"
    estimate = _measure(claim, tables, level, name)
    unit = _unit(claim)
    judged = _judge(claim.bar, estimate, unit, claim.min_seeds)
    if claim.control and estimate.count >= claim.min_seeds:
        fault = _control_fault(claim.control, claim.min_seeds, tables, level, name)
        if fault:
            judged = Judgement(UNDECIDED, f"{fault}; by itself: {judged.reason}", UNMET)
    return Verdict(claim, estimate, unit, *judged)


def scorecard(
    claims: Iterable[Mapping[str, Any]], tables: Tables, *, study: str, scale: str, edition: str,
    registered: Mapping[str, str], level: float = LEVEL,
) -> pd.DataFrame:  # fmt: skip
    """A table with a row for each claim and the columns `runs.scorecard.COLUMNS`.

    A claim that cannot be measured is undecided for that reason, and the others have verdicts.
    `registered` says for each claim, by id, when it was registered.

    Raises:
        ClaimError: claims are malformed; the message has one line for each problem.
    """
    claims, rows = list(claims), []
    if problems := validate(claims):
        raise ClaimError("\n".join(problems))
    for claim in map(Claim.parse, claims):
        try:
            verdict = _checked(claim, tables, level)
        except (ArithmeticError, LookupError, ValueError) as error:  # ClaimError is a ValueError
            expected = isinstance(error, ClaimError)
            about = (
                str(error) if expected else f"{type(error).__name__} in {claim.measure}: {error}"
            )
            nothing, text = undetermined(0, about), f"it cannot be measured: {about}"
            verdict = Verdict(claim, nothing, _unit(claim), UNDECIDED, text)
        facts = {"registered": registered[claim.id], "scale": scale, "edition": edition}
        rows.append({"study": study, **verdict.row(), **facts})
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({name: float if name in NUMBERS else "str" for name in COLUMNS})


def _unit(part: Control) -> str:
    return measures()[part.measure].unit if part.unit is None else part.unit


def _measure(part: Control, tables: Tables, level: float, name: str) -> Estimate:
    """Select the runs of a claim or control and measure them; errors name the claim."""
    try:
        measure = measures()[part.measure]
        if measure.table not in tables:
            given = ", ".join(tables) or "none"
            raise ClaimError(f"the table {measure.table!r} is needed; given: {given}")
        rows = _select(tables[measure.table], part.where, measure.table)
        selected = {**tables, measure.table: rows}
        return measure.function(selected, level, **part.options)
    except NoCommonSeedError as error:  # some runs were left out of the grid: the rest has verdicts
        return undetermined(0, str(error))
    except (ClaimError, AnalysisError) as error:
        raise ClaimError(f"{name}: {error}") from error


def _select(runs: pd.DataFrame, where: Mapping[str, Any], table: str) -> pd.DataFrame:
    """The rows that a condition selects.

    Raises:
        ClaimError: no row is selected, or values cannot be compared; the message names the column.
    """
    need(table, runs, where)
    if runs.empty:
        raise ClaimError(f"the table {table!r} is empty: nothing was trained or collected")
    for column, wanted in where.items():
        known = runs[column].tolist()
        try:
            kept = [conditions.matches({column: wanted}, {column: value}) for value in known]
        except TypeError as error:
            raise ClaimError(f"where.{column}: {wanted!r} cannot be compared: {error}") from error
        if not any(kept):
            rows = "run" if table == "runs" else "row"
            there = ", ".join(sorted({str(value) for value in known}))
            raise ClaimError(
                f"where.{column}: no {rows} has {wanted!r}; where earlier conditions hold, there "
                f"is {there}: change the claim or the grid"
            )
        runs = runs[kept]
    return runs


def _control_fault(
    control: Control, min_seeds: int, tables: Tables, level: float, name: str
) -> str:
    """The reason why a control does not meet its bar; empty if the control meets its bar."""
    estimate = _measure(control, tables, level, f"{name} (control)")
    unit = _unit(control)
    judged = _judge(control.bar, estimate, unit, min_seeds)
    if judged.verdict == HOLDS:
        return ""
    bar = bar_text(control.bar, unit)
    return (
        "the control does not hold, so these runs have no power "
        f"({bar} {judged.verdict}: {judged.reason})"
    )


def _judge(bar: Mapping[str, float], estimate: Estimate, unit: str, min_seeds: int) -> Judgement:
    """The verdict on an interval, without a look at a control."""
    if estimate.count < min_seeds:
        noun = estimate.over[:-1] if estimate.count == 1 else estimate.over
        cause = f"too few {estimate.over}"
        if not estimate.left_out and estimate.count:
            reason = f"{estimate.count} {noun} ran, and {min_seeds} are asked for"
            return Judgement(UNDECIDED, reason, cause)
        text = f"{estimate.count} {noun} can be used, and {min_seeds} are asked for"
        return Judgement(UNDECIDED, f"{text}; {estimate.caveat}", cause)
    text, words = _interval(estimate, bar), bar_text(bar, unit)
    caveat = f"; {estimate.caveat}" if estimate.caveat else ""
    if meets(estimate.low, bar) and meets(estimate.high, bar):
        return Judgement(HOLDS, f"{text}, all of it meets the bar {words}{caveat}")
    if ends_violated(estimate.high, bar)[0] or ends_violated(estimate.low, bar)[1]:
        return Judgement(FAILS, f"{text}, all of it violates the bar {words}{caveat}")
    return Judgement(UNDECIDED, f"{text}, on both sides of the bar {words}{caveat}")


def _interval(estimate: Estimate, bar: Mapping[str, float]) -> str:
    one, many = estimate.over[:-1], estimate.over
    seeds = f"over {estimate.count} {many}" if estimate.count > 1 else f"from one {one}"
    if math.isnan(estimate.value) or (estimate.low, estimate.high) == (-math.inf, math.inf):
        return "the value is open"
    low, high = (
        text_on_side(end, bar, longer_texts(end, 3)) for end in (estimate.low, estimate.high)
    )
    if estimate.lower_bound_only:
        return f"at least {low} {seeds}"
    if estimate.upper_bound_only:
        return f"at most {high} {seeds}"
    if estimate.low == math.inf:
        return f"infinite {seeds}"
    return f"{low} {seeds}" if low == high else f"{low} to {high} {seeds}"
