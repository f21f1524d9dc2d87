"""Checks of grids: the runs that come out, and the key at which each problem stands."""

from __future__ import annotations

import pytest
from tests.support.specs import VALID

from hypertransfer.studies import grid_checks
from hypertransfer.studies.grid import Grid

BASE = {**VALID, "data": "fashion_mnist_subset"}
PROBE = {"probe": "hessian", "checkpoints": [0, 10]}


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
        ({"axes": {"seed": [0]}, "probes": {"p": {**PROBE, "sample": 3}}},
         ("probes", "p", "sample"), "unknown setting; known: samples"),
        ({"axes": {"seed": [0]}, "exclude": [{"seed": 0}]}, (), "exclude and only leave no run"),
        ({"axes": {"seed": [0]}, "base": {**BASE, "step": 9}}, ("base", "step"),
         "is not a key of a run; known: model, shape"),
        ({"axes": {"step": [8, 9]}}, ("axes", "step"), "is not a key of a run"),
        ({"axes": {"seed": [0, 1]}, "overrides": [{"when": {"seed": 1}, "set": {"step": 9}}]},
         ("overrides", "0", "set", "step"), "is not a key of a run"),
        ({"axes": {"lr": [0.01, 0.02]}, "exclude": [{"lr": 0.02}],
          "probes": {"p": {**PROBE, "where": {"lr": 0.02}}}},
         ("probes", "p", "where"), "no run of this scale is selected by {lr: 0.02}"),
    ],
)  # fmt: skip
def test_a_problem_stands_at_the_key_that_gives_the_value(grid, path, text):
    _, problems = expand(**grid)
    assert {problem.path for problem in problems} == {("grids", "g", *path)}
    assert all(problem.text.startswith(text) for problem in problems)


def test_values_that_no_table_can_scale_are_refused():
    base = {**BASE, "parameterisation": "mup", "optimizer": {"name": "adamw"}}
    assert expand({"seed": [0]}, base)[1] == []
    _, problems = expand({"seed": [0]}, {**base, "parameterisation": "tests.none:T"})
    assert [problem.path for problem in problems] == [("grids", "g", "base", "parameterisation")]
