"""Numbers of verdicts by the kind of claims: those of the paper, and others apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from hypertransfer.analysis.intervals import LEVEL
from hypertransfer.runs.scorecard import FAILS, HOLDS, PAPER, UNDECIDED, VERDICTS

if TYPE_CHECKING:
    import pandas as pd

WORDS: Mapping[str, str] = {HOLDS: "hold", FAILS: "fail", UNDECIDED: "undecided"}


def counts(claims: pd.DataFrame, kinds: Collection[str]) -> dict[str, int]:
    """The number of claims of some kinds with each verdict, by the verdict.

    `claims` is a table of claims, with a row for each claim.
    """
    verdicts = claims["verdict"][claims["kind"].isin(kinds)]
    return {verdict: int((verdicts == verdict).sum()) for verdict in VERDICTS}


def decided(claims: pd.DataFrame) -> tuple[int, int, int]:
    """How many claims of the paper there are, are decided, and are decided after Holm.

    A claim is decided after Holm if its corrected p value is at most the error of an interval.
    """
    of_paper = claims[claims["kind"] == PAPER].to_dict("records")
    verdicts = sum(claim["verdict"] != UNDECIDED for claim in of_paper)
    return len(of_paper), verdicts, sum(map(is_decided_after_holm, of_paper))


def is_decided_after_holm(claim: Mapping[str, Any]) -> bool:
    """Whether a row of the table of claims is decided after Holm, as in `decided`."""
    error = 1 - LEVEL + 1e-9  # rounding
    return claim["verdict"] != UNDECIDED and claim["p_holm"] <= error


def decided_in_words(claims: pd.DataFrame) -> str:
    """The sentence on `decided`; empty if the paper has no claims."""
    total, verdicts, after_holm = decided(claims)
    if not total:
        return ""
    return (
        f"{verdicts} of the paper's {total} claims {'is' if verdicts == 1 else 'are'} decided, "
        f"{after_holm} after Holm's correction for their number."
    )


def in_words(numbers: Mapping[str, int]) -> str:
    """Counts as text, such as `3 hold, 1 fail, 0 undecided`; `none` if all are 0."""
    if not any(numbers.values()):
        return "none"
    return ", ".join(f"{count} {WORDS[verdict]}" for verdict, count in numbers.items())
