"""What a study has at a scale, read from values that no schema has accepted."""

from __future__ import annotations

import pytest
from tests.support.project import STUDY
from tests.support.searches import SEARCH

from hypertransfer.studies.scale_values import scale_values


def test_columns_have_values_of_base_overrides_and_axes():
    base = {
        "model": {"name": "gpt", "heads": 2},
        "shape": {"width": 8},
        "optimizer": "sgd",
        "lr": 1,
    }
    grid = {
        "base": base,
        "axes": {"lr": [0.1], "shape.width": {"powers": {"base": 2, "from": 3, "to": 4}}},
        "overrides": [
            {"when": {"lr": 0.1}, "set": {"optimizer": "adamw"}, "axes": {"shape.width": [32]}}
        ],
    }
    columns = scale_values({"grids": {"g": grid}}).runs["g"]
    assert columns["model"] == ["gpt"]
    assert columns["optimizer"] == ["sgd", "adamw"]
    assert columns["lr"] == [0.1]
    assert columns["shape.width"] == [8, 16, 32]


def test_numbers_beside_texts_are_texts_as_in_the_table_of_runs():
    grid = {"base": {}, "axes": {"model.act": [2, "relu", None], "model.kinds": [2, 4]}}
    columns = scale_values({"grids": {"g": grid}}).runs["g"]
    assert columns == {"model.act": ["2", "relu", None], "model.kinds": [2, 4]}


def test_methods_and_regions_of_replays():
    replay = {
        "suite": "s",
        "budget": 1,
        "repeats": 1,
        "methods": {"box_search": {"searcher": "random"}},
        "regions": {"ell": {"shape": "ellipsoid"}},
    }
    rows = scale_values({"replays": {"r": replay, "broken": {"budget": 1}}}).rows
    assert rows["replays"] == [{"replay": "r", "suite": "s", "method": "box_search"}]
    assert rows["regions"] == [{"replay": "r", "suite": "s", "region": "ell"}]


def test_trials_of_searches():
    runs = scale_values({"searches": {"tuned": SEARCH}}).runs
    assert runs["tuned"]["method"] == [*SEARCH["methods"]]


@pytest.mark.parametrize(
    "values",
    [None, [], {}, {"grids": 1}, {"grids": {"g": None}}, {"grids": {"g": {"axes": 1, "base": 2}}},
     {"suites": {"s": []}, "replays": {"r": {"methods": 1}}, "searches": {"q": {}}},
     {"grids": {"g": {"base": {}, "axes": {}, "overrides": [{"when": {}, "set": 1}]}}}],
)  # fmt: skip
def test_what_is_malformed_is_left_out(values):
    assert not any(columns for columns in scale_values(values).runs.values())


def test_the_small_study_has_its_base_and_axes():
    columns = scale_values(STUDY).runs["sweep"]
    assert columns["parameterisation"] == ["mup"]
    assert columns["seed"] == [0, 1]
