"""Searches as a config has them: points, multipliers, and what is refused."""

from __future__ import annotations

import json
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.support.searches import BASE, SEARCH, STUDY, search_study

from hypertransfer.studies import searches
from hypertransfer.studies.document import ConfigError
from hypertransfer.studies.searches import Search, between
from hypertransfer.studies.study import load_study


@pytest.fixture
def search():
    return Search.parse("modules", SEARCH)


def test_coarse_and_fine_searches_have_labels_in_one_space(search):
    assert search.labels("global") == ["lr", "init_std"]
    types = ["lr/hidden", "lr/ends", "init_std/readout"]
    assert search.labels("types") == types
    assert sorted(search.labels("factored")) == sorted([*types, "lr/depth0", "lr/depth1"])


def test_octaves_of_all_of_a_type_and_of_depth_multiply(search):
    point = {"lr": 1.0, "lr/hidden": -2.0, "lr/depth1": 3.0, "init_std/readout": 0.5}
    found = search.multipliers(point)
    assert found["lr"]["types"] == {"weight": 0.5, "input.weight": 2.0, "readout.weight": 2.0}
    assert found["lr"]["depth"] == [1.0, 8.0]
    assert found["init_std"]["types"] == {"readout.weight": pytest.approx(math.sqrt(2))}


def test_the_start_is_the_run_itself(search):
    assert all(
        factor == 1.0
        for part in search.multipliers({}).values()
        for factor in [*part["types"].values(), *part["depth"]]
    )
    assert search.spec({}) == search.base  # factors of 1 are none


def test_changes_are_laid_over_the_base_and_leave_it_alone(search):
    assert search.spec({}, {"shape.width": 8, "seed": 3}).shape.width == 8
    assert search.base.shape.width == 4
    assert SEARCH["base"]["shape"]["width"] == 4


def test_a_change_of_an_option_applies_before_or_after_one_of_its_component(search):
    changes = {"optimizer.momentum": 0.5, "optimizer": "sgd"}
    for order in (changes, dict(reversed(changes.items()))):
        assert search.spec({}, order).optimizer.options["momentum"] == 0.5


@given(st.floats(-2, 3))
def test_a_line_between_points_of_different_searches_goes_through_both(place):
    first, second = {"lr": 1.0}, {"lr/hidden": 2.0, "lr/depth0": -1.0}
    found = between(first, second, place)
    assert found == pytest.approx(
        {"lr": 1 - place, "lr/hidden": 2 * place, "lr/depth0": -place}, abs=1e-12
    )


def test_the_runs_to_come_are_known_by_their_places(search):
    rows = search.rows()
    assert len(rows["modules"]) == 3 * 3 * 4
    carried = rows["modules-transfer"]
    assert len(carried) == 2 * (2 * 3 + 2)
    assert {run.point["method"] for run in carried} == {"global", "types", "factored", "line"}
    wide = [run for run in carried if run.point["target"] == "wider"]
    assert {run.spec.shape.width for run in wide} == {8}
    assert {run.spec.seed for run in carried} == {7, 8}


def test_independent_searches_have_seeds_of_their_own_and_one_evaluation_each():
    transfer = {**SEARCH["transfer"], "methods": {"same": ["types"]}}
    search = Search.parse("modules", {**SEARCH, "repeats": 2, "transfer": transfer})
    rows = search.rows()
    assert [run.spec.seed for run in rows["modules"]] == [
        seed for _ in range(3) for seed in (0, 1) for _ in range(12)
    ]
    assert [one.base.seed for one in search.independent()] == [0, 1]
    assert [one.spec({}).seed for one in search.independent()] == [0, 1]
    assert [search.seed_of_trials(seed) for seed in (7, 8)] == [0, 1]
    carried = [run.point for run in rows["modules-transfer"]]
    assert [p["method"] for p in carried if p["target"] == "same"] == ["types"] * 2
    assert Search.parse("modules", search.plain()) == search


def test_points_read_back_from_their_text():
    point = {"lr/hidden": 0.1 + 0.2, "lr/depth0": -1.5}
    assert json.loads(searches.text(point)) == pytest.approx(point)


def with_line(**changes):
    line = {"from": "global", "to": "factored", "points": [0, 1], "targets": ["same"], **changes}
    return {"transfer": {**SEARCH["transfer"], "line": line}}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"trials": 1}, "trials"),
        ({"methods": {"a": {"kind": "grid", "over": "types"}}}, "random, trust_region, bayesian"),
        ({"space": {"lr": {}}}, "needs groups of types"),
        ({"methods": {"a": {"kind": "random", "over": "global", "radius": 2}}},
         "methods.a.radius: has no effect: radius is an option of the kind trust_region"),
        ({"methods": {"a": {"kind": "random", "over": "global"}},
          "transfer": {"seeds": [1], "targets": {"a": {}}},
          "space": {"lr": {"depth": 2}}}, "space.lr.depth: has no effect: no method has over"),
        ({"base": {**BASE, "optimizer": "nix"}}, "optimizer"),
        ({"transfer": {"seeds": [1], "targets": {"a": {"shape.width": -1}}}}, "shape"),
        ({"transfer": {**SEARCH["transfer"], "line": {
            "from": "global", "to": "nobody", "points": [0, 1], "targets": ["same"]}}},
         "'nobody' is not a method; known: factored, global, types"),
        ({"transfer": {**SEARCH["transfer"], "line": {
            "from": "global", "to": "types", "points": [0, 1], "targets": ["taller"]}}},
         "'taller' is not a target; known: same, wider"),
        ({"repeats": 3}, "has 2 seeds for 3 independent searches: list one seed for each"),
        ({"repeats": 2, "transfer": {**SEARCH["transfer"], "seeds": [1, 2]}},
         "transfer.seeds: has the seed 1 of trials: .* with the seeds 0 … 1, need other seeds"),
        ({"transfer": {**SEARCH["transfer"], "seeds": [0, 1]}}, "with the seeds 0, need other"),
        ({"transfer": {**SEARCH["transfer"], "methods": {"taller": ["types"]}}},
         "transfer.methods.taller: is not a target; known: same, wider"),
        ({"transfer": {**SEARCH["transfer"], "methods": {"same": ["nobody"]}}},
         "'nobody' is not a method; known: factored, global, types"),
        (with_line(to="global"), "line.to: is the method of from: name another one"),
        (with_line(points=[0, 0.0, 1]), r"line.points: \[0, 0.0, 1\] is not free of duplicates"),
        (with_line(targets=["same", "same"]), "line.targets: .* is not free of duplicates"),
    ],
)  # fmt: skip
def test_searches_that_cannot_be_meant_are_refused(tmp_path, changes, text):
    with pytest.raises(ConfigError, match=text):
        search_study(tmp_path, **changes)


def test_a_search_may_not_have_a_grids_name(tmp_path):
    values = {**STUDY, "searches": {"one": SEARCH}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(ConfigError, match="is also the name of a grid"):
        load_study("mine", "desk", tmp_path)
