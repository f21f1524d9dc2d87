"""Numbers as text in figures."""

import unicodedata

from hypertransfer.figures.numbers import minus_signs


def test_hyphens_are_minus_signs():
    minus = unicodedata.lookup("MINUS SIGN")
    assert minus_signs("-0.5 (-1 to +2)") == f"{minus}0.5 ({minus}1 to +2)"
