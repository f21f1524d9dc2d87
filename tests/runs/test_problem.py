"""Problems: their words, and the path that is written before them."""

from __future__ import annotations

import pytest

from hypertransfer.runs.problem import NO_VALUE, Problem, ProblemError, hint, known_names, one_of


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem(("lr",), -1, "above 0"), "lr: -1 is not above 0"),
        (Problem(("axes", "shape.width"), "a", "a list"), "axes.shape.width: 'a' is not a list"),
        (Problem(("lr",), None, "a number"), "lr: null is not a number"),
        (Problem(("lr",), True, "a number"), "lr: true is not a number"),
        (Problem(("lr",), NO_VALUE, "is missing"), "lr: is missing"),
        (Problem((), 3, "a mapping"), "3 is not a mapping"),
    ],
)
def test_the_text_names_path_value_and_what_was_expected(problem, text):
    assert str(problem) == text


def test_a_problem_seen_from_further_up_has_a_longer_path():
    problem = Problem(("lr",), -1, "above 0").below("claims", 0)
    assert problem == Problem(("claims", "0", "lr"), -1, "above 0")
    assert problem.key == "claims.0.lr"


def test_an_exception_carries_all_problems():
    problems = [Problem(("a",), 1, "b"), Problem(("c",), NO_VALUE, "is missing")]
    error = ProblemError(iter(problems))
    assert error.problems == problems
    assert str(error) == "a: 1 is not b; c: is missing"
    assert ProblemError.at(("a",), 1, "b").problems == problems[:1]


def test_known_names_have_a_hint_at_the_one_that_is_meant():
    assert known_names("figuers", ["figures", "claims"]) == (
        "known: figures, claims; did you mean 'figures'?"
    )
    assert known_names("zzz", ["figures"]) == "known: figures"
    assert known_names("x", [], "known values of lr") == "known values of lr: none"


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [("8", [8, 16], "8, without quotes"), (80, [8, 500], "500"), ("lr", ["lrr"], "'lrr'")],
)
def test_a_hint_can_be_copied(name, known, hint):
    assert known_names(name, known).endswith(f"; did you mean {hint}?")


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        (0.3, [0.1, 0.316227766017, 1], "0.316227766017"),  # the text of 0.1 is more like 0.3
        ("0.3", [0.1, 0.316227766017], "0.316227766017, without quotes"),
        (30, [10, 80], "80"),  # a factor of 2.7 is nearer than one of 3, and 20 less than 50
        (30, [0, 10, 80], "10"),  # zero has no logarithm: differences
        (-1, [-10, 2, "mup"], "2"),
        (7, ["mup", 8], "8"),
    ],
)
def test_the_hint_at_a_number_is_the_nearest(name, known, hint):
    assert known_names(name, known).endswith(f"; did you mean {hint}?")


@pytest.mark.parametrize(
    ("name", "known"), [("x", [1, 2]), (True, [5]), ("nan", [5]), (3, ["mup"]), (10**400, [5])]
)
def test_what_is_no_number_has_no_nearest_number(name, known):
    assert "did you mean" not in known_names(name, known)


def test_the_nearest_number_may_be_one_that_is_not_listed():
    text = known_names(29, [1, 2, 30], most=2)
    assert text == "known: 1, 2, …; did you mean 30?"
    assert known_names("x", "ab", most=2) == "known: a, b"


def test_one_of_several_choices_names_the_one_that_may_be_meant():
    assert one_of("fan_inn", ("fan_in", "unit")) == "one of fan_in, unit; did you mean 'fan_in'?"
    assert one_of("zero", ("fan_in", "unit")) == "one of fan_in, unit"


def test_a_name_that_differs_in_dashes_only_is_the_nearest():
    assert hint("complete_p", ["completed_p", "completep"]) == "; did you mean 'completep'?"
    assert hint("a_b", ["ab", "a-b", "a_bc"]) == "; did you mean 'ab'?"
