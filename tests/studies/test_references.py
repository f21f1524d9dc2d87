"""Ids of figures, claims and counterparts, and the rows that figures and claims select."""

from __future__ import annotations

import pytest
from tests.support.planned import PLANNED, ROWS, RUNS, claim

from hypertransfer.studies import references
from hypertransfer.studies.planned import Planned


def test_ids_that_stand_twice_are_named_at_both_places():
    problems = list(references.id_problems("claims", {0: "a", 2: "b", 3: "a"}))
    assert [problem.path for problem in problems] == [("claims", "0"), ("claims", "3")]
    assert problems[0].text == "the id 'a' occurs twice"


@pytest.mark.parametrize(
    ("entry", "path", "text"),
    [
        ({"where": {"width": 8}}, ("where",), "no column 'width'; known: "),
        ({"where": {"shape.width": 9}}, ("where",), "no run of this scale is selected by"),
        ({"where": {"model": {"min": 1}}}, ("where",), "{model: {min: 1}} bounds a column"),
        (
            claim(control={"measure": "optimum_shift", "where": {"grid": "x"}, "bar": {"min": 1}}),
            ("control", "where"),
            "no run of this scale is selected by",
        ),
        (
            claim(measure="regret_ratio", where={"replay": "x"}),
            ("where",),
            "no replay 'x'; known: r",
        ),
    ],
)
def test_conditions_that_select_nothing(entry, path, text):
    (problem,) = references.condition_problems(entry, PLANNED)
    assert problem.path == path
    assert problem.text.startswith(text)


@pytest.mark.parametrize(
    "entry",
    [
        {"where": {"grid": "sweep", "shape.width": {"min": 16}}},
        claim(),
        claim(measure="regret_ratio", where={"replay": "r", "task": "any"}),
        {"where": [1]},
        {},
    ],
)
def test_conditions_that_select_rows_or_are_malformed(entry):
    assert list(references.condition_problems(entry, PLANNED)) == []


def test_runs_are_not_looked_for_where_grids_have_problems():
    assert list(references.condition_problems({"where": {"width": 8}}, Planned({}, ROWS))) == []


def test_a_study_without_replays_has_no_claims_on_them():
    entry = claim(measure="regret_ratio", where={"replay": "nix"})
    empty = {name: [] for name in ROWS}
    (problem,) = references.condition_problems(entry, Planned(RUNS, empty))
    assert problem.text == "the table replays has no rows: the study has no replays"
    wrong = claim(measure="regret_ratio", where={"rpelay": "r"})
    (problem,) = references.condition_problems(wrong, PLANNED)
    assert problem.text.startswith("no column 'rpelay' in the table replays; known: replay, suite")


def test_counterparts_name_figures_and_claims_that_are_there():
    entry = {"paper": "p", "shows": "s", "figures": ["f", "g"], "claims": ["c"]}
    (problem,) = references.counterpart_problems([entry], {"figures": ["f"], "claims": ["c"]})
    assert str(problem) == "counterparts.0.figures: 'g' is not an id of the study's figures"
