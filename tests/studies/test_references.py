"""Ids of figures, claims and counterparts, and the rows that figures and claims select."""

from __future__ import annotations

import pytest
from tests.support.planned import PLANNED, ROWS, RUNS, claim

from hypertransfer.studies import references
from hypertransfer.studies.placed_run import Run
from hypertransfer.studies.planned import Planned, ScaleValues


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


PAPER = ScaleValues(
    {"sweep": {"shape.width": [8, 32]}, "large": {"grid": ["large"], "lr": [0.4]}},
    {"replays": [{"replay": "late", "suite": "s", "method": "box"}],
     "regions": [{"replay": "r", "suite": "s", "region": "ell"}]},
)  # fmt: skip
SCALES = Planned(RUNS, ROWS, {}, lambda: [PAPER])


@pytest.mark.parametrize(
    "where",
    [
        {"grid": ["sweep", "large"]}, {"grid": "sweep", "shape.width": [8, 32]},
        {"shape.width": [8, 32.0], "lr": [0.1, 0.4]},
        {"grid": ["sweep", "single"], "lr": [0.1, 0.5]},
    ],
)  # fmt: skip
def test_members_of_a_list_may_be_of_another_scale(where):
    assert list(references.condition_problems({"where": where}, SCALES)) == []


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ({"grid": ["sweep", "swep"]},
         "no grid 'swep' at any scale; known: large, single, sweep; did you mean 'sweep'?"),
        ({"shape.width": [8, 16, 64]}, "no shape.width 64 at any scale; known: 8, 16, 32"),
        ({"grid": "sweep", "lr": [0.1, 0.4]}, "no lr 0.4 at any scale; known: 0.1, 0.2"),
        ({"lr": [0.1, {"min": 0.1}]}, "no lr {'min': 0.1} at any scale"),
    ],
)  # fmt: skip
def test_members_of_a_list_that_no_scale_has(where, text):
    (problem,) = references.condition_problems({"where": where}, SCALES)
    assert problem.path == ("where",)
    assert problem.text.startswith(text)


def test_names_of_replays_may_be_of_another_scale():
    both = claim(measure="region_level", where={"region": ["box", "ell"]})
    assert list(references.condition_problems(both, SCALES)) == []
    (problem,) = references.condition_problems(both, PLANNED)
    assert problem.text.startswith("no region 'ell'; known: box")
    alone = claim(measure="region_level", where={"region": "ell"})
    (problem,) = references.condition_problems(alone, SCALES)
    assert problem.text == "no row has {region: ell}"


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


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"claims": ["c"], "measure": "m"}, None),
        ({"claims": [], "not_here": "n"}, None),
        ({"claims": ["d"], "measure": "m"}, "headlines.0.claims: 'd' is not an id"),
        ({"claims": ["c"]}, "headlines.0.measure: is missing"),
        ({"claims": [], "measure": "m"}, "headlines.0.not_here: is missing"),
        ({"claims": ["c", "o"], "measure": "m"}, None),
        ({"claims": ["o"], "measure": "m"}, "headlines.0.claims: no claim of kind paper"),
        (
            {"claims": ["k"], "measure": "m", "not_here": "n"},
            "headlines.0.claims: no claim of kind",
        ),
    ],
)
def test_a_headline_has_claims_and_their_measure_or_says_why_it_has_none(entry, text):
    entry = {"statement": "s", "place": "abstract", **entry}
    kinds = {"c": "paper", "o": "ours", "k": "control"}
    problems = list(map(str, references.headline_problems([entry], kinds)))
    assert [problem.startswith(text or "") for problem in problems] == ([True] if text else [])


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"claims": [{"kind": "ours"}, {"kind": "control"}]}, None),
        ({"claims": [{"kind": "paper"}], "paper": {"title": "t"}}, None),
        ({"claims": [{"kind": "paper"}]}, "claims.0.kind: 'paper' is not 'ours' or 'control', as"),
        ({"headlines": [{"statement": "s"}]}, "headlines: the study names no paper whose"),
        ({"counterparts": [{"paper": "Fig. 1"}]}, "counterparts: the study names no paper whose"),
    ],
)
def test_a_study_without_a_paper_has_no_statements_of_one(values, text):
    problems = list(map(str, references.paper_problems(values)))
    assert [problem.startswith(text or "") for problem in problems] == ([True] if text else [])


def test_bounds_of_numbers_beside_texts_are_named():
    """The table holds texts, also of a first run whose value is a number."""
    spec = RUNS["single"][0].spec
    mixed = Planned({"g": [Run({"act": value}, spec) for value in (2, "relu")]})
    (problem,) = references.condition_problems({"where": {"act": {"min": 1}}}, mixed)
    assert problem.text.startswith("{act: {min: 1}} bounds a column that does not hold numbers")


REPLAYS = {"mlp": {"methods": {"box": {}, "random": {}}, "regions": {"box": {}}}}
REPLAYS["late"] = {"methods": {"box": {}}}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"replay": "mlb"}, "comparisons.0.replay: no replay 'mlb'; known: mlp, late"),
        ({"method": "gp"}, "comparisons.0.method: no method 'gp'; known: box, random"),
        ({"region": "ball", "share": 0.1}, "comparisons.0.region: no region 'ball'; known: box"),
        ({"share": 0.1}, "comparisons.0.region: share and region need each other"),
        ({"at": [1, 2]}, "comparisons.0.regrets: 1 numbers for 2 in at"),
        ({"at": [], "regrets": []}, "comparisons.0: compares nothing: give `at` and"),
        (
            {"replay": "late", "evaluations": 3},
            "comparisons.0.evaluations: counts until the last regret of random, which late lacks",
        ),
    ],
)
def test_a_comparison_names_what_is_there(changes, text):
    entry = {"replay": "mlp", "method": "box", "source": "s", "at": [1], "regrets": [0.5]}
    assert not list(references.comparison_problems([entry], REPLAYS))
    problems = list(map(str, references.comparison_problems([entry | changes], REPLAYS)))
    assert len(problems) == 1
    assert problems[0].startswith(text)
