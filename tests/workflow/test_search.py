"""Searches through Snakemake: generation after generation, and what a change makes again."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import pytest
from tests.workflow.project import STUDY, Project

from hypertransfer.storage import parquet

pytestmark = pytest.mark.workflow

SEARCH = {
    "base": {
        **STUDY["grids"]["sweep"]["base"],
        "optimizer": "adam",
        "parameterisation": "completed_p",
    },
    "space": {"lr": {"groups": {"ends": ["input.weight", "readout.weight"]}}},
    "octaves": 2,
    "generations": 2,
    "trials": 3,
    "methods": {"near": {"kind": "trust_region", "over": "types"}},
    "transfer": {"seeds": [5], "targets": {"same": {}}},
}


def study(**changes) -> dict:
    """The micro study with fewer runs and a search."""
    out = copy.deepcopy(STUDY)
    out["grids"]["sweep"]["axes"] |= {"optimizer": ["sgd"], "seed": [0]}
    out["searches"] = {"modules": {**copy.deepcopy(SEARCH), **changes}}
    return out


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("searched"))
    project.write_study(study())
    project.write_config(job_minutes=1e-6)  # a job for each generation
    project.first = project.run("collect_all")
    assert project.first.code == 0, project.first.output
    return project


def rows(project: Project) -> list[dict]:
    """The rows of the table that was made last."""
    tables = (project.folder / "results/micro/made/tables").glob("*/runs.parquet")
    return parquet.read(max(tables, key=lambda table: table.stat().st_mtime)).to_pylist()


def made(project: Project) -> list[Path]:
    return sorted((project.folder / "results/micro/made/searches/modules").glob("*.parquet"))


def test_generations_are_made_one_after_another_and_stand_in_the_tables(searched: Project):
    found = rows(searched)
    trials = [row for row in found if row["grid"] == "modules"]
    assert [(row["generation"], row["trial"]) for row in trials] == [
        (generation, trial) for generation in range(2) for trial in range(3)
    ]
    assert json.loads(trials[0]["proposal"]) == {"lr/ends": 0.0}
    (carried,) = [row for row in found if row["grid"] == "modules-transfer"]
    best = min(trials, key=lambda row: row["final_loss"])
    assert carried["proposal"] == best["proposal"]
    assert carried["seed"] == 5
    assert searched.first.trained == len({row["key"] for row in found})
    for table in made(searched):
        (proposals,) = json.loads(table.with_suffix(".json").read_text())
        texts = parquet.read(table).column("proposal").to_pylist()
        assert [json.loads(text) for text in texts] == [
            {label: round(octaves, 12) for label, octaves in point.items()} for point in proposals
        ]


def test_a_generation_that_is_lost_is_made_again_from_the_store(searched: Project):
    for table in made(searched):
        table.unlink()
    shutil.rmtree(searched.folder / "results/micro/made/tables")  # which alone are asked for
    ran = searched.run("collect_all")
    assert ran.code == 0, ran.output
    assert (ran.of("searches"), ran.trained) == (2, 0)
    assert "Nothing to be done" in searched.run("collect_all").output


def test_a_method_added_tries_its_own_proposals_alone(searched: Project):
    methods = {**SEARCH["methods"], "far": {"kind": "random", "over": "types"}}
    searched.write_study(study(methods=methods))
    ran = searched.run("collect_all")
    assert ran.code == 0, ran.output
    assert ran.of("searches") == 2
    assert 5 <= ran.trained <= 6  # the start is there already; the best of it, carried over
    searched.write_study(study())
    assert searched.run("collect_all").jobs == []


def test_other_numbers_of_generations_in_a_job_train_nothing(searched: Project):
    shutil.rmtree(searched.folder / "results/micro/made/tables")  # some have another method
    assert searched.run("collect_all").code == 0
    before = str(rows(searched))  # as texts, since NaN is not equal to itself
    searched.write_config(job_minutes=3)
    ran = searched.run("collect_all")
    assert ran.code == 0, ran.output
    assert (ran.of("searches"), ran.trained) == (1, 0)
    assert str(rows(searched)) == before
