"""Counts of verdicts, and of those that are decided after Holm."""

from __future__ import annotations

import math

import pandas as pd

from hypertransfer.report import counts


def claims(*rows):
    return pd.DataFrame(rows, columns=["kind", "verdict", "p_holm"])


def test_only_the_papers_claims_whose_corrected_p_value_is_small_count_after_holm():
    table = claims(
        ("paper", "holds", 0.01),
        ("paper", "fails", 0.05),
        ("paper", "holds", 0.2),
        ("paper", "undecided", math.nan),
        ("ours", "holds", math.nan),
    )
    assert counts.decided(table) == (4, 3, 2)
    assert counts.decided_in_words(table) == (
        "3 of the paper's 4 claims are decided, 2 after Holm's correction for their number."
    )
    assert counts.decided_in_words(claims(("ours", "holds", math.nan))) == ""
