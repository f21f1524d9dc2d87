"""Ours beside a reference's results: means over tasks and repeats, intervals over repeats."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from hypertransfer.analysis.references import compared, repeat_curves

ENTRY = {"replay": "r", "method": "box", "at": [1, 3], "regrets": [0.5, 0.2], "source": "s"}


def replays(methods=("box", "random")):
    """Four tasks of three groups, and three repeats, which differ by 0.02."""
    levels = {("a", "one"): 0.4, ("a", "two"): 0.2, ("b", "three"): 0.3, ("c", "four"): 0.5}
    factors = {"box": (1.0, 0.5, 0.25), "random": (1.0, 0.9, 0.5)}
    return pd.DataFrame(
        {
            "replay": "r", "method": method, "group": group, "task": task, "repeat": repeat,
            "regrets": [(level + 0.02 * (repeat - 1)) * factor for factor in factors[method]],
        }
        for method in methods
        for (group, task), level in levels.items()
        for repeat in (0, 1, 2)
    )  # fmt: skip


def regions():
    return pd.DataFrame(
        {"replay": "r", "region": "box", "group": g, "task": t, "repeat": r, "share": s}
        for g, t, s in (("a", "one", 0.1), ("a", "two", 0.3), ("b", "three", 0.2))
        for r in (0, 1, 2)
    )


def test_means_are_over_tasks_whatever_their_group():
    first, third = compared(ENTRY, replays(), regions())
    assert (first.quantity, first.theirs) == ("mean regret after 1", 0.5)
    assert first.ours.value == pytest.approx((0.4 + 0.2 + 0.3 + 0.5) / 4)
    assert third.ours.value == pytest.approx(first.ours.value / 4)
    half = 4.302653 * 0.02 / math.sqrt(3)  # Student's t with two degrees of freedom
    assert (first.ours.count, first.ours.over) == (3, "repeats")
    assert first.ours.high - first.ours.value == pytest.approx(half, rel=1e-5)
    assert first.ours.value - first.ours.low == pytest.approx(half, rel=1e-5)


def test_evaluations_count_until_the_last_regret_of_random_search():
    *_, found = compared({**ENTRY, "evaluations": 9}, replays(), regions())
    assert (found.theirs, found.ours.value) == (9, 2)


def test_shares_are_of_the_region():
    *_, found = compared({**ENTRY, "region": "box", "share": 0.13}, replays(), regions())
    assert found.ours.value == pytest.approx(0.2)


def test_what_was_not_run_has_no_value_of_ours():
    entry = {**ENTRY, "at": [4], "regrets": [0.1], "evaluations": 3, "region": "b", "share": 0.1}
    assert [found.ours for found in compared(entry, replays(["box"]), regions())] == [None] * 3
    assert repeat_curves(replays(), "r", "gp") is None
