"""Adaptive sweeps through Snakemake: rounds, and what changes and kills train again."""

from __future__ import annotations

import copy
import json
import shutil

import pytest
from tests.faults.injector import finish_after_kills, stored
from tests.support.adaptive import adaptive_study, followed_study
from tests.workflow.project import Project

from hypertransfer.storage import parquet

pytestmark = pytest.mark.workflow

ONE_CELL = ["shape.width", "lr", "seed"]  # and so few jobs
STUDY = adaptive_study()  # with a cell for each width


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("found"))
    project.write_study(STUDY)
    project.first = project.run()
    assert project.first.code == 0, project.first.output
    return project


def rows(project: Project) -> list[dict]:
    return parquet.read(project.folder / "results/micro/tables/runs.parquet").to_pylist()


def allocations(project: Project, grid: str = "sweep") -> list[dict]:
    files = (project.folder / "results/micro/made/allocations" / grid).glob("*.json")
    read = [json.loads(file.read_text()) for file in files]
    return sorted(read, key=lambda one: one["round"])


def test_rounds_train_what_is_allocated_and_nothing_else(found: Project):
    made, table = allocations(found), rows(found)
    assert [one["round"] for one in made] == [1, 2, 3]
    listed = [run["key"] for one in made for arm in one["arms"] for run in arm["runs"]]
    assert len(listed) == len(set(listed)) == len(table) == found.first.trained
    assert {row["key"] for row in table} == set(listed) == stored(found)
    assert [len(arm["runs"]) for arm in made[0]["arms"]] == [5, 3]
    assert all(arm["reason"] for one in made for arm in one["arms"])
    by_value: dict = {}
    for row in table:
        by_value.setdefault((row["shape.width"], row["lr"]), set()).add(row["seed"])
    for width in (4, 8):
        seeded = [lr for (w, lr), seeds in by_value.items() if w == width and len(seeds) == 2]
        assert len(seeded) >= 2, "the best value and its neighbours have all seeds"
        assert len(seeded) < sum(w == width for w, _ in by_value), "other values have one"
    assert found.first.of("allocations") == 3
    assert found.first.of("allocated") == 6
    assert found.first.probed == 2
    assert (found.folder / "results/micro/figures/sharpness.svg").is_file()


def test_a_second_call_does_nothing(found: Project):
    ran = found.run()
    assert ran.jobs == []
    assert "Nothing to be done" in ran.output


def test_a_late_bar_trains_nothing(found: Project):
    study = copy.deepcopy(STUDY)
    study["claims"][0]["bar"] = {"max": 2}
    found.write_study(study)
    ran = found.run("collect_all")
    assert ran.code == 0
    assert ran.jobs == []
    found.write_study(STUDY)


@pytest.mark.parametrize(
    ("axis", "values", "new"), [("seed", [0, 1, 2], {"seed": 2}), ("shape.width", [4, 8, 16], None)]
)
def test_what_is_added_trains_only_what_is_missing(found: Project, axis, values, new):
    before = stored(found)
    study = copy.deepcopy(STUDY)
    study["grids"]["sweep"]["axes"][axis] = values
    found.write_study(study)
    ran = found.run("collect_all")
    assert ran.code == 0, ran.output
    added = stored(found) - before
    assert 0 < ran.trained == len(added)
    newest = max((found.folder / "results/micro/made/tables").glob("*/runs.parquet"), key=age)
    table = {row["key"]: row for row in parquet.read(newest).to_pylist()}
    assert added <= set(table), "all that was trained is in the table"
    if new is None:
        assert {row["shape.width"] for key, row in table.items() if key in added} == {16}
    else:
        assert sum(table[key]["seed"] == 2 for key in added) >= 4
    found.write_study(STUDY)
    assert found.run("collect_all").trained == 0


def age(path) -> int:
    return path.stat().st_mtime_ns


def test_rounds_that_are_lost_are_made_again_from_the_store(found: Project):
    for folder in ("allocations", "allocated", "tables"):
        shutil.rmtree(found.folder / "results/micro/made" / folder)
    ran = found.run("collect_all")
    assert ran.code == 0, ran.output
    assert (ran.trained, ran.probed) == (0, 0)


def test_kills_lose_nothing_and_train_nothing_twice(tmp_path):
    study = adaptive_study()
    study["grids"]["sweep"]["base"] |= {"steps": 300, "log_every": 50}
    study["grids"]["sweep"]["probes"] = {}
    study["figures"] = study["figures"][:1]
    project = Project(tmp_path / "project")
    project.write_study(study)
    finish_after_kills(project)
    listed = {r["key"] for one in allocations(project) for a in one["arms"] for r in a["runs"]}
    assert listed == stored(project)
    assert "Nothing to be done" in project.run("collect_all").output


def test_a_grid_takes_the_best_values_of_another_and_follows_when_they_move(tmp_path):
    project = Project(tmp_path / "project")
    study = followed_study()
    for grid in study["grids"].values():
        grid["inner"] = ONE_CELL
    project.write_study(study)
    first = project.run("collect_all")
    assert first.code == 0, first.output
    table = [row for row in collected(project) if row["grid"] == "best"]
    assert {(row["shape.width"], row["seed"]) for row in table} == {
        (width, seed) for width in (4, 8) for seed in (0, 1)
    }
    best = {width: {r["lr"] for r in table if r["shape.width"] == width} for width in (4, 8)}
    assert [len(values) for values in best.values()] == [1, 1]
    seen = {one["grid"]: one for one in allocations(project, "best")}
    assert all("the best of sweep" in arm["reason"] for arm in seen["best"]["arms"])
    before = stored(project)
    study["grids"]["best"]["axes"]["seed"] = [0, 1, 2]
    project.write_study(study)
    ran = project.run("collect_all")
    assert ran.code == 0, ran.output
    assert ran.trained == len(stored(project) - before) == 2  # one seed at both widths


def collected(project: Project) -> list[dict]:
    newest = max((project.folder / "results/micro/made/tables").glob("*/runs.parquet"), key=age)
    return parquet.read(newest).to_pylist()
