"""Scorecard pages from tables."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from hypertransfer.claims.measuring import OF_MACHINE
from hypertransfer.report import comparisons, results_pages

SUITES = {
    "public": {"source": "hpobench"},
    "mine": {"source": "runs", "about": {"task": ["shape.width", "seed"]}},
}


@pytest.fixture
def claims() -> pd.DataFrame:
    rows = [
        ("µP | stays.", "≤ 1 octave", math.nan, 1, 0.284, 0.13, math.inf, "undecided", "octaves"),
        ("The loss falls.", "≥ 0 loss", 0, math.nan, 0.0061, 0.004, 0.007, "holds", "loss"),
        ("The error is small.", "≤ 1e-05", math.nan, 1e-5, 3e-7, 2e-7, 3e-7, "fails", ""),
    ]
    names = ["sentence", "bar", "bar_min", "bar_max", "value", "low", "high", "verdict", "unit"]
    facts = {
        "scale": "desk",
        "edition": "2",
        "reason": "",
        "cause": "",
        "over": "seeds",
        "units": 4,
    }
    facts |= dict.fromkeys(("units_needed", "minutes_needed", "power", "p_value"), math.nan)
    facts["p_holm"] = math.nan
    facts |= {"kind": ["paper", "paper", "ours"], "registered": "early"}
    return pd.DataFrame(rows, columns=names).assign(**facts)


def test_a_scorecard_counts_and_lists_every_claim(claims):
    text = results_pages.scorecard_page("mine", "Mine", claims, {"commits": "abc"}, {})
    assert "# Scorecard: Mine" in text
    assert "| claims of the paper | 2 | 1 | 0 | 1 |" in text
    assert "| our own questions | 1 | 0 | 1 | 0 |" in text
    assert "controls" not in text
    before, after = text.split("### Our own questions")
    assert "µP" in before.split("### Claims of the paper")[1]
    assert "The error is small." in after
    assert "| commits | abc |" in text
    undecided = "| undecided (no number of seeds is known to decide it) | early |"
    assert f"| µP \\| stays. | ≤ 1 octave | 0.28 (0.13 … open) | 4 seeds {undecided}" in text
    assert (
        "| The loss falls. | ≥ 0 loss | 0.006 (0.004 … 0.007) | 4 seeds | **holds** | early |"
        in text
    )
    assert (
        "| The error is small. | ≤ 1·10<sup>−5</sup> | 3·10<sup>−7</sup> "
        "(2·10<sup>−7</sup> … 3·10<sup>−7</sup>) | 4 seeds | **fails** | early |"
    ) in text


def test_a_scorecard_says_what_each_interval_is_over(claims):
    text = page_of(claims, units=[0, 1, 12], over=["seeds", "seeds", "groups"])
    for units in ("0 seeds", "1 seed", "12 groups"):
        assert f"| {units} | " in text


def test_provenance_names_every_commit_and_the_span_of_time(claims):
    same = {"torch": "2.13.0", "python": "3.11.7", "device": "cpu: x"}
    records = [{**same, "git": "b", "finished": "2026-02"}]
    records += [{**same, "git": "a", "finished": "2026-01"}]
    spending = {"core_minutes": 31.5, "seeds": [4, 8, 16]}
    runs = pd.DataFrame({"key": ["k", "k", "l"]})
    found = results_pages.provenance(claims, runs, records, spending)
    assert found["commits"] == "a, b"
    assert found["trained"] == "2026-01 to 2026-02"
    assert found["looks"] == "at 4, 8 and 16 seeds, within 31.5 core-minutes as estimated"
    assert (found["runs"], found["scale"], found["torch"]) == ("2", "desk", "2.13.0")


def test_a_study_that_trains_nothing_has_no_commits(claims):
    found = results_pages.provenance(claims, pd.DataFrame(), [])
    assert (found["runs"], found["commits"], found["trained"]) == ("0", "unknown", "no runs")


def test_provenance_says_what_marks_a_commit(claims):
    facts = {"torch": "2.13.0", "python": "3.11.7", "device": "cpu: x", "finished": "2026-01"}
    records = [{**facts, "git": "a+"}]
    found = results_pages.provenance(claims, pd.DataFrame({"key": ["k"]}), records)
    assert found["commits"] == "a+ (+: with changes that were not committed)"
    assert found["looks"] == "none"


def page_of(claims: pd.DataFrame, suites: dict | None = None, **changes: object) -> str:
    return results_pages.scorecard_page("mine", "Mine", claims.assign(**changes), {}, suites or {})


def test_a_verdict_that_the_interval_does_not_give_has_its_cause(claims):
    causes = ["control not met", "", "too few seeds"]
    text = page_of(claims, cause=causes, verdict=["undecided", "holds", "undecided"])
    assert "| 0.28 (0.13 … open) | 4 seeds | undecided (control not met) | early |" in text
    assert "| 0.006 (0.004 … 0.007) | 4 seeds | **holds** | early |" in text
    assert "| undecided (too few seeds) |" in text


def test_verdicts_have_their_p_value_power_and_what_would_decide_them(claims):
    certainty = {"p_value": [math.nan, 0.004, 1e-6], "p_holm": [math.nan, 0.008, math.nan]}
    needed = {"units_needed": [14.0, math.nan, math.nan], "minutes_needed": [2.5, *[math.nan] * 2]}
    text = page_of(claims, power=[0.4, 0.834, math.nan], **certainty, **needed)
    assert "| undecided (needs 14 seeds, 2 min more; power 40 %) |" in text
    assert "| **holds**, p 0.004 (0.008), power 83 % |" in text
    assert "| **fails**, p 1·10<sup>−6</sup> |" in text
    assert (
        "1 of the paper's 2 claims is decided, 1 after Holm's correction for their number." in text
    )
    assert "*p* is the p value of a verdict, in brackets after Holm" in text


def test_verdicts_on_times_are_of_the_machine(claims):
    assert "holds on the machine" not in page_of(claims)
    text = page_of(claims, reason=["", f"all of it meets the bar; {OF_MACHINE}", ""])
    assert "A verdict on a time or a speed holds on the machine that measured it" in text


def test_a_p_value_stands_without_an_interval(claims):
    text = page_of(claims, bar="p ≤ 0.05", unit="p", value=0.004, low=0.004, high=0.004)
    assert text.count("| p ≤ 0.05 | 0.004 |") == 3


@pytest.mark.parametrize(
    ("over", "words", "explained"),
    [
        (["seeds"] * 3, "seeds", []),
        (["tasks"] * 3, "tasks", ["A task is"]),
        (["groups", "tasks", "groups"], "groups or tasks", ["A task is", "A group is"]),
        (["groups", "seeds", "seeds"], "groups or seeds", ["A task is", "A group is"]),
        (["searches", "seeds", "seeds"], "searches or seeds", ["A search is"]),
    ],
)
def test_a_scorecard_says_what_its_intervals_are_over(claims, over, words, explained):
    text = page_of(claims, over=over)
    assert f"Intervals are over {words}, at a level of 95 %, or a higher one where" in text
    assert f"too few {words} ran" in text
    assert [
        start for start in ("A search is", "A task is", "A group is") if start in text
    ] == explained


def test_tasks_are_told_apart_as_the_suites_say(claims):
    trained = "trained here are told apart by `shape.width`, `seed`. "
    assert trained in page_of(claims, SUITES, over="tasks")
    assert "trained here" not in page_of(claims, {"public": SUITES["public"]}, over="tasks")
    assert "trained here" not in page_of(claims, SUITES)


def test_results_of_a_reference_stand_beside_ours(claims):
    entry = {"replay": "r", "method": "box", "source": "them", "difference": "other tasks"}
    study = {"comparisons": [{**entry, "at": [1, 2], "regrets": [0.0396, 0.02]}]}
    replays = pd.DataFrame(
        {"replay": "r", "method": "box", "task": "t", "repeat": i, "regrets": [0.04 + i / 100]}
        for i in range(3)
    )
    rows = comparisons.rows(study, replays, pd.DataFrame())
    text = results_pages.scorecard_page("mine", "Mine", claims, {}, {}, rows)
    _, table = text.split("## Beside a reference")
    line = (
        "| r | box | mean regret after 1 | 0.0396 | 0.05 (0.0252 … 0.0748) | 3 repeats of 1 task "
        "| other tasks | them |"
    )
    assert line in table
    assert "| r | box | mean regret after 2 | 0.02 | not run |  |  |  |" in table
    assert "95 % intervals over repeats" in table
    assert "other tasks, an interval does not bound the difference" in table
    assert "Beside" not in results_pages.scorecard_page("mine", "Mine", claims, {}, {})
