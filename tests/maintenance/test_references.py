"""The references of projects: all studies at every scale, or an error."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from tests.support.project import STUDY, Project, changed, output_of, stored

from hypertransfer.cli import main
from hypertransfer.maintenance import references
from hypertransfer.studies.document import ConfigError

ROOT = Path(__file__).resolve().parents[2]


def test_a_broken_study_stops_before_the_store_is_searched(project, capsys):
    project.fill()
    before = stored(project.store)
    for study in ("no: study", {**STUDY, "scales": {"paper": {"grids": {"sweep": {"axes": 3}}}}}):
        project.write(study, "other")
        assert main.main(["prune", "--yes", "--older-than", "0"]) == 1
        done = capsys.readouterr()
        assert "config/studies/other.yaml" in done.err
        assert "cannot be planned" in done.err
        assert not done.out
    for file in (project.folder / "config/studies").iterdir():
        file.unlink()
    assert main.main(["prune", "--yes", "--older-than", "0"]) == 1
    assert "no study file in this folder" in capsys.readouterr().err
    assert stored(project.store) == before


def test_projects_that_share_a_store(project, capsys, tmp_path):
    other = Project(tmp_path / "other", project.store.root)
    other.write(changed("axes/lr", [0.1, 0.4]))
    project.fill()
    other.fill()
    before = stored(project.store)
    both = ["--project", str(project.folder), "--project", str(other.folder)]
    text = output_of(capsys, "prune", "--yes", "--older-than", "0", *both)
    assert "nothing to remove" in text
    assert str(other.folder) in text
    assert stored(project.store) == before
    assert "name every project with --project" in output_of(capsys, "prune", "--older-than", "0")
    Project(tmp_path / "third", tmp_path / "elsewhere")
    both += ["--project", str(tmp_path / "third")]
    assert main.main(["prune", *both]) == 1
    assert "do not share a store" in capsys.readouterr().err


def test_a_project_is_planned_by_its_own_library(project, capsys):
    """The library that the Snakefile would use decides, not the one that is installed."""
    project.fill()
    own = project.folder / "workflow"
    shutil.copytree(ROOT / "workflow", own, ignore=shutil.ignore_patterns("__pycache__"))
    assert "nothing to remove" in output_of(capsys, "prune", "--older-than", "0")
    file = own / "hypertransfer/optimizers/sgd.py"
    file.write_text(file.read_text() + "\nCHANGED = 1\n")
    assert "made by other code" in output_of(capsys, "prune", "--older-than", "0")


def test_calibrated_rates_cut_references_as_they_cut_jobs(project, capsys):
    rates = {"operations_per_second": 1e9, "seconds_per_step": 60.0, "products_per_checkpoint": 1.0}
    (project.folder / "config/cost.yaml").write_text(yaml.safe_dump(rates))
    project.fill()
    plan = project.plan()
    assert len(plan.train_jobs) == sum(map(len, plan.runs.values())) > 1
    assert "nothing to remove" in output_of(capsys, "prune", "--older-than", "0")


def test_a_project_without_studies_is_an_error(tmp_path):
    (tmp_path / "studies").mkdir()
    with pytest.raises(ConfigError, match="no study file in this folder"):
        list(references.project_references({"store": "x"}, tmp_path / "studies"))
