"""Seeds as needed through Snakemake: looks, and what changes and kills train again."""

from __future__ import annotations

import copy
import json
import shutil

import pytest
from tests.faults.injector import finish_after_kills, stored
from tests.support.adaptive import adaptive_study
from tests.support.looks import look_study
from tests.workflow.project import Project

from hypertransfer.storage import parquet

pytestmark = pytest.mark.workflow

STUDY = look_study()
# No claim reads the runs of width 16, so that they keep the first number of seeds.
STUDY["grids"]["sweep"]["axes"]["shape.width"] = [4, 8, 16]
STUDY["grids"]["sweep"]["inner"] = ["shape.width", "lr", "seed"]  # one cell, and so few jobs
STUDY["claims"][0] |= {"where": {"shape.width": [4, 8]}, "bar": {"min": 0.1}}
WIDTHS, RATES = 3, 2


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("looked"))
    project.write_study(STUDY)
    project.first = project.run()
    assert project.first.code == 0, project.first.output
    return project


def newest(project: Project, name: str) -> list[dict]:
    """The rows of the table that was made last."""
    files = (project.folder / "results/micro/made/tables").glob(f"*/{name}.parquet")
    return parquet.read(max(files, key=lambda path: path.stat().st_mtime_ns)).to_pylist()


def seeds(rows: list[dict]) -> dict[tuple, set[int]]:
    """The seeds that ran at each width and rate."""
    found: dict[tuple, set[int]] = {}
    for row in rows:
        found.setdefault((row["shape.width"], row["lr"]), set()).add(row["seed"])
    return found


def decisions(project: Project) -> list[dict]:
    files = (project.folder / "results/micro/made/looks").glob("*.json")
    return sorted((json.loads(file.read_text()) for file in files), key=lambda one: one["look"])


def made(project: Project, study: dict) -> tuple[set[str], int]:
    """The keys of the runs that a change of the study adds to the store, and how many it trains."""
    before = stored(project)
    project.write_study(study)
    ran = project.run("collect_all")
    assert ran.code == 0, ran.output
    return stored(project) - before, ran.trained


def test_looks_train_the_seeds_that_they_list_and_nothing_else(looked: Project):
    found, rows = decisions(looked), newest(looked, "runs")
    assert [one["look"] for one in found] == [1, 2]
    assert [len(one["keys"]) for one in found] == [2 * RATES * 1, 2 * RATES * 2]
    assert all(row["extended"] for one in found for row in one["claims"])
    listed = [key for one in found for key in one["keys"]]
    keys = [row["key"] for row in rows]
    assert len(keys) == len(set(keys)) == WIDTHS * RATES * 3 + len(listed)
    assert set(listed) <= set(keys)
    assert set(keys) == stored(looked)
    assert looked.first.trained == len(keys)
    by_place = seeds(rows)
    assert {len(by_place[width, lr]) for width in (4, 8) for lr in (0.1, 0.2)} == {6}
    assert {len(by_place[16, lr]) for lr in (0.1, 0.2)} == {3}
    assert looked.first.of("looks") == 2
    assert looked.first.of("allocated") == looked.first.of("allocated_probes") == 2


def test_new_seeds_are_probed_and_in_all_tables(looked: Project):
    probed = {row["key"] for row in newest(looked, "probes")}
    assert probed == {row["key"] for row in newest(looked, "runs") if row["lr"] == 0.1}
    history = {row["key"] for row in newest(looked, "history")}
    assert history == {row["key"] for row in newest(looked, "runs")}


def test_the_scorecard_has_the_level_of_its_look_and_figures_take_unequal_seeds(looked: Project):
    (row,) = parquet.read(looked.folder / "results/micro/tables/claims.parquet").to_pylist()
    assert "over 6 seeds (96 % interval)" in row["reason"]
    for name in ("figures/sweep.svg", "figures/sharpness.svg", "report.html"):
        assert (looked.folder / "results/micro" / name).is_file()


def test_a_second_call_does_nothing(looked: Project):
    ran = looked.run()
    assert ran.jobs == []
    assert "Nothing to be done" in ran.output


def test_a_bar_that_is_met_at_once_asks_for_no_seed(looked: Project):
    study = copy.deepcopy(STUDY)
    study["claims"][0]["bar"] = {"min": -100}
    added, trained = made(looked, study)
    assert (added, trained) == (set(), 0)
    assert {len(own) for own in seeds(newest(looked, "runs")).values()} == {3}
    added, trained = made(looked, STUDY)
    assert (added, trained) == (set(), 0)


def test_a_budget_that_is_spent_adds_no_seed(looked: Project):
    added, trained = made(looked, {**STUDY, "spending": {"core_minutes": 1e-6, "seeds": [3, 4]}})
    assert (added, trained) == (set(), 0)
    assert {len(own) for own in seeds(newest(looked, "runs")).values()} == {3}


def test_a_claim_that_is_added_trains_only_what_it_lacks(looked: Project):
    study = copy.deepcopy(STUDY)
    study["claims"].append({**study["claims"][0], "id": "wider", "where": {"shape.width": [8, 16]}})
    added, trained = made(looked, study)
    assert 0 < len(added) == trained
    by_key = {row["key"]: row for row in newest(looked, "runs")}
    assert {by_key[key]["shape.width"] for key in added} == {16}
    assert {by_key[key]["seed"] for key in added} <= {3, 4, 5}


def test_a_number_of_seeds_that_is_added_trains_only_the_new_ones(looked: Project):
    study = copy.deepcopy(STUDY)
    study["claims"][0]["bar"] = {"min": 0}  # six seeds decide it at the level of the last look only
    study["spending"]["seeds"] = [3, 4, 6, 7]
    added, trained = made(looked, study)
    assert 0 < len(added) == trained
    by_key = {row["key"]: row for row in newest(looked, "runs")}
    assert {by_key[key]["seed"] for key in added} == {6}


def test_looks_that_are_lost_are_made_again_from_the_store(looked: Project):
    looked.write_study(STUDY)
    assert looked.run("collect_all").code == 0
    for folder in ("looks", "allocated", "tables"):
        shutil.rmtree(looked.folder / "results/micro/made" / folder)
    ran = looked.run("collect_all")
    assert ran.code == 0, ran.output
    assert (ran.trained, ran.probed) == (0, 0)


def test_seeds_are_added_where_rounds_ran_the_first_ones(tmp_path):
    study = adaptive_study()
    study["grids"]["sweep"]["axes"]["seed"] = "as_needed"
    study["grids"]["sweep"]["inner"] = ["shape.width", "lr", "seed"]
    study["grids"]["sweep"]["probes"] = {}
    study["spending"] = {"core_minutes": 60, "seeds": [2, 4]}
    study["figures"] = study["figures"][:1]
    study["claims"][0]["where"] = {"grid": "sweep"}
    project = Project(tmp_path / "project")
    project.write_study(study)
    ran = project.run("collect_all")
    assert ran.code == 0, ran.output
    (decision,) = decisions(project)
    assert decision["keys"]
    counts = {place: len(own) for place, own in seeds(newest(project, "runs")).items()}
    assert set(counts.values()) == {1, 4}, "values with the first seeds alone get more"
    assert ran.trained == len(stored(project)) == sum(counts.values())


def test_kills_lose_nothing_and_train_nothing_twice(tmp_path):
    study = copy.deepcopy(STUDY)
    study["grids"]["sweep"]["base"] |= {"steps": 300, "log_every": 50}
    study["grids"]["sweep"]["probes"] = {}
    study["figures"] = study["figures"][:1]
    study["claims"][0]["bar"] = {"min": 0}
    project = Project(tmp_path / "project")
    project.write_study(study)
    finish_after_kills(project)
    assert {row["key"] for row in newest(project, "runs")} == stored(project)
    assert "Nothing to be done" in project.run("collect_all").output
