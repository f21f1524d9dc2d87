"""Scorecard and speed pages from tables."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from hypertransfer.report import results_pages


@pytest.fixture
def claims() -> pd.DataFrame:
    rows = [
        ("µP | stays.", "≤ 1 octave", 0.284, 0.13, math.inf, "undecided", "octaves"),
        ("The loss falls.", "≥ 0 loss", 0.0061, 0.004, 0.007, "holds", "loss"),
        ("The error is small.", "≤ 1e-05", 3e-7, 2e-7, 3e-7, "fails", ""),
    ]
    names = ["sentence", "bar", "value", "low", "high", "verdict", "unit"]
    return pd.DataFrame(rows, columns=names).assign(scale="desk", edition="2")


def test_a_scorecard_counts_and_lists_every_claim(claims):
    text = results_pages.scorecard_page("mine", "Mine", claims, {"commits": "abc"})
    assert "# Scorecard: Mine" in text
    assert "| 3 | 1 | 1 | 1 |" in text
    assert "| commits | abc |" in text
    assert "| µP \\| stays. | ≤ 1 octave | 0.28 (0.13 … open) | undecided |" in text
    assert "| The loss falls. | ≥ 0 loss | 0.006 (0.004 … 0.007) | **holds** |" in text
    assert (
        "| The error is small. | ≤ 1·10<sup>−5</sup> | 3·10<sup>−7</sup> "
        "(2·10<sup>−7</sup> … 3·10<sup>−7</sup>) | **fails** |"
    ) in text


def test_provenance_names_every_commit_and_the_span_of_time(claims):
    same = {"torch": "2.13.0", "python": "3.11.7", "device": "cpu: x"}
    records = [{**same, "git": "b", "finished": "2026-02"}]
    records += [{**same, "git": "a", "finished": "2026-01"}]
    found = results_pages.provenance(claims, pd.DataFrame({"key": ["k", "k", "l"]}), records)
    assert found["commits"] == "a, b"
    assert found["trained"] == "2026-01 to 2026-02"
    assert (found["runs"], found["scale"], found["torch"]) == ("2", "desk", "2.13.0")


def test_a_study_that_trains_nothing_has_no_commits(claims):
    found = results_pages.provenance(claims, pd.DataFrame(), [])
    assert (found["runs"], found["commits"], found["trained"]) == ("0", "unknown", "no runs")


def test_the_speed_page_lists_every_benchmark():
    row = {
        "benchmark": "train",
        "metric": "a step",
        "ours": 0.00345,
        "rival": 0.003,
        "ratio": 1.15,
        "target": math.nan,
        "unit": "s",
        "git": "abc",
        "torch": "2.13.0",
        "device": "cpu: x",
        "finished": "2026-01",
    }
    later = {**row, "ours": 12345.6, "ratio": 3e-7, "git": "abd", "finished": "2026-02"}
    text = results_pages.speed_page(pd.DataFrame([row, later]))
    assert "| a step | 0.00345 | 0.003 | 1.15 |  | s |" in text
    assert "| a step | 12,346 | 0.003 | 3·10<sup>−7</sup> |  | s |" in text
    for fact in ("commits | abc, abd", "devices | cpu: x", "finished | 2026-01 to 2026-02"):
        assert f"| {fact} |" in text
