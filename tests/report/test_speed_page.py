"""The speed page: a table for each rule, and whether targets are met."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from hypertransfer.report import speed_page

ROW = {
    "benchmark": "train",
    "metric": "a step",
    "rule": "ratio",
    "ours": 0.00345,
    "rival": 0.003,
    "ratio": 1.15,
    "target": math.nan,
    "unit": "ms",
    "git": "abc",
    "torch": "2.13.0",
    "device": "cpu: x",
    "finished": "2026-01",
}


def page_of(*changes: dict) -> str:
    return speed_page.speed_page(pd.DataFrame([{**ROW, **change} for change in changes]))


def test_every_benchmark_is_listed_with_the_facts():
    later = {"ours": 12345.6, "ratio": 3e-7, "git": "abd", "finished": "2026-02"}
    text = page_of({}, later)
    assert "| a step | 0.00345 | 0.003 | 1.15 |  |  | ms |" in text
    assert "| a step | 12,346 | 0.003 | 3·10<sup>−7</sup> |  |  | ms |" in text
    for fact in ("commits | abc, abd", "devices | cpu: x", "finished | 2026-01 to 2026-02"):
        assert f"| {fact} |" in text


@pytest.mark.parametrize(
    ("change", "title", "cells"),
    [
        ({"target": 1.2}, "Times", "0.00345 | 0.003 | 1.15 | 1.2 | met | ms"),
        # The printed ratio is on its side of the target.
        (
            {"target": 1.05, "ratio": 1.0537},
            "Times",
            "0.00345 | 0.003 | 1.054 | 1.05 | **missed** | ms",
        ),
        (
            {"rule": "rate", "unit": "tokens/s", "ours": 6, "rival": 10, "ratio": 0.6,
             "target": 0.55},
            "Rates",
            "6 | 10 | 0.6 | 0.55 | met | tokens/s",
        ),
        (
            {"rule": "saving", "ours": 10, "rival": 30, "ratio": 3, "target": 4, "unit": ""},
            "Curvature probes: savings",
            "10 | 30 | 3 | 4 | **missed** | ",
        ),
        (
            {"rule": "limit", "ours": 6, "rival": 9, "ratio": 0.67, "target": 5},
            "Limits",
            "6 | 5 | 9 | **missed** | ms",
        ),
        (
            {"rule": "limit", "ours": 7, "rival": math.nan, "ratio": math.nan, "target": 10},
            "Limits",
            "7 | 10 |  | met | ms",
        ),
        (
            {"rule": "share", "ours": 7, "rival": 10, "ratio": 0.7, "target": 0.8},
            "Shares",
            "7 | 10 | 0.7 | 0.8 | **missed** | ms",
        ),
        (
            {"rule": "cost", "ours": 7, "rival": 10, "ratio": 0.7},
            "Costs",
            "7 | 10 | 0.7 | ms",
        ),
        (
            {"rule": "landscape", "ours": -5.1, "rival": 0.06, "target": 0.05, "unit": "octaves"},
            "Best learning rates: landscapes",
            "−5.1 | 0.06 | 0.05 | **missed** | octaves",
        ),
        (
            {"rule": "located", "ours": 46, "rival": math.inf, "ratio": 0, "unit": "runs"},
            "Best learning rates: runs",
            "46 | ∞ | 0 | runs",
        ),
        (
            {"rule": "off", "ours": 0.1, "rival": 0.2, "ratio": 0.5, "unit": "octaves"},
            "Best learning rates: errors",
            "0.1 | 0.2 | 0.5 | octaves",
        ),
        ({"rule": "cost", "rival": math.nan, "ratio": math.nan}, "Costs", "0.00345 |  |  | ms"),
    ],
)  # fmt: skip
def test_each_rule_has_a_table(change, title, cells):
    text = page_of(change)
    _, section = text.split("\n## ")  # no other table
    assert section.startswith(title)
    assert f"| a step | {cells} |" in section


@pytest.mark.parametrize(
    ("value", "target", "cells"),
    [
        (1500.3, 1500, "1,500.3 | 1,500 |  | **missed**"),
        (1499.7, 1500, "1,500 | 1,500 |  | met"),
        (999.7, 1500, "1,000 | 1,500 |  | met"),
        (999.7, 999.8, "999.7 | 999.8 |  | met"),
        (1000.2, 1000, "1,000.2 | 1,000 |  | **missed**"),
        (999.4, 1000, "999 | 1,000 |  | met"),
        (12345.6, math.nan, "12,346 |  |  | "),
        (1.0 + 1e-12, 1, "1 | 1 |  | met"),  # up to rounding
        (math.inf, 30, "∞ | 30 |  | **missed**"),
    ],
)
def test_whole_numbers_are_on_their_side_of_the_target(value, target, cells):
    nothing = {"rival": math.nan, "ratio": math.nan}
    text = page_of({"rule": "limit", "ours": value, "target": target, **nothing})
    assert f"| a step | {cells} | ms |" in text


@pytest.mark.parametrize("rule", [None, "", "speed"])
def test_a_row_without_a_known_rule_is_an_error(rule):
    with pytest.raises(speed_page.SpeedError, match="`rule` must be one of saving, error, miss"):
        page_of({"rule": rule})
    without = pd.DataFrame([{name: value for name, value in ROW.items() if name != "rule"}])
    with pytest.raises(speed_page.SpeedError, match="move the file away"):
        speed_page.speed_page(without)


def test_rivals_that_stopped_at_a_far_smaller_error_are_named():
    errors = {"rule": "error", "unit": "", "ours": 0.008, "ratio": 1}
    near = {**errors, "metric": "largest relative error, top 1, against A", "rival": 0.004}
    far = {**errors, "metric": "largest relative error, top 1, against B", "rival": 1e-7}
    text = page_of(near, far)
    assert "| largest relative error, top 1, against A | 0.008 | 0.004 |  |" in text
    (sentence,) = [line for line in text.splitlines() if line.startswith("The tolerances")]
    assert "top 1, against B" in sentence
    assert "against A" not in sentence
    assert "The tolerances" not in page_of(near)
