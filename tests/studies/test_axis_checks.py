"""Axes of a grid that do not go together: with the base, in zips, and as one design."""

from __future__ import annotations

import pytest
from tests.support.specs import VALID

from hypertransfer.studies import axis_checks
from hypertransfer.studies.grid import Grid


def problems(axes, **more):
    grid = Grid.parse({"base": VALID, "axes": axes, **more})
    return [str(error) for error in axis_checks.problems(grid)]


@pytest.mark.parametrize(
    ("base", "axes", "lost"),
    [
        ({"optimizer": {"name": "sgd", "momentum": 0.9}}, {"optimizer": ["sgd"]}, "momentum"),
        ({"optimizer": {"name": "sgd", "momntum": 0.9}},
         {"optimizer": [{"name": "sgd", "momentum": 0.5}]}, "momntum"),
        ({"schedule": {"name": "linear", "warmup": 2}}, {"schedule": [{"name": "cosine"}]},
         "warmup"),
        ({"shape": {"width": 8, "depth": 1, "granularity": 2}},
         {"shape": [{"width": 8, "depth": 1}]}, "granularity"),
    ],
)  # fmt: skip
def test_options_of_the_base_that_an_axis_would_drop_are_refused(base, axes, lost):
    (problem,) = axis_checks.problems(Grid.parse({"base": {**VALID, **base}, "axes": axes}))
    assert problem.path == ("base", *axes)
    assert problem.text.startswith(f"{lost} would be lost, since the axis {next(iter(axes))} ")


def test_options_of_the_base_that_an_axis_keeps_are_accepted():
    base = {**VALID, "optimizer": {"name": "sgd", "momentum": 0.9}}
    for axes in ({"optimizer": [{"name": "sgd", "momentum": 0}]}, {"optimizer.nesterov": [True]}):
        assert list(axis_checks.problems(Grid.parse({"base": base, "axes": axes}))) == []


@pytest.mark.parametrize(
    ("zipped", "axis"),
    [([["lr", "seed"], ["seed", "steps"]], "seed"), ([["lr", "lr"]], "lr"),
     ([["steps", "seed"], ["steps", "seed"]], "steps")],
)  # fmt: skip
def test_an_axis_is_zipped_once(zipped, axis):
    axes = {"lr": [0.1, 0.2], "seed": [0, 1], "steps": [5, 6]}
    for order in (axes, dict(reversed(axes.items()))):
        found = problems(order, zip=zipped)
        assert f"zip: names {axis} 2 times: write all axes that move together in one list" in found
    assert problems(axes, zip=[["lr", "seed", "steps"]]) == []


def design(*columns):
    names = ("lr", "weight_decay", "divergence")
    ends = {"from": 0.1, "to": 1, "points": 4}
    return {
        name: {"sobol": {**ends, "column": column}}
        for name, column in zip(names, columns, strict=False)
    }


def test_columns_of_a_design_are_not_combined_with_each_other():
    found = problems({**design(0, 1), "seed": [0, 1, 2, 3]}, zip=[["weight_decay", "seed"]])
    text = "is one column of a Sobol design: zip it with the other columns"
    assert found == [f"axes.lr: {text}", f"axes.weight_decay: {text}"]
    assert problems(design(0, 1), zip=[["lr", "weight_decay"]]) == []
    assert problems({**design(0), "seed": [0, 1]}) == []


def test_columns_of_a_design_differ():
    found = problems(design(2, 0, 2), zip=[["lr", "weight_decay", "divergence"]])
    assert found == [
        "axes.lr: has the column of divergence, 2: give each axis its own",
        "axes.divergence: has the column of lr, 2: give each axis its own",
    ]
