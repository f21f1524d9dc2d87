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

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hypertransfer.analysis.estimate import Estimate, undetermined
from hypertransfer.analysis.lazy import pandas as pd
from hypertransfer.analysis.looks import ONCE, Looks
from hypertransfer.analysis.multiplicity import holm
from hypertransfer.analysis.tables import Tables
from hypertransfer.claims.bars import bar_text
from hypertransfer.claims.claim import Claim
from hypertransfer.claims.families import measures
from hypertransfer.claims.judging import examine
from hypertransfer.claims.measure import ClaimError
from hypertransfer.claims.measuring import unit_of
from hypertransfer.claims.outlook import UNKNOWN, Outlook, outlook
from hypertransfer.claims.reach import form
from hypertransfer.claims.validation import validate
from hypertransfer.runs.scorecard import COLUMNS, NUMBERS, PAPER, UNDECIDED

MEASURED = ("value", "low", "high", "observed", "over")  # of an estimate, in a scorecard


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim, with its reason and cause as in `judging.Judgement`.

    Attributes:
        claim, estimate, unit: the claim, and its value with the interval.
        verdict, reason, cause: see `judging.Judgement`.
        outlook: what would decide the claim, and how sure the verdict is.
    """

    claim: Claim
    estimate: Estimate
    unit: str
    verdict: str
    reason: str
    cause: str = ""
    outlook: Outlook = UNKNOWN

    def row(self) -> dict[str, Any]:
        """The columns of a scorecard that depend on the claim and its runs."""
        texts = ("sentence", "kind", "source", "paper_value", "confidence", "bar_from")
        numbers = ("units_needed", "minutes_needed", "power", "p_value")
        return {
            "claim": self.claim.id,
            **{name: getattr(self.claim, name) for name in texts},
            **{name: getattr(self.estimate, name) for name in MEASURED},
            "units": self.estimate.count,
            **{name: getattr(self.outlook, name) for name in numbers},
            "bar": bar_text(self.claim.bar, self.unit),
            "bar_min": self.claim.bar.get("min"),
            "bar_max": self.claim.bar.get("max"),
            "test": form(measures()[self.claim.measure].values, self.claim.bar),
            "verdict": self.verdict,
            "reason": self.reason,
            "cause": self.cause,
            "unit": self.unit,
        }


def check(written: Mapping[str, Any], tables: Tables, looks: Looks = ONCE) -> Verdict:
    """Measure a claim, as written in a config, on the tables of a study, and judge the value.

    `looks` has the numbers of seeds at which claims are tested, which decide the level of the
    interval.

    Raises:
        ClaimError: the claim is malformed, selects nothing, or names a column, table or arm that
            the study does not have.
    """
    if problems := validate([written]):
        raise ClaimError("\n".join(problems))
    return _checked(Claim.parse(written), tables, looks)


def _checked(claim: Claim, tables: Tables, looks: Looks, searched: Collection[str] = ()) -> Verdict:
    """The verdict on a claim that is well formed; errors are those of `check`."""
    examined = examine(claim, tables, looks, searched)
    found, ahead = examined.own.measurement, outlook(examined, tables, looks)
    verdict, reason, cause = examined.judgement
    reason = "; ".join(filter(None, (reason, ahead.words)))
    return Verdict(claim, found.estimate, found.unit, verdict, reason, cause, ahead)


def scorecard(
    claims: Iterable[Mapping[str, Any]], tables: Tables, *, study: str, scale: str, edition: str,
    registered: Mapping[str, str], looks: Looks | None = None, searched: Collection[str] = (),
) -> pd.DataFrame:  # fmt: skip
    """A table with a row for each claim and the columns `runs.scorecard.COLUMNS`.

    A claim that cannot be measured is undecided for that reason, and the others have verdicts.
    `registered` says for each claim, by id, when it was registered. `looks` is as in `check`.
    `searched` names the grids of which each seed is an independent search.

    Raises:
        ClaimError: claims are malformed; the message has one line for each problem.
    """
    claims, rows = list(claims), []
    if problems := validate(claims):
        raise ClaimError("\n".join(problems))
    for claim in map(Claim.parse, claims):
        try:
            verdict = _checked(claim, tables, looks or ONCE, searched)
        except (ArithmeticError, LookupError, ValueError) as error:  # ClaimError is a ValueError
            about = fault_text(claim, error)
            nothing, text = undetermined(0, about), f"it cannot be measured: {about}"
            verdict = Verdict(claim, nothing, unit_of(claim), UNDECIDED, text)
        facts = {"registered": registered[claim.id], "scale": scale, "edition": edition}
        rows.append({"study": study, **verdict.row(), **facts})
    _correct_for_number(rows)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({name: float if name in NUMBERS else "str" for name in COLUMNS})


def fault_text(claim: Claim, error: Exception) -> str:
    """Why a claim cannot be measured."""
    if isinstance(error, ClaimError):
        return str(error)
    return f"{type(error).__name__} in {claim.measure}: {error}"


def _correct_for_number(rows: Iterable[dict[str, Any]]) -> None:
    """Add Holm's p values to the paper's claims that have a p value; the others count with 1."""
    of_paper = [row for row in rows if row["kind"] == PAPER]
    p_values = [1.0 if row["p_value"] is None else row["p_value"] for row in of_paper]
    for row, corrected in zip(of_paper, holm(p_values), strict=True):
        if row["p_value"] is not None:
            row["p_holm"] = corrected
