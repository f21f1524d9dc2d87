"""Bars as text, and numbers on their side of a bar."""

from __future__ import annotations

import pytest

from hypertransfer.claims import bars


@pytest.mark.parametrize(
    ("bar", "unit", "text"),
    [
        ({"max": 1}, "octaves", "≤ 1 octave"),
        ({"min": 2}, "octaves", "≥ 2 octaves"),
        ({"max": -1}, "octaves", "≤ -1 octaves"),
        ({"min": 0.5, "max": 2}, "", "0.5 to 2"),
        ({"min": -0.65, "max": -0.35}, "octaves", "-0.65 to -0.35 octaves"),
        ({"max": 1e-5}, "", "≤ 1e-05"),
        ({"min": 80}, "% of tasks", "≥ 80 % of tasks"),
        ({"max": 0.12345678}, "loss", "≤ 0.12345678 loss"),
        ({"max": 0.05}, "p", "p ≤ 0.05"),
    ],
)
def test_bars_are_words_and_back(bar, unit, text):
    assert bars.bar_text(bar, unit) == text
    assert bars.parse_bar(text) == bar


def test_the_unit_of_a_p_value_may_stand_behind():
    assert bars.parse_bar("≤ 0.05 p") == {"max": 0.05}


@pytest.mark.parametrize("text", ["", "octaves", "< 1", "≤ one", "≤ 1.5x", "1 to"])
def test_other_texts_are_no_bars(text):
    assert not bars.parse_bar(text)


def test_a_number_without_a_fitting_text_is_printed_in_full():
    assert bars.text_on_side(0.1 + 0.2, {"min": 0.1}, ["0.0"]) == "0.30000000000000004"
