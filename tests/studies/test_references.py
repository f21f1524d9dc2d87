"""References of figures, claims and counterparts: ids, options, and the rows they select."""

from __future__ import annotations

import pytest
from tests.support.specs import VALID

from hypertransfer.claims.claim import Claim, Control
from hypertransfer.studies import references
from hypertransfer.studies.figure import Figure
from hypertransfer.studies.grid import Grid, runs

RUNS = {
    "sweep": runs(Grid(VALID, {"shape.width": [8, 16], "lr": [0.1, 0.2], "seed": [0, 1]})),
    "single": runs(Grid(VALID, {"seed": [0]})),
}
ROWS = {"replays": [{"replay": "r", "method": "random"}], "regions": [], "winners": []}


def claim(**changes):
    texts = {"id": "c", "sentence": "s", "source": "t", "confidence": "low"}
    where = {"grid": "sweep"}
    return {**texts, "measure": "optimum_shift", "where": where, "bar": {"max": 1}, **changes}


def test_kinds_and_options_of_figures():
    texts = {"id": "f", "title": "t", "caption": "c"}
    assert list(references.figure_problems(Figure(kind="loss", **texts))) == []
    (problem,) = references.figure_problems(Figure(kind="los", **texts))
    assert str(problem).startswith("kind: 'los' is not one of overview, sharpness, loss")
    (problem,) = references.figure_problems(Figure(kind="loss", options={"x": 1}, **texts))
    assert str(problem).startswith("options.x: unknown option of loss; known: size")


def test_ids_that_stand_twice_are_named_at_both_places():
    problems = list(references.id_problems("claims", {0: "a", 2: "b", 3: "a"}))
    assert [problem.path for problem in problems] == [("claims", "0"), ("claims", "3")]
    assert problems[0].text == "the id 'a' stands twice"


@pytest.mark.parametrize(
    ("entry", "path", "text"),
    [
        ({"where": {"width": 8}}, ("where",), "no column 'width'; known: "),
        ({"where": {"shape.width": 9}}, ("where",), "no run of this scale is selected by"),
        ({"where": {"model": {"min": 1}}}, ("where",), "{'model': {'min': 1}} bounds a column"),
        (claim(control={"measure": "optimum_shift", "where": {"grid": "x"}, "bar": {"min": 1}}),
         ("control", "where"), "no run of this scale is selected by"),
        (claim(measure="regret_ratio", where={"replay": "x"}), ("where",),
         "no replay 'x'; known: r"),
    ],
)  # fmt: skip
def test_conditions_that_select_nothing(entry, path, text):
    (problem,) = references.condition_problems(entry, RUNS, ROWS)
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
    assert list(references.condition_problems(entry, RUNS, ROWS)) == []


def test_runs_are_not_looked_for_where_grids_have_problems():
    assert list(references.condition_problems({"where": {"width": 8}}, {}, ROWS)) == []


def test_two_runs_that_a_measure_cannot_tell_apart():
    twins = {**RUNS, "other": RUNS["sweep"]}
    assert list(references.twin_problems(Claim.parse(claim()), twins)) == []
    steps = {"sweep": runs(Grid(VALID, {"steps": [5, 10], "lr": [0.1], "seed": [0]}))}
    (problem,) = references.twin_problems(Claim.parse(claim()), steps)
    assert problem.path == ("where",)
    assert (
        problem.text
        == "several runs at shape.width 8, lr 0.1, seed 0: narrow the condition to one of them"
    )
    chosen = Claim.parse(claim(where={"grid": "sweep", "steps": 5}))
    assert list(references.twin_problems(chosen, steps)) == []
    control = Control(measure="optimum_shift", where={"grid": "sweep"}, bar={"min": 1})
    both = Claim.parse({**claim(where={"grid": "sweep", "steps": 5}), "control": control.plain()})
    (problem,) = references.twin_problems(both, steps)
    assert problem.path == ("control", "where")


def test_counterparts_name_figures_and_claims_that_are_there():
    entry = {"paper": "p", "shows": "s", "figures": ["f", "g"], "claims": ["c"]}
    (problem,) = references.counterpart_problems([entry], {"figures": ["f"], "claims": ["c"]})
    assert str(problem) == "counterparts.0.figures: 'g' is no id of the study's figures"
