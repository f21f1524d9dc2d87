"""Checks of grids: the runs that come out, and the key at which each problem stands."""

from __future__ import annotations

import pytest
from tests.support.specs import VALID

from hypertransfer.studies import grid_checks
from hypertransfer.studies.grid import Grid

BASE = {**VALID, "data": "fashion_mnist_subset"}
PROBE = {"probe": "hessian", "checkpoints": [0, 10]}
NOISE = {**PROBE, "probe": "gradient_noise"}


def expand(axes, base=None, **more):
    return grid_checks.expand("g", Grid.parse({"base": base or BASE, "axes": axes, **more}))


def test_a_sound_grid_has_its_runs_and_no_problems():
    runs, problems = expand({"lr": [0.1, 0.2], "seed": [0, 1]}, probes={"sharp": PROBE})
    assert len(runs) == 4
    assert all(run.spec.checkpoints == (0, 10) for run in runs)
    assert problems == []


@pytest.mark.parametrize(
    ("grid", "path", "text"),
    [
        ({"axes": {"lr": [0.1, -1]}}, ("axes", "lr"), "-1 is not above 0"),
        ({"axes": {"seed": [0]}, "base": {**BASE, "lr": -1}}, ("base", "lr"), "-1 is not above 0"),
        ({"axes": {"model": ["conv", {"name": "conv", "bias": 1}]}}, ("axes", "model"),
         "1 is not accepted: conv has no option 'bias'"),
        ({"axes": {"seed": [0]}, "base": {**BASE, "data": "digits"}}, ("base", "data"),
         "'digits' is not usable with conv"),
        ({"axes": {"seed": [0, 1]},
          "overrides": [{"when": {"seed": 1}, "set": {"optimizer.momentum": 2}}]},
         ("overrides", "0", "set", "optimizer.momentum"), "2 is not below 1"),
        ({"axes": {"seed": [0, 1], "lr": [1]},
          "overrides": [{"when": {"seed": 1}, "axes": {"lr": [-2]}}]},
         ("overrides", "0", "axes", "lr"), "-2 is not above 0"),
        ({"axes": {"seed": [0]}, "probes": {"p": {**PROBE, "checkpoints": [11]}}},
         ("probes", "p", "checkpoints"), "[11] is not within the run's 10 steps"),
        ({"axes": {"seed": [0]}, "probes": {"p": {**PROBE, "probe": "preconditioned"}}},
         ("base", "optimizer"), "'sgd' is not adam or adamw"),
        ({"axes": {"seed": [0]}, "probes": {"p": {**NOISE, "samples": 8}}},
         ("probes", "p", "samples"),
         "8 is not such that samples (8) is a multiple of batches (16)"),
        ({"axes": {"seed": [0]}, "probes": {"p": {**NOISE, "batches": 20}}},
         ("probes", "p", "batches"),
         "20 is not such that samples (256) is a multiple of batches (20)"),
        ({"axes": {"seed": [0]}, "probes": {"p": {**PROBE, "sample": 3}}},
         ("probes", "p", "sample"), "unknown setting; known: samples"),
        ({"axes": {"seed": [0]}, "exclude": [{"seed": 0}]}, (), "exclude and only leave no run"),
        ({"axes": {"seed": [0]}, "base": {**BASE, "step": 9}}, ("base", "step"),
         "is not a key of a run; known: model, shape"),
        ({"axes": {"step": [8, 9]}}, ("axes", "step"), "is not a key of a run"),
        ({"axes": {"seed": [0, 1]}, "overrides": [{"when": {"seed": 1}, "set": {"step": 9}}]},
         ("overrides", "0", "set", "step"), "is not a key of a run"),
        ({"axes": {"shape.widht": [8, 9]}}, ("axes", "shape.widht"),
         "is not a key of shape; known: width, depth, granularity; did you mean 'width'?"),
        ({"axes": {"schedule.warmp": [1, 2]}}, ("axes", "schedule.warmp"),
         "is not a key of schedule; known: name, warmup, decay, final; did you mean 'warmup'?"),
        ({"axes": {"multipliers.lr.typs": [{"weight": 2}]}}, ("axes", "multipliers.lr.typs"),
         "is not a key of multipliers.lr; known: types, depth; did you mean 'types'?"),
        ({"axes": {"shape": [{"widht": 8, "depth": 1}]}, "base": {**BASE, "shape": None}},
         ("axes", "shape"), "is not a key of shape; known: width"),
        ({"axes": {"seed": [0]}, "base": {**BASE, "shape": {"widht": 8, "depth": 1}}},
         ("base", "shape", "widht"), "is not a key of shape; known: width"),
        ({"axes": {"seed": [0, 1]},
          "overrides": [{"when": {"seed": 1}, "set": {"schedule": {"warmp": 1}}}]},
         ("overrides", "0", "set", "schedule"), "is not a key of schedule"),
        ({"axes": {"seed": [0, 1], "schedule": [{"warmup": 1}]},
          "overrides": [{"when": {"seed": 1}, "axes": {"schedule": [{"warmp": 1}]}}]},
         ("overrides", "0", "axes", "schedule"), "is not a key of schedule"),
        ({"axes": {"stepps": [8, 9]}}, ("axes", "stepps"), "is not a key of a run; known: model, "),
        ({"axes": {"lr": [0.01, 0.02]}, "exclude": [{"lr": 0.02}],
          "probes": {"p": {**PROBE, "where": {"lr": 0.02}}}},
         ("probes", "p", "where"), "no run of this scale is selected by {lr: 0.02}"),
    ],
)  # fmt: skip
def test_a_problem_stands_at_the_key_that_gives_the_value(grid, path, text):
    _, problems = expand(**grid)
    assert {problem.path for problem in problems} == {("grids", "g", *path)}
    assert all(problem.text.startswith(text) for problem in problems)


def test_a_misspelt_axis_is_one_problem():
    _, problems = expand({"shape.widht": [8, 16], "seed": [0, 1]})
    assert len({(problem.path, problem.text) for problem in problems}) == 1


def test_an_option_that_a_data_set_lacks_is_named_where_only_the_data_set_is_written():
    _, (problem,) = expand({"seed": [0]}, {**BASE, "data": "cifar10"})
    assert problem.path == ("grids", "g", "base", "data")
    assert problem.text.startswith("cifar10 needs the option directory: ")


def test_values_that_no_table_can_scale_are_refused():
    base = {**BASE, "parameterisation": "mup", "optimizer": {"name": "adamw"}}
    assert expand({"seed": [0]}, base)[1] == []
    _, problems = expand({"seed": [0]}, {**base, "parameterisation": "tests.none:T"})
    assert [problem.path for problem in problems] == [("grids", "g", "base", "parameterisation")]


@pytest.mark.parametrize(
    "axes",
    [
        {"lr": [0.1], "seed": {"as_needed": [3, 4]}},
        {"lr": {"adaptive": {"start": "2^-3", "rounds": 2, "octaves": 4}}, "seed": {"range": 3}},
    ],
)
def test_a_timed_probe_needs_a_grid_whose_runs_are_listed(axes):
    """The runs with which a run takes turns are part of its key, before any result is known."""
    timed = {"probe": "step_time", "checkpoints": [0]}
    _, problems = expand(axes, probes={"time": timed, "sharp": {**PROBE, "checkpoints": [0]}})
    (problem,) = problems
    assert problem.path == ("grids", "g", "probes", "time", "probe")
    assert "give the probe a grid of its own" in problem.expected
    _, problems = expand({"lr": [0.1], "seed": {"range": 3}}, probes={"time": timed})
    assert problems == []


@pytest.mark.parametrize(("probe", "is_refused"), [("ntk", True), ("hessian", False)])
@pytest.mark.parametrize(
    "source", ["def step(model, batch): ...", "def step(model, /, batch): ..."]
)
def test_probes_of_outputs_take_no_training_step(tmp_path, monkeypatch, probe, is_refused, source):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(source, encoding="utf-8")
    grid = {"base": {**BASE, "loss": "mine:step"}, "axes": {"seed": [0]}}
    _, problems = expand(**grid, probes={"p": {**PROBE, "probe": probe}})
    text = "'mine:step' is not a loss of outputs and targets, which the probe p needs"
    assert [str(problem) for problem in problems] == (
        [f"grids.g.base.loss: {text}"] if is_refused else []
    )
