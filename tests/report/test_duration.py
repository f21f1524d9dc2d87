"""Durations as text."""

from __future__ import annotations

import pytest

from hypertransfer.report.duration import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.284, "0.28 s"),
        (9.99, "10 s"),
        (45, "45 s"),
        (600, "10 min"),
        (7200, "2.0 h"),
    ],
)
def test_a_duration_is_told_in_its_largest_suitable_unit(seconds, text):
    assert duration(seconds) == text
