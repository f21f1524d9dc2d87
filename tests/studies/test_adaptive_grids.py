"""Grids with an adaptive axis: their arms, and the key at which each problem stands."""

from __future__ import annotations

import copy

import pytest
from tests.support import configs
from tests.support.adaptive import adaptive_study
from tests.support.specs import VALID

from hypertransfer.rounds import sweep
from hypertransfer.rounds.arm import Arm
from hypertransfer.rounds.curve import curve
from hypertransfer.rounds.settings import Adaptive
from hypertransfer.studies import adaptive_grids, grid_checks
from hypertransfer.studies.grid import Grid, runs

FOUND = {"adaptive": {"start": 0.125, "octaves": 4}}
BASE = {**VALID, "data": "fashion_mnist_subset"}


def grid(**changes) -> Grid:
    axes = {"shape.width": [8, 16], "lr": FOUND, "seed": [0, 1]}
    return Grid.parse({"base": BASE, "axes": axes, **changes})


def problems(**changes):
    _, found = grid_checks.expand("g", grid(**changes))
    return [(".".join(p.path), p.text) for p in found]


def test_a_sound_grid_plans_every_value_of_the_lattice():
    expanded, found = grid_checks.expand("g", grid())
    assert found == []
    assert len(expanded) == 2 * 5 * 2
    assert {run.spec.lr for run in expanded} == {2.0**k for k in range(-5, 0)}


def test_arms_differ_in_everything_but_the_adaptive_axis_and_the_seed():
    axes = {"optimizer": ["sgd", "adam"], "shape.width": [8, 16], "lr": FOUND, "seed": [0, 1]}
    section = grid(axes=axes)
    expanded = runs(section)
    arms = adaptive_grids.arms(section, expanded)
    assert [dict(arm.point) for arm in arms] == [
        {"optimizer": o, "shape.width": w} for o in ("sgd", "adam") for w in (8, 16)
    ]
    assert [arm.sizes for arm in arms] == [(3.0,), (4.0,)] * 2
    assert len({arm.family for arm in arms}) == 2
    for arm in arms:
        assert len(arm.indices) == 10
        assert {expanded[i].spec.shape.width for i in arm.indices} == {arm.point["shape.width"]}


def test_zipped_sizes_are_one_size():
    axes = {"shape.width": [8, 16], "shape.depth": [1, 2], "lr": FOUND, "seed": [0]}
    section = grid(axes=axes, zip=[["shape.width", "shape.depth"]])
    arms = adaptive_grids.arms(section, runs(section))
    assert [arm.sizes for arm in arms] == [(3.0,), (4.0,)]
    assert len({arm.family for arm in arms}) == 1


def zipped(**axes):
    section = grid(axes={**axes, "lr": FOUND, "seed": [0]}, zip=[list(axes)])
    return section, adaptive_grids.arms(section, runs(section))


def test_zipped_sizes_of_which_the_first_repeats_a_value_are_told_apart():
    _, arms = zipped(**{"shape.width": [8, 8, 16], "shape.depth": [1, 2, 4]})
    assert [arm.sizes for arm in arms] == [(0.0,), (1.0,), (2.0,)]
    section, arms = zipped(**{"shape.width": [4, 4, 8], "shape.depth": [1, 2, 2]})
    assert [arm.sizes for arm in arms] == [(2.0, 0.0), (2.0, 1.0), (3.0, 1.0)]
    planned = runs(section)
    ran = [
        Arm(
            one.point,
            one.family,
            one.sizes,
            one.settings,
            {(one.settings.notch(planned[i].point["lr"]), 0): str(i) for i in one.indices},
            {(notch, 0): 1.0 + abs(notch) for notch in (-1, 0, 1)},
        )
        for one in arms
    ]
    curves = [curve(one.losses, 1) for one in ran]
    assert [sweep.predicted(index, ran, curves) for index in range(3)] == [None, 0, 0]
    assert len(sweep.propose(ran, 2)) == 3


def test_arms_of_one_family_are_equal_in_what_is_zipped_with_a_size():
    _, arms = zipped(**{"shape.width": [8, 16, 32], "weight_decay": [0.1, 0.1, 0.2]})
    assert [arm.sizes for arm in arms] == [(3.0,), (4.0,), (5.0,)]
    assert arms[0].family == arms[1].family != arms[2].family


def test_overrides_give_points_a_start_of_their_own():
    override = {"when": {"shape.width": 16}, "axes": {"lr": {"adaptive": {"start": "2^-6"}}}}
    section = grid(overrides=[override])
    arms = adaptive_grids.arms(section, runs(section))
    assert [arm.settings for arm in arms] == [
        Adaptive(start=0.125, octaves=4),
        Adaptive(start="2^-6"),
    ]
    assert [len(arm.indices) for arm in arms] == [10, 26]


@pytest.mark.parametrize(
    ("changes", "path", "text"),
    [
        ({"axes": {"lr": FOUND, "weight_decay": FOUND, "seed": [0]}}, "g.axes.weight_decay",
         "is adaptive, as is lr"),
        ({"axes": {"seed": FOUND}}, "g.axes.seed", "list the seeds"),
        ({"inner": ["seed"]}, "g.inner", "write `inner: [lr, seed]`"),
        ({"axes": {"weight_decay": FOUND, "seed": [0]}}, "g.inner",
         "write `inner: [weight_decay, seed]`"),
        ({"zip": [["lr", "seed"]]}, "g.zip", "whose values are found"),
        ({"overrides": [{"when": {"shape.width": 8}, "axes": {"lr": [0.1]}}]},
         "g.overrides.0.axes.lr", "at some points only"),
        ({"axes": {"lr": {"adaptive": {"start": 1, "finest": 3}}, "seed": [0]}},
         "g.axes.lr.adaptive.finest", "the step 1, a half, a quarter"),
        ({"axes": {"shape.width": [8], "lr": {"adaptive": {"start": 1, "octaves": 2}}}},
         "g.axes.lr.adaptive.octaves", "at least 4 steps wide"),
    ],
)  # fmt: skip
def test_problems_stand_at_their_keys(changes, path, text):
    assert any(at == f"grids.{path}" and text in words for at, words in problems(**changes))


def named(tmp_path, change) -> list[str]:
    study = copy.deepcopy(adaptive_study())
    study["study"] = "mine"
    change(study)
    return configs.problems(tmp_path, study)


@pytest.mark.parametrize("start", [0, -1, "2^", "two", "2^1e3", None])
def test_a_start_is_a_positive_number_or_a_power_of_two(tmp_path, start):
    def change(study):
        study["grids"]["sweep"]["axes"]["lr"]["adaptive"]["start"] = start

    assert named(tmp_path, change)


def test_a_suite_over_an_adaptive_grid_is_refused(tmp_path):
    def change(study):
        study["suites"] = {
            "tuned": {
                "source": "runs",
                "grids": ["sweep"],
                "about": {
                    "task": ["shape.width"],
                    "group": "data",
                    "loss": "final_loss",
                    "dimensions": {"lr": {"low": 0.1, "high": 0.2}},
                },
            }
        }

    assert any("a suite needs runs that are listed" in text for text in named(tmp_path, change))
