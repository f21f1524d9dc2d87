"""Verdicts on claims: what a paper says, how to measure it here, and whether it holds.

    - id: mup-width
      sentence: Under µP the best learning rate does not move with width.
      source: Noci et al., Fig. 1
      paper_value: 1 grid step in 16×
      confidence: high
      measure: optimum_shift
      where: {grid: width, parameterisation: mup}
      bar: {max: 1}
      control: {measure: optimum_shift, where: {grid: width, parameterisation: sp}, bar: {min: 2}}

A claim holds when the whole interval meets the bar, fails when the whole interval violates it,
and is undecided otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hypertransfer.analysis.estimate import need
from hypertransfer.claims.claim import Claim, Control
from hypertransfer.claims.families import measures
from hypertransfer.claims.measure import ClaimError, Measured, Tables
from hypertransfer.claims.validation import validate
from hypertransfer.runs import conditions

if TYPE_CHECKING:
    import pandas as pd


COLUMNS = (
    "study", "claim", "sentence", "source", "paper_value", "value", "low", "high", "bar",
    "verdict", "confidence", "scale", "edition", "reason", "unit",
)  # fmt: skip
NUMBERS = ("value", "low", "high")
TOLERANCE = 1e-9  # a value meets a bar that it misses by rounding


@dataclass(frozen=True)
class Verdict:
    """What the runs say about a claim: `holds`, `fails` or `undecided`, and why."""

    id: str
    sentence: str
    source: str
    paper_value: str | None
    value: float
    low: float
    high: float
    bar: str
    verdict: str
    reason: str
    confidence: str
    seeds: int
    unit: str


def check(written: Mapping[str, Any], tables: Tables, seed: int = 0) -> Verdict:
    """Measure a claim, as written in a config, on `runs`, `history` and `probes`, and judge it.

    `seed` is that of the generator that resamples.

    Raises:
        ClaimError: the claim is malformed, selects no rows, or names a column that is missing.
    """
    if problems := validate([written]):
        raise ClaimError("\n".join(problems))
    claim = Claim.parse(written)
    name = f"claim {claim.id!r}"
    measured = _measure(claim, tables, seed, name)
    unit = _unit(claim)
    verdict, reason = _judge(claim.bar, measured, unit, claim.min_seeds)
    if claim.control and measured.seeds >= claim.min_seeds:
        fault = _control_fault(claim.control, claim.min_seeds, tables, seed, name)
        if fault:
            verdict, reason = "undecided", f"{fault}; by itself: {reason}"
    return Verdict(
        id=claim.id, sentence=claim.sentence, source=claim.source,
        paper_value=claim.paper_value, value=measured.value, low=measured.low,
        high=measured.high, bar=bar_text(claim.bar, unit), verdict=verdict, reason=reason,
        confidence=claim.confidence, seeds=measured.seeds, unit=unit,
    )  # fmt: skip


def scorecard(
    claims: Iterable[Mapping[str, Any]], tables: Tables, *, study: str, scale: str, edition: str,
    seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """One row a claim, with the columns `COLUMNS`.

    Raises:
        ClaimError: everything that keeps claims from being measured, a line each.
    """
    import pandas as pd

    rows, problems = [], []
    for claim in claims:
        try:
            verdict = asdict(check(claim, tables, seed))
        except ClaimError as error:
            problems.append(str(error))
            continue
        rows.append({"study": study, "claim": verdict["id"], **verdict,
                     "scale": scale, "edition": edition})  # fmt: skip
    if problems:
        raise ClaimError("\n".join(problems))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({name: float if name in NUMBERS else "str" for name in COLUMNS})


def bar_text(bar: Mapping[str, float], unit: str = "") -> str:
    """A bar in words: `≤ 1 octave`, `≥ 2 octaves`, `0.5 to 2 octaves`."""
    if len(bar) == 2:
        text = f"{bar['min']:g} to {bar['max']:g}"
    else:
        text = f"≤ {bar['max']:g}" if "max" in bar else f"≥ {bar['min']:g}"
        unit = unit.replace("octaves", "octave") if 1 in bar.values() else unit
    return f"{text} {unit}".strip()


def _unit(part: Control) -> str:
    return measures()[part.measure].unit if part.unit is None else part.unit


def _measure(part: Control, tables: Tables, seed: int, name: str) -> Measured:
    """Select the runs of a claim or control and measure them; errors name the claim."""
    from hypertransfer.analysis.estimate import AnalysisError

    try:
        measure = measures()[part.measure]
        if measure.table not in tables:
            given = ", ".join(tables) or "none"
            raise ClaimError(f"the table {measure.table!r} is needed; given: {given}")
        rows = _select(tables[measure.table], part.where, measure.table)
        selected = {**tables, measure.table: rows}
        return measure.function(selected, seed, **part.options)
    except (ClaimError, AnalysisError) as error:
        raise ClaimError(f"{name}: {error}") from error


def _select(runs: pd.DataFrame, where: Mapping[str, Any], table: str) -> pd.DataFrame:
    """The rows whose columns are as wanted; an empty selection names the column to blame."""
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
                f"where.{column}: no {rows} has {wanted!r}; with the conditions before it there is "
                f"{there}: change the claim or the grid"
            )
        runs = runs[kept]
    return runs


def _control_fault(control: Control, min_seeds: int, tables: Tables, seed: int, name: str) -> str:
    """Why a control does not show that the claim could have failed; empty if it does."""
    measured = _measure(control, tables, seed, f"{name} (control)")
    unit = _unit(control)
    verdict, reason = _judge(control.bar, measured, unit, min_seeds)
    if verdict == "holds":
        return ""
    bar = bar_text(control.bar, unit)
    return f"the control does not hold, so these runs have no power ({bar} {verdict}: {reason})"


def _judge(
    bar: Mapping[str, float], measured: Measured, unit: str, min_seeds: int
) -> tuple[str, str]:
    """The verdict on an interval, and the reason for a reader."""
    if measured.seeds < min_seeds:
        noun = measured.over[:-1] if measured.seeds == 1 else measured.over
        return "undecided", f"{measured.seeds} {noun} ran, and {min_seeds} are asked for"
    least, most = bar.get("min", -math.inf) - TOLERANCE, bar.get("max", math.inf) + TOLERANCE
    text, words = _interval(measured), bar_text(bar, unit)
    caveat = f"; {measured.caveat}" if measured.caveat else ""
    if least <= measured.low and measured.high <= most:
        return "holds", f"{text}, all of it meets the bar {words}{caveat}"
    if measured.high < least or measured.low > most:
        return "fails", f"{text}, all of it violates the bar {words}{caveat}"
    return "undecided", f"{text}, on both sides of the bar {words}{caveat}"


def _interval(measured: Measured) -> str:
    one, many = measured.over[:-1], measured.over
    seeds = f"over {measured.seeds} {many}" if measured.seeds > 1 else f"from one {one}"
    if math.isnan(measured.value) or (measured.low, measured.high) == (-math.inf, math.inf):
        return "the value is open"
    if measured.lower_bound_only:
        return f"at least {measured.low:.3g} {seeds}"
    if measured.upper_bound_only:
        return f"at most {measured.high:.3g} {seeds}"
    if measured.low == math.inf:
        return f"infinite {seeds}"
    low, high = f"{measured.low:.3g}", f"{measured.high:.3g}"
    return f"{low} {seeds}" if low == high else f"{low} to {high} {seeds}"
