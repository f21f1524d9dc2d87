"""Conditions on the values of an adaptive axis: only those of the first round surely run."""

from __future__ import annotations

import pytest
from tests.support import configs
from tests.support.adaptive import adaptive_study, listed_study
from tests.workflow.project import STUDY

LATER = {"adaptive": {"start": "2^-5", "rounds": 3, "octaves": 8}}


def problems(tmp_path, change) -> list[str]:
    study = {**adaptive_study(), "study": "mine"}
    change(study)
    return configs.problems(tmp_path, study)


def figure(where, override=False):
    def change(study):
        study["figures"][1]["where"] = where
        if override:
            changed = {"when": {"shape.width": 8}, "axes": {"lr": LATER}}
            study["grids"]["sweep"]["overrides"] = [changed]
            study["grids"]["sweep"]["probes"]["sharpness"]["where"] = {"seed": 0}

    return change


@pytest.mark.parametrize(
    "where",
    [
        {"lr": 0.125, "seed": 0},
        {"lr": [0.0625, 0.125, 0.25], "seed": 0},
        {"lr": {"max": 0.5}},
        {"seed": 0},
        {"lr": [0.125, 0.25]},
    ],
)
def test_values_of_the_first_round_can_be_named(tmp_path, where):
    assert problems(tmp_path, figure(where)) == []


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ({"lr": 1, "seed": 0}, "lr 1 may never be run at optimizer sgd, shape.width 4"),
        ({"lr": [0.125, 1], "seed": 0}, "lr 1 may never be run"),
        ({"lr": {"min": 0.5}}, "lr a value within the bounds may never be run"),
        ({"lr": 0.125, "seed": 1}, "lr 0.125 may never be run at optimizer sgd, shape.width 4"),
    ],
)
def test_values_that_may_never_run_are_refused_in_figures(tmp_path, where, text):
    (found,) = (one for one in problems(tmp_path, figure(where)) if "may never be run" in one)
    assert "figures.1.where" in found
    assert text in found


def test_each_selected_arm_has_to_run_the_value_in_its_first_round(tmp_path):
    (found,) = problems(tmp_path, figure({"lr": 0.125, "seed": 0}, override=True))
    assert "lr 0.125 may never be run at optimizer sgd, shape.width 8" in found
    narrow = {"lr": 0.125, "seed": 0, "shape.width": 4}
    assert problems(tmp_path, figure(narrow, override=True)) == []


@pytest.mark.parametrize("where", [{"lr": 1}, {"lr": [0.125, 1]}, {"lr": 0.125, "seed": 1}])
def test_values_that_may_never_run_are_refused_in_probes(tmp_path, where):
    def change(study):
        study["grids"]["sweep"]["probes"]["sharpness"]["where"] = where

    found = [text for text in problems(tmp_path, change) if "may never be run" in text]
    assert any("grids.sweep.probes.sharpness.where" in text for text in found)


def test_a_claim_on_named_values_asks_for_no_more_seeds_than_surely_run(tmp_path):
    def change(study, where=None, **changes):
        study["claims"][0].update({"where": {"lr": [0.125, 0.25], **(where or {})}, **changes})

    for changes in ({}, {"min_seeds": 2}):
        (found,) = problems(tmp_path, lambda study, c=changes: change(study, **c))
        assert "claims.0.min_seeds" in found
        assert "seeds are asked for, and at values of an axis that is found only 1" in found
    assert problems(tmp_path, lambda study: change(study, min_seeds=1)) == []
    # Bounds name no value: the seeds run around the best one.
    assert problems(tmp_path, lambda study: change(study, {"lr": {"max": 0.5}}, min_seeds=2)) == []


def test_a_measure_of_seeds_that_ran_every_value_is_refused_on_a_found_axis(tmp_path):
    def change(study, **changes):
        study["claims"][0].update({"measure": "stable_lr_shift", "bar": {"max": 1}, **changes})

    (found,) = problems(tmp_path, change)
    assert "claims.0.measure" in found
    assert "seeds that ran every value of lr, which is found in the grid sweep" in found

    def listed(study):
        change(study, where={"grid": "listed"})
        grid = {**study["grids"]["sweep"], "probes": {}}
        lrs = [0.0625, 0.125, 0.25, 0.5]
        study["grids"]["listed"] = {**grid, "axes": {**grid["axes"], "lr": lrs}}

    assert not any("every value of lr" in text for text in problems(tmp_path, listed))


def listed_problems(tmp_path, change) -> list[str]:
    study = {**listed_study(), "study": "mine"}
    change(study)
    return configs.problems(tmp_path, study)


def claim_on_target(**changes):
    def change(study):
        options = {"of": "8", "over": "16", "column": "shape.width"}
        values = {"measure": "advantage", "bar": {"min": 0}, "options": options, **changes}
        study["claims"] = [{**STUDY["claims"][0], **values}]

    return change


@pytest.mark.parametrize("axis", ["lr", "weight_decay"])
def test_no_listed_setting_surely_runs_at_the_best_of_a_proxy(tmp_path, axis):
    """An axis that is zipped with the learning rate is found with it."""
    of_proxy = {"grid": "target", axis: 0.2 if axis == "weight_decay" else 0.25}
    (found,) = listed_problems(tmp_path, claim_on_target(where=of_proxy, min_seeds=1))
    assert "claims.0.where" in found
    assert f"{axis} {of_proxy[axis]} may never be run at shape.width 8" in found

    def probe(study):
        target = study["grids"]["target"]
        target["probes"] = {"trace": {**STUDY["grids"]["sweep"]["probes"]["sharpness"]}}
        target["probes"]["trace"]["where"] = {axis: of_proxy[axis]}

    (found,) = listed_problems(tmp_path, probe)
    assert "grids.target.probes.trace.where" in found
    assert f"{axis} {of_proxy[axis]} may never be run" in found


def test_a_measure_of_every_value_of_an_axis_that_is_found_with_the_rate_is_refused(tmp_path):
    changes = {"measure": "stable_lr_shift", "bar": {"max": 1}, "options": {"axis": "weight_decay"}}

    def change(study):
        claim_on_target(where={"grid": "target"}, **changes)(study)
        for grid in study["grids"].values():
            grid["axes"]["weight_decay"] = [0.1, 0.05, 0.2]

    (found,) = (text for text in listed_problems(tmp_path, change) if "claims.0.measure" in text)
    assert "seeds that ran every value of weight_decay, which is found in the grid target" in found
