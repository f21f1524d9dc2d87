"""Numbers of verdicts by the kind of claims: those of the paper, and others apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from hypertransfer.runs.scorecard import FAILS, HOLDS, UNDECIDED, VERDICTS

if TYPE_CHECKING:
    import pandas as pd

WORDS: Mapping[str, str] = {HOLDS: "hold", FAILS: "fail", UNDECIDED: "undecided"}


def counts(claims: pd.DataFrame, kinds: Collection[str]) -> dict[str, int]:
    """The number of claims of some kinds with each verdict, by the verdict.

    `claims` is a table of claims, with a row for each claim.
    """
    verdicts = claims["verdict"][claims["kind"].isin(kinds)]
    return {verdict: int((verdicts == verdict).sum()) for verdict in VERDICTS}


def in_words(numbers: Mapping[str, int]) -> str:
    """Counts as text, such as `3 hold, 1 fail, 0 undecided`; `none` if all are 0."""
    if not any(numbers.values()):
        return "none"
    return ", ".join(f"{count} {WORDS[verdict]}" for verdict, count in numbers.items())
