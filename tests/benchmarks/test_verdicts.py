"""The rows of the benchmark, on landscapes whose optima are known and hidden."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.benchmarks import deciding, landscapes, locating, verdicts
from tests.benchmarks.deciding import Spent
from tests.benchmarks.landscapes import Landscape

SPENT = Spent({"a": "holds", "b": "fails", "c": "undecided"}, {"a": 1, "b": 2, "c": 3}, 30)


@pytest.fixture
def rows(monkeypatch) -> list[dict]:
    log2 = np.arange(57) / 8 - 4
    generator = np.random.default_rng(0)
    logs = 0.3 * (log2 - 0.3) ** 2 + 0.01 * generator.normal(size=(16, 57))
    near = slice(26, 43)
    clear = Landscape("clear", log2, np.exp(logs), near)
    hidden = Landscape("hidden", log2, np.exp(generator.normal(size=(16, 57))), near)
    monkeypatch.setattr(landscapes, "load", lambda: ([clear, hidden], 1234, 5.0))
    monkeypatch.setattr(verdicts, "REPEATS", 2)
    monkeypatch.setattr(locating, "TRIALS", 12)
    listed = [SPENT._replace(seconds=60 * times) for times in deciding.TIMES]
    monkeypatch.setattr(deciding, "each", lambda: (SPENT, *listed))
    monkeypatch.setattr(deciding, "again", lambda change: SPENT)
    return verdicts.run()


def test_a_landscape_whose_optimum_is_not_known_is_named_and_left_out(rows):
    of = {row["metric"]: row for row in rows if row["rule"] == "landscape"}
    assert of["clear"]["ours"] == pytest.approx(0.3, abs=0.02)
    assert of["clear"]["rival"] < of["clear"]["target"] < of["hidden"]["rival"]
    searched = [row["metric"] for row in rows if row["rule"] in ("located", "off")]
    assert all(metric.startswith("1 landscapes, 2 searches each") for metric in searched)


def test_each_answer_is_compared_with_every_rival(rows):
    located = {row["metric"].partition("half octaves, ")[2]: row for row in rows
               if row["rule"] == "located"}  # fmt: skip
    claims = [name for name in located if name.startswith("estimate of claims")]
    parabola = [name for name in located if name.startswith("fitted parabola")]
    assert len(claims) == 4 + 2 * len(locating.ANSWERS)
    assert len(parabola) == 4 + 2
    assert all(name.endswith(", fitted parabola") for name in parabola)
    assert len({located[name]["ours"] for name in claims}) == 1
    grids = {"octaves": 7, "half octaves": 14}
    for spacing, runs in grids.items():
        name = f"estimate of claims, against a grid of {spacing}, estimate of claims"
        assert located[name]["rival"] == pytest.approx(runs, abs=1)
    off = [row for row in rows if row["rule"] == "off"]
    assert len(off) == len(located) * len(verdicts.BUDGETS)
    assert all(row["ours"] < 0.1 for row in off)


def test_a_number_of_runs_that_is_not_found_has_no_ratio(rows):
    for row in rows:
        if row["rule"] == "located":
            assert math.isfinite(row["ratio"]) == math.isfinite(row["rival"])


def test_claims_are_compared_per_core_hour_and_after_each_change(rows):
    per_hour = [r for r in rows if r["rule"] == "decided" and r["unit"] == "1/h"]
    assert [(r["ours"], r["rival"], r["target"]) for r in per_hour] == [
        (240, 120, 3),
        (240, 60, None),
        (240, 30, None),
    ]
    equal = [r["metric"] for r in rows if r["rule"] == "stable" and r["target"] == 98]
    assert [metric.partition(", ")[2] for metric in equal] == [
        "other seeds: equal verdicts of these",
        "other rounding: equal verdicts of these",
    ]
