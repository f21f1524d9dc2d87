"""Searches: points and multipliers, generations through the store."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypertransfer.execution import errors, search_generation
from hypertransfer.planning import keys, study_plan
from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store
from hypertransfer.studies import searches
from hypertransfer.studies.document import ConfigError
from hypertransfer.studies.searches import Search, between
from hypertransfer.studies.study import load_study

BASE = {
    "model": "residual_mlp",
    "data": {"name": "digits", "train": 64, "test": 32},
    "base": {"width": 4, "depth": 2},
    "shape": {"width": 4, "depth": 2},
    "parameterisation": "completed_p",
    "optimizer": "adam",
    "lr": 0.01,
    "batch_size": 16,
    "steps": 4,
    "seed": 0,
    "log_every": 2,
}
VALUES = {
    "base": BASE,
    "space": {
        "lr": {"groups": {"hidden": ["weight"], "ends": ["input.weight", "readout.weight"]},
               "depth": 2},
        "init_std": {"groups": {"readout": ["readout.weight"]}},
    },
    "octaves": 3,
    "generations": 3,
    "trials": 4,
    "methods": {
        "global": {"kind": "trust_region", "over": "global"},
        "types": {"kind": "trust_region", "over": "types"},
        "factored": {"kind": "bayesian", "over": "factored"},
    },
    "transfer": {
        "seeds": [7, 8],
        "targets": {"same": {}, "wider": {"shape.width": 8}},
        "line": {"from": "global", "to": "factored", "points": [0, 0.5], "targets": ["wider"]},
    },
}  # fmt: skip


@pytest.fixture
def search():
    return Search.parse("modules", VALUES)


# Points -----------------------------------------------------------------------------------------


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
    start, base = search.spec({}), search.base
    assert start.multipliers != base.multipliers  # factors of one
    assert all(f == 1.0 for m in start.multipliers.values() for f in [*m.types.values(), *m.depth])


def test_changes_are_laid_over_the_base_and_leave_it_alone(search):
    assert search.spec({}, {"shape.width": 8, "seed": 3}).shape.width == 8
    assert search.base.shape.width == 4
    assert VALUES["base"]["shape"]["width"] == 4


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


# Generations -----------------------------------------------------------------------------------


def parts_of(search, method, generation):
    return {
        "search": search.name,
        "values": {k: v for k, v in search.plain().items() if k not in searches.LATER},
        "method": {"name": method, **search.settings.methods[method].plain()},
        "generation": generation,
        "context": keys.run_key(search.base).partition("-")[2],
    }


def test_generations_build_upon_those_before_and_are_taken_from_the_store(search, tmp_path):
    store, files = Store(tmp_path / "store"), []
    for number in range(2):
        parts = parts_of(search, "types", number)
        points, table = search_generation.generation(parts, files, store, "cpu", 5)
        again = search_generation.generation(parts, files, store, "cpu", 5)
        assert again[0] == points
        assert again[1].equals(table)  # seconds too: it comes from the store
        files.append(str(tmp_path / f"{number}.parquet"))
        parquet.write(table, files[-1])
        assert [json.loads(t) for t in table.column("proposal").to_pylist()] == [
            {label: round(value, 12) for label, value in point.items()} for point in points
        ]
    assert table.column("grid").to_pylist() == ["modules"] * 4
    assert table.column("generation").to_pylist() == [1] * 4
    best = search_generation.best_points(files)["types"]
    rows = [row for path in files for row in parquet.read(path).to_pylist()]
    least = min(rows, key=lambda row: row["final_loss"])
    assert best == json.loads(least["proposal"])


def test_results_are_carried_to_every_target_and_along_the_line(search, tmp_path):
    store, files = Store(tmp_path / "store"), []
    for method in search.settings.methods:
        _, table = search_generation.generation(parts_of(search, method, 0), [], store, "cpu", 5)
        files.append(str(tmp_path / f"{method}.parquet"))
        parquet.write(table, files[-1])
    parts = {"search": "modules", "values": search.plain(), "files": files,
             "context": keys.run_key(search.base).partition("-")[2]}  # fmt: skip
    rows = search_generation.carry_over(parts, files, store, "cpu", 5).to_pylist()
    assert len(rows) == 16
    by_place = {(r["target"], r["seed"], r["method"], r["place"]): r for r in rows}
    # the line at 0 is the first method's own result: the same run
    assert by_place["wider", 7, "line", 0.0]["key"] == by_place["wider", 7, "global", 1.0]["key"]
    assert by_place["wider", 7, "line", 0.5]["key"] != by_place["wider", 7, "line", 0.0]["key"]


def test_code_or_data_that_changed_after_planning_is_refused(search, tmp_path):
    parts = {**parts_of(search, "types", 0), "context": "0" * 16}
    with pytest.raises(errors.StalePlan, match="modules changed after planning"):
        search_generation.generation(parts, [], Store(tmp_path), "cpu", 5)


# In a study ------------------------------------------------------------------------------------

STUDY = {
    "study": "mine", "title": "t", "question": "q", "paper": {"title": "p", "authors": "a"},
    "grids": {"one": {"base": BASE, "axes": {"seed": [0]}}},
    "searches": {"modules": VALUES},
}  # fmt: skip


@pytest.fixture
def load(tmp_path):
    def read(**changes):
        import yaml

        values = {**STUDY, "searches": {"modules": {**VALUES, **changes}}}
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        return load_study("mine", "desk", tmp_path)

    return read


def jobs_of(study):
    return study_plan.StudyPlan(study, 3).search_jobs


def test_every_generation_waits_for_those_before_and_the_transfer_for_all(load):
    jobs = jobs_of(load())
    *generations, transfer = jobs
    assert [len(job.input["earlier"]) for job in generations] == [0, 1, 2] * 3
    assert len({job.file for job in jobs}) == 10
    assert all(job.files[1].endswith(".json") for job in jobs[:-1])
    assert set(transfer.input["generations"]) == {job.file for job in generations}


def test_a_method_changed_or_added_leaves_the_others_files_alone(load):
    before = {job.file for job in jobs_of(load())[:-1]}
    methods = {**VALUES["methods"], "more": {"kind": "random", "over": "types"},
               "types": {"kind": "trust_region", "over": "types", "radius": 2}}  # fmt: skip
    after = {job.file for job in jobs_of(load(methods=methods))[:-1]}
    assert len(before & after) == 6
    longer = {job.file for job in jobs_of(load(transfer={"seeds": [1], "targets": {"a": {}}}))}
    assert before < longer


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"trials": 1}, "trials"),
        ({"methods": {"a": {"kind": "grid", "over": "types"}}}, "random, trust_region, bayesian"),
        ({"space": {"lr": {}}}, "needs groups of types"),
        ({"base": {**BASE, "optimizer": "nix"}}, "optimizer"),
        ({"transfer": {"seeds": [1], "targets": {"a": {"shape.width": -1}}}}, "shape"),
        ({"transfer": {**VALUES["transfer"], "line": {
            "from": "global", "to": "nobody", "points": [0, 1], "targets": ["same"]}}},
         "'nobody' is no method; known: factored, global, types"),
        ({"transfer": {**VALUES["transfer"], "line": {
            "from": "global", "to": "types", "points": [0, 1], "targets": ["taller"]}}},
         "'taller' is no target; known: same, wider"),
    ],
)  # fmt: skip
def test_searches_that_cannot_be_meant_are_refused(load, changes, text):
    with pytest.raises(ConfigError, match=text):
        load(**changes)


def test_a_search_may_not_have_a_grids_name(tmp_path):
    import yaml

    values = {**STUDY, "searches": {"one": VALUES}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(ConfigError, match="is the name of a grid, too"):
        load_study("mine", "desk", tmp_path)


def test_points_read_back_from_their_text():
    point = {"lr/hidden": 0.1 + 0.2, "lr/depth0": -1.5}
    assert json.loads(searches.text(point)) == pytest.approx(point)
