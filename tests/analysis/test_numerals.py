"""Numbers as text."""

import unicodedata

from hypertransfer.analysis.numerals import minus_signs, percent

MINUS = unicodedata.lookup("MINUS SIGN")


def test_hyphens_before_numbers_are_minus_signs():
    assert minus_signs("-0.5 (-1 to +2)") == f"{MINUS}0.5 ({MINUS}1 to +2)"
    assert minus_signs("-inf (-inf to -inf)") == f"{MINUS}inf ({MINUS}inf to {MINUS}inf)"


def test_hyphens_of_words_stay():
    assert minus_signs("Depth-µP, t-test, GPT-2: -1") == f"Depth-µP, t-test, GPT-2: {MINUS}1"


def test_shares_are_whole_per_cent():
    assert percent(0.875) == "88 %"
    assert percent(1) == "100 %"
