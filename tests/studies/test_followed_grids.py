"""Grids that take the best values of another grid: counterparts of arms, and problems."""

from __future__ import annotations

import copy

import pytest
from tests.support import configs
from tests.support.adaptive import followed_study, listed_study


def problems(tmp_path, change) -> list[str]:
    study = {**followed_study(), "study": "mine"}
    change(study)
    return configs.problems(tmp_path, study)


def best_axes(study) -> dict:
    return study["grids"]["best"]["axes"]


def test_a_sound_study_has_no_problem(tmp_path):
    assert problems(tmp_path, lambda study: None) == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda s: best_axes(s)["lr"]["adaptive"].update(best_of="swep"),
            "names the grid 'swep', which the study lacks",
        ),
        (
            lambda s: best_axes(s)["lr"]["adaptive"].update(best_of="best"),
            "names the grid best, whose axis lr is not found by rounds of its own",
        ),
        (
            lambda s: best_axes(s).update({"shape.width": [4, 16]}),
            "the arm at optimizer sgd, shape.width 16 has no counterpart: no arm there has its "
            "values on the axes that both grids have",
        ),
        (
            lambda s: best_axes(s)["lr"]["adaptive"].update(octaves=6),
            "shape.width 4 has no counterpart: `octaves` in whole steps is 6 here and 8 there",
        ),
        (
            lambda s: best_axes(s)["lr"]["adaptive"].update(start="2^-4", finest=0.5),
            "`start` is 0.0625 here and 0.125 there, `finest` (or `step` without `finest`) is 0.5 "
            "here and 1 there",
        ),
        (
            lambda s: (
                s["grids"]["sweep"]["axes"]["lr"]["adaptive"].update(rounds=4, finest=0.5),
                best_axes(s)["lr"]["adaptive"].update(finest=0.5),
            ),
            None,  # the grid at the best values has one round, so that its `rounds` are not read
        ),
        (
            lambda s: s["grids"]["best"]["base"].update(batch_size=16),
            "from whose counterpart the arm at optimizer sgd, shape.width 4 differs in batch_size",
        ),
        (
            lambda s: best_axes(s).pop("optimizer"),
            None,  # the other grid has one optimizer, so that each width has one counterpart
        ),
        (
            lambda s: (
                best_axes(s).pop("optimizer"),
                s["grids"]["sweep"]["axes"].update(optimizer=["sgd", "adam"]),
                s["grids"]["sweep"].update(probes={}),
                s.update(figures=s["figures"][:1]),
            ),
            "has no counterpart: 2 arms there have its values on the axes that both grids have",
        ),
        (
            lambda s: s["grids"]["best"].update(
                overrides=[
                    {
                        "when": {"shape.width": 8},
                        "axes": {"lr": {"adaptive": {"start": "2^-3", "rounds": 3, "octaves": 8}}},
                    }
                ]
            ),
            "overrides do not: all points take the values of one grid",
        ),
    ],
)
def test_a_grid_needs_one_counterpart_of_each_arm(tmp_path, change, text):
    found = problems(tmp_path, change)
    if text is None:
        assert found == []
    else:
        assert any(text in one and "best_of" in one for one in found), found


def test_one_value_runs_of_all_that_are_planned_so_that_runs_can_be_told_apart(tmp_path):
    def trajectory(study):
        study["figures"].append(
            {**study["figures"][1], "id": "of-best", "where": {"grid": "best", "seed": 0}}
        )

    assert problems(tmp_path, trajectory) == []

    def listed(study):
        trajectory(study)
        best_axes(study)["lr"] = [0.1, 0.2]

    assert any("they differ in lr" in text for text in problems(tmp_path, listed))


def claim(study, **changes) -> dict:
    return {**copy.deepcopy(study["claims"][0]), "id": "other", **changes}


def test_no_value_surely_runs(tmp_path):
    def named(study):
        where = {"grid": "best", "lr": 0.125}
        options = {"of": "4", "over": "8", "column": "shape.width"}
        changes = {"measure": "advantage", "bar": {"min": 0}, "options": options}
        study["claims"].append(claim(study, where=where, min_seeds=1, **changes))

    assert any("lr 0.125 may never be run" in text for text in problems(tmp_path, named))


def test_a_grid_of_listed_values_beside_it_can_have_an_optimum(tmp_path):
    def optima(study):
        fine = copy.deepcopy(study["grids"]["best"])
        fine["axes"]["lr"] = [0.03125, 0.0625, 0.125, 0.25, 0.5]
        study["grids"]["fine"] = fine
        fine["base"]["steps"] = 8
        where = {"grid": ["best", "fine"]}
        study["claims"].append(claim(study, where=where, measure="optimum_shift", bar={"max": 1}))

    assert problems(tmp_path, optima) == []


def test_a_gain_needs_one_value(tmp_path):
    def gain(study):
        where = {"grid": "best"}
        study["claims"].append(claim(study, where=where, measure="transfer_gain", bar={"max": 1}))

    assert problems(tmp_path, gain) == []


@pytest.mark.parametrize("measure", ["optimum_shift", "optimum_slope", "transfer_regret"])
def test_optima_are_those_of_the_grid_whose_best_values_are_taken(tmp_path, measure):
    def optima(study):
        where = {"grid": "best"}
        study["claims"].append(claim(study, where=where, measure=measure, bar={"max": 1}))

    (found,) = problems(tmp_path, optima)
    assert "claims.1.bar" in found
    assert "it can neither hold nor fail" in found
    assert "best runs one lr at each point; select the grid whose best it takes" in found


def listed_problems(tmp_path, change) -> list[str]:
    study = {**listed_study(), "study": "mine"}
    change(study)
    return configs.problems(tmp_path, study)


def of_target(study, part="axes"):
    return study["grids"]["target"][part]


def gain(study) -> None:
    made = copy.deepcopy(followed_study()["claims"][0])
    changes = {"where": {"grid": "target"}, "measure": "transfer_gain", "bar": {"min": 0}}
    study["claims"] = [{**made, **changes}]


def arms(study) -> None:
    for grid in study["grids"].values():
        grid["axes"]["optimizer"] = ["sgd", "adamw"]
    where = {"grid": "target", "shape.width": 8}
    made = copy.deepcopy(followed_study()["claims"][0])
    options = {"column": "optimizer", "of": "adamw"}
    changes = {"where": where, "measure": "advantage", "bar": {"min": 0}, "options": options}
    study["claims"] = [{**made, **changes}]
    figure = {"id": "arms", "kind": "arms", "title": "", "caption": "", "where": where}
    options = {"column": "optimizer", "quantities": ["final_loss"], "rows": "model"}
    study["figures"] = [{**figure, "options": options}]


@pytest.mark.parametrize("change", [lambda study: None, gain, arms])
def test_the_settings_that_a_proxy_lists_can_be_taken(tmp_path, change):
    assert listed_problems(tmp_path, change) == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda s: s["grids"]["target"].update(best_of="other"),
            "names the grid 'other', which the study lacks",
        ),
        (
            lambda s: s["grids"]["target"].update(best_of="target"),
            "names the grid target, which does not run all values of lr",
        ),
        (
            lambda s: of_target(s).update(lr=[0.0625, 0.125, 0.5]),
            "has no counterpart: other values of lr",
        ),
        (
            lambda s: of_target(s).update(weight_decay=[0.1, 0.1, 0.2]),
            "has other values on an axis zipped with lr",
        ),
        (
            lambda s: [g["axes"].update(lr=[0.125, 0.125, 0.25]) for g in s["grids"].values()],
            "has two settings of one lr in the arm at",
        ),
        (
            lambda s: s["grids"]["proxy"]["axes"].update({"shape.width": [8]}),
            "shape.width 16, optimizer sgd has no counterpart: no arm there has its values",
        ),
        (
            lambda s: (
                s["grids"]["proxy"]["axes"].pop("lr"),
                s["grids"]["proxy"].update(zip=[], inner=["weight_decay", "seed"]),
            ),
            "names the grid proxy, which has no axis lr",
        ),
        (
            lambda s: of_target(s, "inner").remove("weight_decay"),
            "lacks weight_decay, of which `best_of` runs one value",
        ),
        (
            lambda s: (
                of_target(s).pop("lr"),
                s["grids"]["target"].update(zip=[], inner=["weight_decay", "seed"]),
            ),
            "needs the axis lr, which tells settings apart",
        ),
        (
            lambda s: (
                of_target(s).update(lr={"adaptive": {"start": 0.125}}),
                s["grids"]["target"].update(zip=[]),
            ),
            "is given beside the adaptive axis lr",
        ),
    ],
)
def test_settings_need_a_proxy_that_lists_the_same(tmp_path, change, text):
    found = listed_problems(tmp_path, change)
    assert any(text in one for one in found), found
