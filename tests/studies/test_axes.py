"""Values of an axis: lists and forms that generate them."""

from __future__ import annotations

import itertools
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypertransfer.runs.problem import ProblemError
from hypertransfer.studies import axes as studies_axes

SEEDED = settings(derandomize=True, deadline=None)  # the same cases on every machine


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ([3, "a", True], [3, "a", True]),
        ([1, True], [1, True]),
        ({"powers": {"base": 2, "from": -2, "to": 1}}, [0.25, 0.5, 1, 2]),
        ({"powers": {"base": 2, "from": 0, "to": 1, "step": 0.5}}, [1, 1.41421356237, 2]),
        ({"powers": {"base": 10, "from": -3, "to": -3}}, [0.001]),
        ({"logspace": {"from": 0.01, "to": 1, "points": 3}}, [0.01, 0.1, 1]),
        ({"range": 3}, [0, 1, 2]),
    ],
)
def test_values_of_an_axis(written, values):
    found = studies_axes.axis_values(("lr",), written)
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


@SEEDED
@given(st.floats(1e-6, 1e3), st.floats(1.01, 1e4), st.integers(2, 30))
def test_logspace_is_geometric_between_its_ends(low, ratio, count):
    values = studies_axes.axis_values(
        ("lr",), {"logspace": {"from": low, "to": low * ratio, "points": count}}
    )
    assert len(values) == count
    assert values[0] == pytest.approx(low, rel=1e-11)
    assert values[-1] == pytest.approx(low * ratio, rel=1e-11)
    steps = [math.log(b / a) for a, b in itertools.pairwise(values)]
    assert steps == pytest.approx([math.log(ratio) / (count - 1)] * (count - 1), rel=1e-6)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ([], "at least one value"),
        ("0.1", "at least one value"),
        ([1, 2, 1], "1 occurs twice"),
        ([0.1, math.nan], "finite"),
        ({"powers": {"base": 2, "from": 1, "to": 0}}, "from ≤ to"),
        ({"powers": {"base": 10, "from": 0, "to": 999}}, "finite"),
        ({"logspace": {"from": 1, "to": 0.1, "points": 3}}, "0 < from < to"),
        ({"log": [1, 2]}, "powers, logspace, range"),
    ],
)
def test_axes_that_cannot_be_meant(written, words):
    with pytest.raises(ProblemError, match=re.escape(words)) as caught:
        studies_axes.axis_values(("axes", "lr"), written)
    (problem,) = caught.value.problems
    assert problem.path == ("axes", "lr")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"from": 1, "to": 1, "points": 4, "column": 0}, "from < to"),
        ({"from": 0, "to": 1, "points": 4, "column": 0}, "from above 0 on a log axis"),
        ({"from": 1, "to": 2, "points": 4, "column": 6}, "a column from 0 to 5"),
    ],
)
def test_a_design_that_cannot_be_meant(written, words):
    with pytest.raises(ProblemError, match=words):
        studies_axes.axis_values(("axes", "lr"), {"sobol": written})


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ([math.nan], "is not a list of finite, plain values: numbers, texts, true, false or null"),
        ({"powers": {"base": 2, "from": 0, "to": 5000}}, "is not a form of finite numbers"),
    ],
)
def test_numbers_beyond_all_bounds_are_refused_in_words(written, words):
    with pytest.raises(ProblemError) as raised:
        studies_axes.axis_values(("lr",), written)
    assert str(raised.value).endswith(words)


def test_axes_whose_values_are_found_are_named():
    grid = {"axes": {"lr": {"adaptive": {"start": 0.1}}, "seed": {"range": 3}, "steps": [1]}}
    assert studies_axes.adaptive(grid) == ["lr"]
    assert studies_axes.adaptive({}) == []
