"""Dimensions of a search space and their places in the unit cube."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypertransfer.runs.problem import ProblemError
from hypertransfer.spaces.dimensions import Dimension, Domain, problems

SEEDED = settings(derandomize=True, deadline=None)
PLACES = st.floats(0, 1)


@st.composite
def dimensions(draw):
    log, integer = draw(st.booleans()), draw(st.booleans())
    low = draw(st.integers(1, 50)) if integer else draw(st.floats(1e-6, 10))
    high = low + draw(st.integers(1, 1000)) if integer else low * draw(st.floats(1.5, 1e6))
    return Dimension("x", low, high, log, integer)


@SEEDED
@given(dimensions(), PLACES)
def test_places_and_values_are_one(dimension, place):
    value = dimension.from_unit(place)
    assert dimension.low <= value <= dimension.high
    if dimension.integer:
        assert isinstance(value, int)
        assert dimension.from_unit(dimension.to_unit(value)) == value
    else:
        assert dimension.to_unit(value) == pytest.approx(place, abs=1e-6)


def test_log_axes_are_in_octaves():
    dimension = Dimension("lr", 1 / 16, 1, log=True)
    assert dimension.from_unit(0.25) == 1 / 8
    assert dimension.on_axis(0.5) == -2
    assert Dimension("x", 0, 10).on_axis(0.5) == 5


WRITTEN = {
    "lr": {"low": 1e-4, "high": 1, "log": True},
    "schedule": {"choices": ["cosine", "linear"]},
    "batch": {"low": 8, "high": 64, "integer": True},
}


def test_configurations_go_there_and_back():
    domain = Domain.parse(WRITTEN)
    columns = {
        "lr": [1e-4, 0.01, 1],
        "schedule": ["linear", "cosine", "linear"],
        "batch": [8, 36, 64],
    }
    points = domain.encode(columns)
    # numeric dimensions first, then the places of choices in their lists
    assert points == pytest.approx(np.array([[0, 0, 1], [0.5, 0.5, 0], [1, 1, 1]]))
    configurations = domain.decode(points)
    assert [c["schedule"] for c in configurations] == columns["schedule"]
    assert [c["batch"] for c in configurations] == columns["batch"]
    assert [c["lr"] for c in configurations] == pytest.approx(columns["lr"])
    assert Domain.parse(domain.plain()) == domain


@pytest.mark.parametrize(
    ("value", "held"),
    [(0.1, True), (float(np.float32(0.1)), True), (0.1 - 1e-6, False), (float("nan"), False),
     (1, True), (1 + 1e-6, False), (0, False)],
)  # fmt: skip
def test_values_at_the_ends_of_a_range_may_have_single_precision(value, held):
    for log in (True, False):
        assert Dimension("lr", 0.1, 1, log=log).holds(value) is held


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"lr": [0.1], "batch": [8]}, "schedule: no such column; there is lr, batch"),
        ({"lr": [2], "batch": [8], "schedule": ["cosine"]}, "lr: 2 is not between 0.0001 and 1"),
        ({"lr": [-1], "batch": [8], "schedule": ["cosine"]}, "lr: -1 is not between"),
        ({"lr": [math.nan], "batch": [8], "schedule": ["cosine"]}, "lr: nan is not between"),
        ({"lr": ["5"], "batch": [8], "schedule": ["cosine"]}, "lr: '5' is not between 0.0001"),
        ({"lr": [10**400], "batch": [8], "schedule": ["cosine"]}, "is not between 0.0001 and 1"),
        ({"lr": ["a"], "batch": [8], "schedule": ["cosine"]}, "lr: 'a' is not between"),
        (
            {"lr": [0.1], "batch": [8], "schedule": ["step"]},
            "'step' is not one of 'cosine', 'linear'",
        ),
    ],
)
def test_values_outside_are_named(columns, words):
    with pytest.raises(ProblemError) as raised:
        Domain.parse(WRITTEN).encode(columns)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (3, "is not {low: …, high: …}"),
        ({"low": 1}, "the key 'high' is missing"),
        ({"low": 1, "high": 1}, "low 1 is not below high 1"),
        ({"low": "1", "high": 2}, "'1' is not a finite number"),
        ({"low": 0, "high": math.inf}, "inf is not a finite number"),
        ({"low": True, "high": 2}, "true is not a finite number"),
        ({"low": 0, "high": 1, "log": True}, "low 0 is not above 0"),
        ({"low": 0, "high": 1, "log": 1}, "log: 1 is not true or false"),
        ({"low": 0.5, "high": 2, "integer": True}, "are not whole numbers"),
        ({"low": 0, "high": 1, "scale": 2}, "unknown key 'scale'; known: low, high"),
        ({"choices": []}, "is not a list of 1 to 1000 values"),
        ({"choices": ["a", "a"]}, "has a value twice"),
        ({"choices": [[1]]}, "neither text nor number"),
        ({"choices": ["a"], "low": 1}, "choices stand alone"),
    ],
)
def test_declarations_that_cannot_be_meant(given, words):
    (error,) = problems({"good": {"low": 0, "high": 1}, "bad": given}, ("dimensions",))
    assert error.path[:2] == ("dimensions", "bad")
    assert words in str(error)
    with pytest.raises(ProblemError, match=r"dimensions\.bad"):
        Domain.parse({"bad": given}, ("dimensions",))


@pytest.mark.parametrize("written", [None, [], {}, "lr"])
def test_what_is_no_mapping_of_dimensions(written):
    (error,) = problems(written, ("dimensions",))
    assert "is not a mapping of hyperparameters" in str(error)


def test_names_of_dimensions_are_text():
    (error,) = problems({"good": {"low": 0, "high": 1}, 1: {"low": 0, "high": 1}}, ("dimensions",))
    assert str(error).startswith("dimensions: 1 is not a text")


@pytest.mark.parametrize("module", ["dimensions", "tasks.suites", "tasks.sources", "tasks.tables"])
def test_planning_imports_nothing_heavy(module):
    heavy = {"numpy", "pandas", "scipy", "sklearn", "torch"}
    code = f"import sys, hypertransfer.spaces.{module}; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
