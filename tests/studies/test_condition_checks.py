"""Conditions of a grid that select nothing, and points of a grid that are one run."""

from __future__ import annotations

import pytest
from tests.support.configs import load
from tests.support.project import STUDY
from tests.support.specs import VALID

from hypertransfer.studies import condition_checks, grid_checks
from hypertransfer.studies.document import ConfigError
from hypertransfer.studies.grid import Grid

BASE = {**VALID, "data": "fashion_mnist_subset"}
PROBE = {"probe": "hessian", "checkpoints": [0, 10]}
AXES = {"lr": [0.1, 0.316], "seed": [0, 1]}


def problems(axes=None, base=None, **more):
    section = Grid.parse({"base": base or BASE, "axes": axes or AXES, **more})
    return [(p.path[2:], p.text) for p in grid_checks.expand("g", section)[1]]


@pytest.mark.parametrize(
    ("key", "value", "path"),
    [
        ("exclude", [{"lr": 0.3}], ("exclude", "0", "lr")),
        ("exclude", [{"seed": 1}, {"lr": 0.3, "seed": 0}], ("exclude", "1", "lr")),
        ("only", [{"lr": [0.1, 0.3]}], ("only", "0", "lr")),
        ("overrides", [{"when": {"lr": 0.3}, "set": {"steps": 20}}],
         ("overrides", "0", "when", "lr")),
    ],
)  # fmt: skip
def test_a_value_that_no_point_has_is_refused(key, value, path):
    assert problems(**{key: value}) == [(path, "no lr 0.3 in this grid; known: 0.1, 0.316")]


def test_a_probe_that_measures_nothing_is_refused():
    wrong = problems(probes={"p": {**PROBE, "where": {"lr": 0.3}}})
    text = "no lr 0.3 in this grid; known: 0.1, 0.316"
    assert wrong == [(("probes", "p", "where", "lr"), text)]
    half = problems(probes={"p": {**PROBE, "where": {"lr": [0.1, 0.3]}}})
    assert [path for path, _ in half] == [("probes", "p", "where", "lr")]


def test_bounds_that_hold_no_value_are_refused():
    text = "no lr within {min: 1} in this grid; known: 0.1, 0.316"
    assert problems(exclude=[{"lr": {"min": 1}}]) == [(("exclude", "0", "lr"), text)]
    assert problems(exclude=[{"lr": {"min": 0.2}}]) == []


def test_bounds_on_texts_are_refused():
    axes = {"optimizer": ["sgd", "adamw"]}
    wrong = problems(axes, exclude=[{"optimizer": {"min": 1}}])
    text = "{min: 1} bounds an axis that does not hold numbers"
    assert (("exclude", "0", "optimizer"), text) in wrong


def test_values_that_never_stand_together_are_refused():
    axes = {"seed": [0, 1], "lr": [0.1, 0.2]}
    zipped = problems(axes, zip=[["seed", "lr"]], exclude=[{"seed": 0, "lr": 0.2}])
    (problem,) = zipped
    assert problem[0] == ("exclude", "0")
    assert "never stand together" in problem[1]
    assert problems(axes, exclude=[{"seed": 0, "lr": 0.2}]) == []


def test_values_of_overrides_are_known():
    overrides = [{"when": {"seed": 1}, "axes": {"lr": [0.3]}}]
    assert problems({"seed": [0, 1], "lr": [0.1]}, overrides=overrides, exclude=[{"lr": 0.3}]) == []


def test_conditions_on_values_of_another_scale_are_accepted(tmp_path):
    study = with_condition(STUDY, 0.3)
    with pytest.raises(ConfigError, match=r"grids\.sweep\.exclude\.0\.lr: no lr 0\.3 in this grid"):
        load(tmp_path, study)
    load(tmp_path, {**study, "scales": {"paper": {"grids": {"sweep": {"axes": {"lr": [0.3]}}}}}})


def with_condition(study, lr):
    sweep = {**study["grids"]["sweep"], "exclude": [{"lr": lr}]}
    return {**study, "grids": {**study["grids"], "sweep": sweep}}


@pytest.mark.parametrize(
    "axes",
    [
        {"model.strength": [1, 1.0]},
        {"shape.width": [8, 8.0]},
        {"weight_decay": [0.0, -0.0]},
        {"optimizer": ["sgd", {"name": "sgd"}]},
        {"optimizer": ["sgd", {"name": "sgd", "momentum": 0}]},
        {"optimizer": ["sgd", {"name": "sgd", "momentum": 0.0}]},
        {"checkpoints": [[0, 8], [8, 0]]},
        {"schedule": [{"name": "constant"}, {}]},
        {"shape": [{"width": 8, "depth": 1}, {"width": 8, "depth": 1, "granularity": 1}]},
    ],
)
def test_points_that_are_one_run_are_refused(axes):
    base = {**BASE, "model": "residual_mlp"}
    (problem,) = problems(axes, base)
    assert problem[0] == ("axes", *axes)
    assert "occurs twice" in problem[1] or "one and the same run" in problem[1]


def test_points_that_differ_are_accepted():
    members = ["sgd", {"name": "sgd", "momentum": 0.5}, {"name": "sgd", "nesterov": True}]
    assert problems({"optimizer": members}) == []


def test_malformed_axes_of_other_scales_have_no_values():
    assert condition_checks.values_of({"lr": {"powers": {}}, "seed": [1]}, [{"seed": [2]}]) == {
        "lr": [],
        "seed": [1, 2],
    }
