"""Scorecard pages from tables."""

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
    return pd.DataFrame(rows, columns=names).assign(scale="desk", edition="2", reason="")


def test_a_scorecard_counts_and_lists_every_claim(claims):
    text = results_pages.scorecard_page("mine", "Mine", claims, {"commits": "abc"}, "seeds")
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


def page_of(claims: pd.DataFrame, units: str = "seeds", **changes: str) -> str:
    return results_pages.scorecard_page("mine", "Mine", claims.assign(**changes), {}, units)


def test_a_verdict_that_the_interval_does_not_give_has_its_reason(claims):
    reasons = [
        "the control does not hold, so these runs have no power (≥ 2: 1 to 2)",
        "0.004 to 0.007 over 3 seeds, all of it meets the bar ≥ 0 loss",
        "2 seeds ran, and 3 are asked for",
    ]
    text = page_of(claims, reason=reasons, verdict=["undecided", "holds", "undecided"])
    assert "| 0.28 (0.13 … open) | undecided (control not met) |" in text
    assert "| 0.006 (0.004 … 0.007) | **holds** |" in text
    assert "| undecided (too few seeds) |" in text


def test_the_unit_of_a_p_value_is_before_it(claims):
    text = page_of(claims, bar="≤ 0.05 p", unit="p", value=0.004, low=0.004, high=0.004)
    assert text.count("| p ≤ 0.05 | 0.004 |") == 3


def test_a_scorecard_says_what_its_intervals_are_over(claims):
    seeds, tasks = page_of(claims), page_of(claims, "tasks")
    assert "Intervals are 95 % bootstrap intervals over seeds" in seeds
    assert "Intervals are 95 % bootstrap intervals over tasks" in tasks
    assert ("A task is" in seeds, "A task is" in tasks) == (False, True)
    # Of n = 3, 4, 5 fair coins, not all fall on one side: 6 of 8, 14 of 16, 30 of 32.
    assert "at most 75 % with 3, 88 % with 4, 94 % with 5" in seeds


def test_negative_controls_are_explained_where_there_are_any(claims):
    assert "states a limit of the method" not in page_of(claims)
    assert "states a limit of the method" in page_of(claims, sentence="(negative control) No.")


@pytest.mark.parametrize(
    ("names", "units"),
    [
        (["optimum_shift", "advantage"], "seeds"),
        (["regret_ratio", "region_level", "winner_slope"], "tasks"),
        (["regret_ratio", "advantage"], "seeds or tasks"),
    ],
)
def test_units_are_those_of_the_measures(names, units):
    assert results_pages.units_of({"measure": name} for name in names) == units
