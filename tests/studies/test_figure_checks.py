"""Figures: kinds, options, names that options refer to, and the runs that figures read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.planned import PLANNED, ROWS, RUNS
from tests.support.specs import VALID

from hypertransfer.catalogue.cards.figures import FIGURES
from hypertransfer.storage.parquet import axis_column
from hypertransfer.studies import figure_checks
from hypertransfer.studies.figure import Figure
from hypertransfer.studies.grid import Grid, Probe, runs
from hypertransfer.studies.planned import Planned, ScaleValues

OPTIONS = [(kind, option) for kind, card in FIGURES.items() for option in card.options]


def problems_of(kind, where=None, **options):
    """Problems of a figure, beside options that are missing."""
    texts = {"id": "f", "title": "t", "caption": "c", "kind": kind, "where": where or {}}
    figure = Figure.parse({**texts, "options": options})
    problems = figure_checks.figure_problems(figure, PLANNED)
    return [problem for problem in problems if not problem.text.startswith("is missing")]


def test_the_kind_of_a_figure_is_known():
    assert problems_of("optimum") == []
    (problem,) = problems_of("los")
    assert str(problem).startswith("kind: 'los' is not one of overview, sharpness, loss")


def test_options_that_a_kind_needs_are_given():
    figure = Figure.parse({"id": "f", "title": "t", "caption": "c", "kind": "heat_map"})
    found = [str(problem) for problem in figure_checks.figure_problems(figure, PLANNED)]
    assert found == [f"options.{axis}: is missing, and heat_map needs it" for axis in ("x", "y")]


@pytest.mark.parametrize("kind", FIGURES)
def test_an_option_that_a_kind_does_not_have(kind):
    (problem,) = problems_of(kind, x_=1)
    known = ", ".join(FIGURES[kind].options) or "none"
    assert str(problem).startswith(f"options.x_: unknown option of {kind}; known: {known}")


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
        ("along", {"quantities": ["ntk", "ntk"]}, "quantities", "'ntk' occurs twice"),
        ("regrets", {"replays": ["r", "r"]}, "replays", "'r' occurs twice"),
        ("along", {"level": "8"}, "level", "'8' is not a number or null"),
        ("along", {"sweep": "yes"}, "sweep", "'yes' is not true or false"),
        ("inflation", {"quantity": "size"}, "quantity", "'size' is not one of volume, share"),
        ("guidelines", {"parts": [{"title": "t", "grid": "sweep"}]}, "parts.0",
         "the key 'column' is missing"),
        ("guidelines", {"parts": [{"title": "t", "grid": "sweep", "column": "lr", "title_": 1}]},
         "parts.0.title_", "unknown key; known: title, grid, column, titles"),
        ("loss", {"size": "width"}, "size", "no column 'width'; known: shape.width, "),
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
        ("race", {"of": True, "over": "sgd"}, "of",
         "true is not an arm, which is a value of `column` (put true and false in quotes)"),
        ("winners", {"size": "widht"}, "size", "no column 'widht'; known: data, width"),
    ],
)  # fmt: skip
def test_values_of_options(kind, options, path, text):
    (problem,) = problems_of(kind, **options)
    assert problem.key == f"options.{path}"
    assert problem.text.startswith(text)


def test_columns_of_options_are_those_of_the_grid_that_a_figure_selects():
    others = [replace(RUNS["sweep"][0], point={"method": "random"})]
    planned = Planned({**RUNS, "other": others}, ROWS)
    texts = {"id": "f", "title": "t", "caption": "c", "kind": "loss"}
    for name, count in (("other", 0), ("sweep", 1)):
        entry = {**texts, "where": {"grid": name}, "options": {"panels": "method"}}
        problems = list(figure_checks.figure_problems(Figure.parse(entry), planned))
        assert len(problems) == count
    assert problems_of("loss", where={"grid": "none"}, panels="method") == []  # `where` is wrong


def test_arms_that_an_axis_gives_as_mappings_are_texts_as_in_tables():
    optimizers = ["sgd", {"name": "adam", "eps": 1e-6}]
    planned = Planned({"sweep": runs(Grid(VALID, {"optimizer": optimizers, "seed": [0]}))})
    (text,) = axis_column(optimizers[1:]).to_pylist()
    for arm, count in ((text, 0), ("adam", 1)):
        entry = {"id": "f", "title": "t", "caption": "c", "kind": "race"}
        figure = Figure.parse({**entry, "options": {"of": "sgd", "over": arm}})
        assert len(list(figure_checks.figure_problems(figure, planned))) == count


def test_arms_of_a_column_of_truth_values_are_texts_as_in_tables():
    flags = [False, True]
    base = {**VALID, "optimizer": {"name": "sgd", "momentum": 0.5}}
    planned = Planned({"sweep": runs(Grid(base, {"optimizer.nesterov": flags, "seed": [0]}))})
    of, over = axis_column(flags).to_pylist()
    options = {"of": of, "over": over, "column": "optimizer.nesterov"}
    entry = {"id": "f", "title": "t", "caption": "c", "kind": "race", "options": options}
    assert list(figure_checks.figure_problems(Figure.parse(entry), planned)) == []


def test_arms_of_a_column_of_lists_are_texts_as_in_tables():
    points = [replace(run, point={"mine": [1, 2]}) for run in RUNS["single"]]
    entry = {"id": "f", "title": "t", "caption": "c", "kind": "race"}
    points += [replace(run, point={"mine": [3]}) for run in RUNS["single"]]
    for arm, count in (("[1,2]", 0), ("a", 1)):
        options = {"of": arm, "over": "[3]", "column": "mine"}
        figure = Figure.parse({**entry, "options": options})
        assert (
            len(list(figure_checks.figure_problems(figure, Planned({"single": points})))) == count
        )


def test_names_are_not_looked_for_where_nothing_is_planned():
    entry = {"id": "f", "title": "t", "caption": "c", "kind": "regrets"}
    figure = Figure.parse({**entry, "options": {"replays": ["any"]}})
    assert list(figure_checks.figure_problems(figure, Planned({}))) == []
    loss = Figure.parse({**entry, "kind": "loss", "options": {"size": "any"}})
    assert list(figure_checks.figure_problems(loss, Planned({}))) == []


WIDTHS = {"parameterisation": ["mup", "sp"], "shape.width": [8, 16], "lr": [0.1], "seed": [0]}
TWO_ARMS = Planned(
    {"sweep": runs(Grid(VALID, WIDTHS)), "copy": runs(Grid(VALID, WIDTHS))},
    ROWS,
    {"sweep": {"sharp": Probe("hessian", [0])}, "copy": {}},
)
RACE = {"of": "mup", "over": "sp", "column": "parameterisation"}
ARMS = {"quantities": ["seconds"], "column": "parameterisation"}
TWINS = "several runs at "


@pytest.mark.parametrize(
    ("kind", "where", "options", "key", "text"),
    [
        ("race", {"grid": "sweep"}, RACE, "where",
         f"{TWINS}parameterisation mup, steps 10, lr 0.1, seed 0: they differ in shape.width: 8"),
        ("race", {"grid": "sweep"}, {**RACE, "over": "mup"}, "options.over",
         "'mup' is the value of `of`, too"),
        ("sharpness", {"grid": "sweep"}, {"size": "optimizer"}, "options.size",
         "'optimizer' holds 'sgd', which is not a positive number; known: shape.width"),
        ("sharpness", {"grid": "copy"}, {}, "where",
         "scaled_sharpness needs a probe of the kind hessian, and no selected run has one"),
        ("density", {"grid": "sweep"}, {}, "where", "nodes needs a probe of the kind density"),
        ("along", {"grid": "sweep"}, {"quantities": ["ntk"]}, "options.quantities.0",
         "ntk needs a probe of the kind ntk, and no selected run has one"),
        ("along", {"grid": "sweep"}, {"quantities": ["train_loss"], "level": 2}, "options.level",
         "has no effect"),
        ("along", {}, {"quantities": ["train_loss"], "sweep": True}, "where",
         f"{TWINS}parameterisation mup, shape.width 8, lr 0.1, seed 0: they differ in grid"),
        ("gaps", {"grid": ["sweep", "copy"]}, {"quantities": ["sharpness"]}, "where", TWINS),
        ("gaps", {"grid": "sweep", "parameterisation": "mup"},
         {"quantities": ["sharpness"], "relative": ["train_loss"]}, "options.relative.0",
         "'train_loss' has no panel; known: sharpness"),
        ("lr_sweep", {}, {}, "where", f"{TWINS}parameterisation mup, shape.width 8, lr 0.1, seed"),
        ("lr_sweep", {"grid": "sweep"}, {"axis": "model"}, "options.axis", "'model' holds 'conv'"),
        ("lr_sweep", {"grid": "sweep"}, {"titles": {"mupp": "X"}}, "options.titles.mupp",
         "nothing in the study has this name; known: mup, sp; did you mean 'mup'?"),
        ("optimum", {"grid": "sweep"}, {"titles": {"swep": "X"}}, "options.titles.swep",
         "nothing in the study has this name; known: sweep"),
        ("overview", {"grid": "sweep"}, {"dynamics": "copy", "sweep": "sweep"}, "options.dynamics",
         "no grid 'copy'; known: sweep"),
        ("overview", {}, {"dynamics": "copy", "sweep": "sweep"}, "where",
         "scaled_sharpness needs a probe of the kind hessian, and no selected run has one"),
        ("instances", {"grid": "sweep"}, {}, "where",
         f"{TWINS}grid sweep, shape.width 8, lr 0.1, seed 0: they differ in parameterisation"),
        ("frontier", {"grid": "sweep"}, {}, "where", f"{TWINS}optimizer sgd, batch_size 32"),
        ("frontier", {"grid": "sweep"}, {"size": "data"}, "options.size", "'data' holds 'digits'"),
        ("heat_map", {}, {"x": "model", "y": "lr"}, "options.x", "'model' holds 'conv', which is"),
        ("heat_map", {}, {"x": "lr", "y": "lr"}, "options.y", "'lr' is the value of `x`, too"),
        ("heat_map", {"grid": "sweep"}, {"x": "lr", "y": "shape.width"}, "where",
         f"{TWINS}lr 0.1, shape.width 8, seed 0: they differ in parameterisation: mup, sp"),
        ("law", {"grid": "sweep"}, {}, "where",
         f"{TWINS}parameterisation mup, steps 10, seed 0: they differ in shape.width: 8, 16"),
        ("loss", {"grid": "sweep"}, {"panels": "data"}, "where",
         f"{TWINS}data digits, shape.width 8, seed 0: they differ in parameterisation: mup, sp"),
        ("loss", {}, {}, "where", f"{TWINS}parameterisation mup, shape.width 8, seed 0: they diff"),
        ("sharpness", {"grid": "sweep"}, {"panels": "data"}, "where",
         f"{TWINS}data digits, shape.width 8, seed 0: they differ in parameterisation: mup, sp"),
        ("along", {"grid": "sweep"}, {"quantities": ["train_loss"], "panels": "data"}, "where",
         f"{TWINS}data digits, shape.width 8, seed 0: they differ in parameterisation: mup, sp"),
        ("levels", {"grid": "sweep"}, {"quantities": ["sharpness"], "size": "lr"}, "options.size",
         "2 values of lr have to be selected, and only 0.1 is"),
        ("arms", {"grid": "sweep"}, {"quantities": ["seconds"]}, "where",
         f"{TWINS}model conv, optimizer sgd, lr 0.1, seed 0: they differ in"),
        ("search_progress", {"grid": "sweep"}, {}, "where",
         "the runs of the grid sweep have no column 'method', which search_progress reads"),
        ("multipliers", {"grid": "sweep"}, {}, "where", "the runs of the grid sweep have no"),
        ("slices", {"grid": "sweep"}, {}, "where", "the runs of the grid sweep have no column"),
        ("arms", {"grid": "sweep"}, {"quantities": ["ntk"]}, "options.quantities.0",
         "ntk needs a probe of the kind ntk, and no selected run has one"),
        ("arms", {"grid": "sweep"}, {"quantities": ["seconds"], "tuned_at": "data"},
         "options.tuned_at", "'data' holds 'digits'"),
        ("arms", {"grid": "sweep"},
         {"quantities": ["seconds"], "best": True, "tuned_at": "shape.width"}, "options.best",
         "has no effect: tuned_at chooses"),
        ("guidelines", {}, {"parts": [{"title": "t", "grid": "sweep", "column": "data"}]},
         "where", f"{TWINS}data digits, lr 0.1, seed 0"),
        ("guidelines", {"parameterisation": "mup", "shape.width": 8},
         {"parts": [{"title": "t", "grid": "sweep", "column": "data"}]},
         "options.parts.0.column", "the grid sweep has no two values of data"),
        ("guidelines", {"shape.width": 8}, {"parts": [
            {"title": "t", "grid": "sweep", "column": "parameterisation", "titles": {"mpu": "x"}}]},
         "options.parts.0.titles.mpu", "nothing in the study has this name; known: mup, sp"),
        ("regrets", {"grid": "sweep"}, {"replays": ["r"]}, "where",
         "has no effect: regrets reads no runs"),
        ("regrets", {}, {"replays": ["r"], "titles": {"bx": "x"}}, "options.titles.bx",
         "nothing in the study has this name; known: random, box, r"),
        ("regions", {}, {"replays": ["r"], "x": "lr", "y": "model", "regions": ["box"]},
         "options.y", "replay r: no dimension 'model'; known: lr, steps"),
        ("regions", {}, {"replays": ["r"], "x": "lr", "y": "lr", "regions": ["box"]},
         "options.y", "'lr' is the value of `x`, too"),
        ("regions", {}, {"replays": ["r"], "x": "lr", "y": "steps", "regions": ["bax"]},
         "options.regions.0", "replay r: no region 'bax'; known: box"),
        ("inflation", {}, {"replays": ["r"], "region": "bax"}, "options.region",
         "replay r: no region 'bax'; known: box"),
        ("winners", {}, {"suites": ["s"], "dimension": "lr", "size": "data"}, "options.size",
         "'data' holds no numbers in the suite s"),
        ("winners", {}, {"suites": ["s"], "dimension": "lrr", "size": "width"},
         "options.dimension", "suite s: no dimension 'lrr'; known: lr"),
    ],
)  # fmt: skip
def test_what_a_figure_would_fail_on_is_found_at_planning(kind, where, options, key, text):
    entry = {"id": "f", "title": "t", "caption": "c", "kind": kind, "where": where}
    figure = Figure.parse({**entry, "options": options})
    ((first, found),) = [(p.key, p.text) for p in figure_checks.figure_problems(figure, TWO_ARMS)]
    assert first == key
    assert found.startswith(text)


@pytest.mark.parametrize(
    ("kind", "where", "options"),
    [
        ("race", {"grid": "sweep", "shape.width": 8}, RACE),
        ("sharpness", {"grid": "sweep"}, {}),
        ("along", {"grid": "sweep"}, {"quantities": ["sharpness"], "level": 2}),
        ("gaps", {"grid": "sweep", "parameterisation": "mup"}, {"quantities": ["sharpness"]}),
        ("lr_sweep", {"grid": "sweep"}, {"titles": {"mup": "X", "copy": "of another figure"}}),
        ("overview", {}, {"dynamics": "sweep", "sweep": "copy"}),
        ("optimum", {}, {"titles": {"sweep": "X"}}),
        ("heat_map", {"grid": "sweep", "parameterisation": "sp"}, {"x": "lr", "y": "shape.width"}),
        ("law", {"grid": "sweep", "shape.width": 8}, {}),
        ("loss", {"grid": "sweep"}, {}),
        ("arms", {"grid": "sweep", "shape.width": 8}, ARMS),
        ("arms", {"grid": "sweep"}, {**ARMS, "rows": "shape.width"}),
        ("regions", {}, {"replays": ["r"], "x": "lr", "y": "steps", "regions": ["box"]}),
        ("winners", {}, {"suites": ["s"], "dimension": "lr", "size": "width"}),
        ("regrets", {}, {"replays": ["r"], "titles": {"box": "x", "r": "y"}}),
    ],
)
def test_figures_on_what_is_planned(kind, where, options):
    entry = {"id": "f", "title": "t", "caption": "c", "kind": kind, "where": where}
    figure = Figure.parse({**entry, "options": options})
    assert list(figure_checks.figure_problems(figure, TWO_ARMS)) == []


def test_titles_of_names_at_another_scale_are_kept():
    paper = {"sweep": {"parameterisation": ["ntp"]}}
    planned = Planned(TWO_ARMS.runs, ROWS, {}, lambda: [ScaleValues(paper, {})])
    entry = {"id": "f", "title": "t", "caption": "c", "kind": "loss", "where": {"grid": "sweep"}}
    for name, count in (("ntp", 0), ("npt", 1)):
        figure = Figure.parse({**entry, "options": {"titles": {name: "X"}}})
        assert len(list(figure_checks.figure_problems(figure, planned))) == count


@pytest.mark.parametrize(
    ("kind", "options", "place"),
    [
        ("sharpness", {}, "where"),
        ("overview", {"dynamics": "sweep", "sweep": "copy"}, "where"),
        ("along", {"quantities": ["scaled_sharpness"]}, "options.quantities.0"),
        ("levels", {"quantities": ["scaled_sharpness"]}, "options.quantities.0"),
        ("gaps", {"quantities": ["scaled_sharpness"]}, "options.quantities.0"),
        ("arms", {"quantities": ["scaled_sharpness"], "column": "parameterisation"},
         "options.quantities.0"),
    ],
)  # fmt: skip
def test_a_quantity_of_two_probes_is_shown_of_one_that_is_named(kind, options, place):
    two = {"h": Probe("hessian", [0], {}, {"samples": 8}), "k": Probe("hessian", [0])}
    planned = replace(TWO_ARMS, probes={"sweep": two, "copy": {}})
    where = {} if kind == "overview" else {"grid": "sweep"}
    where |= {"gaps": {"parameterisation": "mup"}, "arms": {"shape.width": 8}}.get(kind, {})
    entry = {"id": "f", "title": "t", "caption": "c", "kind": kind, "where": where}

    def found(**more):
        figure = Figure.parse({**entry, "options": {**options, **more}})
        return [(p.key, p.text) for p in figure_checks.figure_problems(figure, planned)]

    text = "scaled_sharpness is measured by several probes, h, k: name one as the option probe"
    assert found() == [(place, text)]
    assert found(probe="k") == []
    planned = replace(planned, probes={"sweep": {"k": Probe("hessian", [0])}, "copy": {}})
    ((key, fault),) = found(probe="h")
    assert key == "options.probe"
    assert fault.startswith("no probe 'h' of the selected runs measures scaled_sharpness; known: k")


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
@pytest.mark.parametrize("wider", [False, True])
@pytest.mark.parametrize("kind", ["along", "levels", "arms"])
def test_grids_that_share_runs_have_probes_of_their_own(kind, wider, order):
    """A figure shows the probe of one grid, unless the other has more runs that it lacks."""
    axes = {**WIDTHS, "shape.width": [8] if kind == "arms" else [8, 16]}
    more = {**axes, "parameterisation": ["mup", "sp", "ntp"]}
    shared = runs(Grid(VALID, axes))
    placed = {"one": shared, "two": runs(Grid(VALID, more)) if wider else shared}
    probes = {"one": {"a": Probe("hessian", [0])}, "two": {"b": Probe("hessian", [0])}}
    planned = Planned({name: placed[name] for name in order}, {}, probes)
    options = {"quantities": ["scaled_sharpness"], "probe": "a"}
    options |= {"column": "parameterisation"} if kind == "arms" else {}
    entry = {"id": "f", "title": "t", "caption": "c", "kind": kind, "options": options}
    found = [p.text for p in figure_checks.figure_problems(Figure.parse(entry), planned)]
    text = (
        "the probe a does not measure scaled_sharpness in the grid two, where another probe "
        "does: select other grids in where"
    )
    assert found[:1] == ([text] if wider else [])


def test_arms_have_one_learning_rate_unless_an_option_chooses():
    rates = {**WIDTHS, "shape.width": [8], "lr": [0.1, 0.2]}
    planned = Planned({"sweep": runs(Grid(VALID, rates))})
    entry = {"id": "f", "title": "t", "caption": "c", "kind": "arms"}
    options = {"quantities": ["seconds"], "column": "parameterisation"}
    for more, count in (({}, 1), ({"best": True}, 0), ({"rows": "lr"}, 0)):
        figure = Figure.parse({**entry, "options": {**options, **more}})
        found = list(figure_checks.figure_problems(figure, planned))
        assert len(found) == count
        assert all(p.text.startswith("mup has several learning rates: set best") for p in found)


@pytest.mark.parametrize(("quantity", "count"), [("sharpness", 0), ("train_loss", 1)])
def test_of_several_runs_in_one_place_only_those_count_that_are_drawn(quantity, count):
    """A probe measures at one learning rate of two; a training loss is that of all runs."""
    rates = {**WIDTHS, "lr": [0.1, 0.2]}
    probes = {"sweep": {"p": Probe("hessian", [0], {"lr": 0.1})}}
    planned = Planned({"sweep": runs(Grid(VALID, rates))}, {}, probes)
    entry = {"id": "f", "title": "t", "caption": "c", "kind": "along"}
    for sweep, expected in ((False, count), (True, 0)):
        figure = Figure.parse({**entry, "options": {"quantities": [quantity], "sweep": sweep}})
        assert len(list(figure_checks.figure_problems(figure, planned))) == expected


@pytest.mark.parametrize(
    ("kind", "options", "text"),
    [
        ("regrets", {"replays": ["r"]}, "the table replays has no rows: the study has no replays"),
        ("regions", {"replays": ["r"], "x": "lr", "y": "steps", "regions": ["box"]},
         "the table regions has no rows: the study has no replays"),
        ("inflation", {"replays": ["r"], "region": "box"},
         "the table regions has no rows: the study has no replays"),
        ("winners", {"suites": ["s"], "dimension": "lr", "size": "width"},
         "the table winners has no rows: the study has no suites"),
    ],
)  # fmt: skip
def test_figures_of_replays_need_replays(kind, options, text):
    none = Planned(RUNS, {name: [] for name in ROWS})
    figure = Figure.parse({"id": "f", "title": "t", "caption": "c", "kind": kind,
                           "options": options})  # fmt: skip
    found = [(p.key, p.text) for p in figure_checks.figure_problems(figure, none)]
    assert found == [("kind", text)]


def test_columns_with_null_are_not_compared():
    grid = Grid(VALID, {"order_seed": [None, 1], "seed": [0]})
    planned = Planned({"sweep": runs(grid)})
    entry = {"id": "f", "title": "t", "caption": "c", "kind": "loss"}
    for where, count in (({}, 1), ({"order_seed": 1}, 0)):
        figure = Figure.parse({**entry, "where": where, "options": {"panels": "order_seed"}})
        problems = list(figure_checks.figure_problems(figure, planned))
        assert [p.text.split(":")[0] for p in problems] == [
            "'order_seed' is null in some runs"
        ] * count
