"""Bad input stops before any job starts, with words that help."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from tests.workflow.project import STUDY, Project

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which nothing was made."""
    return Project(tmp_path_factory.mktemp("bare"))


def refused(project: Project, *words: str) -> None:
    ran = project.run()
    assert ran.code != 0
    assert ran.jobs == []
    assert "Traceback" not in ran.output
    for word in words:
        assert word in ran.output, ran.output


def test_every_problem_at_once(bare: Project):
    study = copy.deepcopy(STUDY)
    grid = study["grids"]["sweep"]
    grid["axes"]["lr"] = [0.1, 0.1]
    grid["base"]["optimiser"] = "sgd"
    study["figures"][0]["kind"] = "pie"
    bare.write_study(study)
    refused(bare, "config/studies/micro.yaml:", "occurs twice", "no job was started")
    grid["axes"]["lr"] = [-0.1, 0.1]
    grid["base"]["model"] = "transformr"
    bare.write_study(study)
    refused(bare, "-0.1", "above 0", "optimiser", "pie", "lr_sweep")
    bare.write_study(STUDY)


def test_a_misspelt_key_of_the_main_config(bare: Project):
    bare.write_config(sclae="desk")
    refused(bare, "config/config.yaml", "sclae", "scale")
    bare.write_config()


def test_a_store_of_another_version(bare: Project, tmp_path: Path):
    (tmp_path / "store.json").write_text('{"format": 99}')
    bare.write_config(store=str(tmp_path))
    refused(bare, str(tmp_path), "99", "format")
    bare.write_config()


def test_a_truncated_data_file_names_itself(bare: Project):
    study = copy.deepcopy(STUDY)
    grid = study["grids"]["sweep"]
    grid["base"] |= {"model": "conv", "data": {"name": "fashion_mnist_subset"}}
    grid["axes"] = {"optimizer": ["sgd"], "shape.width": [4], "lr": [0.1], "seed": [0]}
    bare.write_study(study)
    file = next((bare.folder / "workflow/hypertransfer/data/vendored").glob("*.npz"))
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    ran = bare.run("train_all")
    file.write_bytes(whole)
    bare.write_study(STUDY)
    assert ran.code != 0
    assert file.name in ran.output
    assert not list((bare.folder / "results").rglob("entry.json"))


def test_a_store_that_cannot_be_written(bare: Project, tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    bare.write_config(store=str(tmp_path / "file" / "store"))
    ran = bare.run("train_all")
    bare.write_config()
    assert ran.code != 0
    assert "cannot be written" in ran.output
    assert "config/config.yaml" in ran.output
