"""Conditions of a grid that select nothing, and points of a grid that are one run."""

from __future__ import annotations

import math

import pyarrow as pa
import pyarrow.parquet as pq
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


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "null"), (True, "true"), ("1", "'1'"), (math.nan, "nan"), (math.inf, "inf"),
     ([1], "[1]")],
)  # fmt: skip
@pytest.mark.parametrize("bound", ["min", "max"])
def test_bounds_are_numbers(bound, value, shown):
    for key in ("exclude", "only"):
        wrong = problems(**{key: [{"lr": {bound: value}}]})
        assert ((key, "0", "lr", bound), f"{shown} is not a finite number") in wrong
    wrong = problems(probes={"p": {**PROBE, "where": {"lr": {bound: value}}}})
    assert [path for path, _ in wrong] == [("probes", "p", "where", "lr", bound)]


@pytest.mark.parametrize("key", ["exclude", "only"])
def test_a_filter_without_axes_is_refused(key):
    text = "is a condition without axes, which every point meets"
    assert ((key, "1"), text) in problems(**{key: [{"seed": 0}, {}]})


def test_values_that_are_lists_can_be_selected():
    first, second = [0.9, 0.99], [0.9, 0.95]
    axes, base = {"optimizer.betas": [first, second]}, {**BASE, "optimizer": "adam"}
    condition = {"optimizer.betas": [first]}
    section = Grid.parse({"base": base, "axes": axes, "only": [condition]})
    runs, wrong = grid_checks.expand("g", section)
    assert [run.point["optimizer.betas"] for run in runs] == [first]
    assert wrong == []
    wrong = problems(axes, base, exclude=[{"optimizer.betas": [[0.9, 0.9]]}])
    assert wrong == [
        (
            ("exclude", "0", "optimizer.betas"),
            "no optimizer.betas [0.9, 0.9] in this grid; known: [0.9,0.99], [0.9,0.95]",
        )
    ]


def test_bounds_in_a_list_are_no_bounds():
    (problem,) = problems(exclude=[{"lr": [{"min": 0.2}, 0.1]}])
    assert problem == (("exclude", "0", "lr"), "no lr {min: 0.2} in this grid; known: 0.1, 0.316")


def test_values_that_never_stand_together_are_refused():
    axes = {"seed": [0, 1], "lr": [0.1, 0.2]}
    zipped = problems(axes, zip=[["seed", "lr"]], exclude=[{"seed": 0, "lr": 0.2}])
    (problem,) = zipped
    assert problem[0] == ("exclude", "0")
    assert "never stand together" in problem[1]
    assert problems(axes, exclude=[{"seed": 0, "lr": 0.2}]) == []


def test_values_that_stand_together_at_another_scale_are_accepted():
    exclude = [{"seed": 0, "lr": 0.2}]
    grid = Grid.parse({"base": BASE, "axes": {"seed": [0, 1], "lr": [0.1, 0.2]},
                       "exclude": exclude, "zip": [["seed", "lr"]]})  # fmt: skip
    whole = Grid.parse({"base": BASE, "axes": {"seed": [0, 1], "lr": [0.1, 0.2]}})
    other = Grid.parse({"base": BASE, "axes": {"seed": [0], "lr": [0.1]}})
    assert list(condition_checks.problems(grid, lambda: [other, whole])) == []
    assert len(list(condition_checks.problems(grid, lambda: [other]))) == 1


def test_a_value_that_no_scale_has_is_refused_whatever_values_the_scales_have():
    here, there = (
        Grid.parse({"base": BASE, "axes": {"lr": lrs}, "exclude": [{"lr": 0.3}]})
        for lrs in ([0.1, 0.2], [0.1, 0.2, 0.4])
    )
    (problem,) = condition_checks.problems(here, lambda: [there])
    assert problem.text == "no lr 0.3 in this grid; known: 0.1, 0.2"


@pytest.mark.parametrize("key", ["exclude", "only"])
def test_an_empty_list_is_named(key):
    ((path, text), *_) = problems(**{key: [{"lr": []}]})
    assert path == (key, "0", "lr")
    assert text == "is an empty list, which no point meets"


def test_long_lists_are_not_compared_value_by_value():
    """2,500 members on an axis of 5,000 values took 11 seconds."""
    count = 0

    class Counted(int):
        def __eq__(self, other):
            nonlocal count
            count += 1
            return int(self) == other

        __hash__ = int.__hash__

    axes, members = {"seed": [*range(2000)]}, [*map(Counted, range(1000))]
    grid = Grid.parse(
        {"base": BASE, "axes": axes, "probes": {"p": {**PROBE, "where": {"seed": members}}}}
    )
    assert list(condition_checks.problems(grid)) == []
    assert count < 10 * len(members)


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


TEXT = {"model": "gpt", "shape": {"width": 32, "depth": 1}, "base": {"width": 32, "depth": 1}}


def hugging_face(folder, *names):
    """The problems of a grid over folders with text."""
    data = {"name": "hugging_face", "context": 16, "test_fraction": 0.5}
    axes = {"data.directory": [str(folder / name) for name in names]}
    return problems(axes, {**BASE, **TEXT, "data": data})


def test_folders_with_the_same_files_are_one_data_set(tmp_path):
    """Two names of a folder give one key: a run would be trained once, and counted twice."""
    for name, text in (("here", "some text"), ("other", "other text")):
        (tmp_path / name).mkdir()
        pq.write_table(pa.table({"text": [text] * 9}), tmp_path / name / "train.parquet")
    (tmp_path / "link").symlink_to(tmp_path / "here")
    (problem,) = hugging_face(tmp_path, "here", "link")
    assert problem[0] == ("axes", "data.directory")
    assert "one and the same run" in problem[1]
    assert hugging_face(tmp_path, "here", "other") == []


def test_folders_that_are_not_there_yet_are_different(tmp_path):
    assert hugging_face(tmp_path, "here", "there") == []


def test_numbers_that_are_one_number_once_parsed_are_one_run():
    (problem,) = problems({"lr": [2**53, 2**53 + 1]})  # a learning rate is a float
    assert "one and the same run" in problem[1]


def test_points_that_differ_are_accepted():
    members = ["sgd", {"name": "sgd", "momentum": 0.5}, {"name": "sgd", "momentum": 0.9}]
    assert problems({"optimizer": members}) == []


def test_malformed_axes_of_other_scales_have_no_values():
    assert condition_checks.values_of({"lr": {"powers": {}}, "seed": [1]}, [{"seed": [2]}]) == {
        "lr": [],
        "seed": [1, 2],
    }
