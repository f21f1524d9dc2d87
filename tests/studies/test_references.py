"""References of figures, claims and counterparts: ids, options, and the rows they select."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.specs import VALID

from hypertransfer.catalogue.cards.figures import FIGURES
from hypertransfer.claims.claim import Claim, Control
from hypertransfer.storage.parquet import axis_column
from hypertransfer.studies import references
from hypertransfer.studies.figure import Figure
from hypertransfer.studies.grid import Grid, runs

RUNS = {
    "sweep": runs(Grid(VALID, {"shape.width": [8, 16], "lr": [0.1, 0.2], "seed": [0, 1]})),
    "single": runs(Grid(VALID, {"seed": [0]})),
}
ROWS = {
    "replays": [{"replay": "r", "method": "random"}],
    "regions": [],
    "winners": [{"suite": "s", "dimension": "lr"}],
    "tasks": [{"suite": "s", "column": "data"}, {"suite": "s", "column": "width"}],
}
OPTIONS = [(kind, option) for kind, card in FIGURES.items() for option in card.options]


def claim(**changes):
    texts = {"id": "c", "sentence": "s", "source": "t", "confidence": "low"}
    where = {"grid": "sweep"}
    return {**texts, "measure": "optimum_shift", "where": where, "bar": {"max": 1}, **changes}


def problems_of(kind, where=None, **options):
    """Problems of a figure, beside options that are missing."""
    texts = {"id": "f", "title": "t", "caption": "c", "kind": kind, "where": where or {}}
    figure = Figure.parse({**texts, "options": options})
    problems = references.figure_problems(figure, RUNS, ROWS)
    return [problem for problem in problems if not problem.text.startswith("is missing")]


def test_the_kind_of_a_figure_is_known():
    assert problems_of("loss") == []
    (problem,) = problems_of("los")
    assert str(problem).startswith("kind: 'los' is not one of overview, sharpness, loss")


def test_options_that_a_kind_needs_are_given():
    figure = Figure.parse({"id": "f", "title": "t", "caption": "c", "kind": "heat_map"})
    found = [str(problem) for problem in references.figure_problems(figure, RUNS, ROWS)]
    assert found == [f"options.{axis}: is missing, and heat_map needs it" for axis in ("x", "y")]


@pytest.mark.parametrize("kind", FIGURES)
def test_an_option_that_a_kind_does_not_have(kind):
    (problem,) = problems_of(kind, x_=1)
    known = ", ".join(FIGURES[kind].options) or "none"
    assert str(problem) == f"options.x_: unknown option of {kind}; known: {known}"


@pytest.mark.parametrize("wrong", [[[8]], {8: []}, float])
@pytest.mark.parametrize(("kind", "option"), OPTIONS)
def test_every_option_of_every_kind_has_a_type(kind, option, wrong):
    found = problems_of(kind, **{option: wrong})
    assert found
    assert all(problem.path[:2] == ("options", option) for problem in found)
    assert all(problem.text for problem in found)


@pytest.mark.parametrize(
    ("kind", "options", "path", "text"),
    [
        ("loss", {"size": 8}, "size", "8 is not a column of the runs"),
        ("loss", {"titles": {"a": 8}}, "titles.a", "8 is not a text: put it in quotes"),
        ("loss", {"titles": {8: "a"}}, "titles", "8 is not a text: put it in quotes"),
        ("along", {"quantities": "ntk"}, "quantities",
         "'ntk' is not a list of one or more numeric columns of the table `history`"),
        ("along", {"quantities": []}, "quantities", "[] is not a list of one or more numeric"),
        ("along", {"quantities": ["ntk", "nkt"]}, "quantities.1", "'nkt' is not one of train_loss"),
        ("along", {"level": "8"}, "level", "'8' is not a number or null"),
        ("along", {"sweep": "yes"}, "sweep", "'yes' is not of type 'boolean'"),
        ("inflation", {"quantity": "size"}, "quantity", "'size' is not one of volume, share"),
        ("guidelines", {"parts": [{"title": "t", "grid": "sweep"}]}, "parts.0",
         "the key 'column' is missing"),
        ("guidelines", {"parts": [{"title": "t", "grid": "sweep", "column": "lr", "title_": 1}]},
         "parts.0.title_", "unknown key; known: title, grid, column, titles"),
        ("loss", {"size": "width"}, "size", "no column 'width'; known: model, data"),
        ("heat_map", {"x": "lr", "y": "lrs"}, "y", "no column 'lrs'; known: "),
        ("overview", {"dynamics": "swep", "sweep": "sweep"}, "dynamics",
         "no grid 'swep'; known: sweep, single"),
        ("guidelines", {"parts": [{"title": "t", "grid": "swep", "column": "lr"}]},
         "parts.0.grid", "no grid 'swep'; known: sweep, single"),
        ("regrets", {"replays": ["r", "s"]}, "replays.1", "no replay 's'; known: r"),
        ("regrets", {"replays": ["r"], "methods": ["rnd"]}, "methods.0",
         "no method 'rnd'; known: random"),
        ("race", {"of": "muon", "over": "sgd"}, "of", "no optimizer 'muon'; known: sgd"),
        ("race", {"of": 8, "over": 0, "column": "shape.width"}, "over",
         "no shape.width 0; known: 8, 16"),
        ("winners", {"size": "widht"}, "size", "no column 'widht'; known: data, width"),
    ],
)  # fmt: skip
def test_values_of_options(kind, options, path, text):
    (problem,) = problems_of(kind, **options)
    assert problem.key == f"options.{path}"
    assert problem.text.startswith(text)


def test_columns_of_options_are_those_of_the_grid_that_a_figure_selects():
    runs = {**RUNS, "other": [replace(RUNS["sweep"][0], point={"method": "random"})]}
    texts = {"id": "f", "title": "t", "caption": "c", "kind": "loss"}
    for name, count in (("other", 0), ("sweep", 1)):
        entry = {**texts, "where": {"grid": name}, "options": {"panels": "method"}}
        problems = list(references.figure_problems(Figure.parse(entry), runs, ROWS))
        assert len(problems) == count
    assert problems_of("loss", where={"grid": "none"}, panels="method") == []  # `where` is wrong


def test_arms_that_an_axis_gives_as_mappings_are_texts_as_in_tables():
    optimizers = ["sgd", {"name": "adam", "eps": 1e-6}]
    planned = {"sweep": runs(Grid(VALID, {"optimizer": optimizers, "seed": [0]}))}
    (text,) = axis_column(optimizers[1:]).to_pylist()
    for arm, count in ((text, 0), ("adam", 1)):
        entry = {"id": "f", "title": "t", "caption": "c", "kind": "race"}
        figure = Figure.parse({**entry, "options": {"of": "sgd", "over": arm}})
        assert len(list(references.figure_problems(figure, planned, ROWS))) == count


def test_arms_of_a_column_of_lists_are_texts_as_in_tables():
    points = [replace(run, point={"mine": [1, 2]}) for run in RUNS["single"]]
    entry = {"id": "f", "title": "t", "caption": "c", "kind": "race"}
    for arm, count in (("[1,2]", 0), ("a", 2)):
        options = {"of": arm, "over": arm, "column": "mine"}
        figure = Figure.parse({**entry, "options": options})
        assert len(list(references.figure_problems(figure, {"single": points}, ROWS))) == count


def test_names_are_not_looked_for_where_nothing_is_planned():
    entry = {"id": "f", "title": "t", "caption": "c", "kind": "regrets"}
    figure = Figure.parse({**entry, "options": {"replays": ["any"]}})
    assert list(references.figure_problems(figure, {}, {})) == []
    loss = Figure.parse({**entry, "kind": "loss", "options": {"size": "any"}})
    assert list(references.figure_problems(loss, {}, {})) == []


def test_ids_that_stand_twice_are_named_at_both_places():
    problems = list(references.id_problems("claims", {0: "a", 2: "b", 3: "a"}))
    assert [problem.path for problem in problems] == [("claims", "0"), ("claims", "3")]
    assert problems[0].text == "the id 'a' occurs twice"


@pytest.mark.parametrize(
    ("entry", "path", "text"),
    [
        ({"where": {"width": 8}}, ("where",), "no column 'width'; known: "),
        ({"where": {"shape.width": 9}}, ("where",), "no run of this scale is selected by"),
        ({"where": {"model": {"min": 1}}}, ("where",), "{'model': {'min': 1}} bounds a column"),
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
    assert str(problem) == "counterparts.0.figures: 'g' is not an id of the study's figures"
