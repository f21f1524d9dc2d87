"""Failures: a later call mends everything, and nothing stale is left. Kills are in tests/faults."""

from __future__ import annotations

import copy
import os
import shutil

import pytest
from tests.workflow.project import STUDY, Project

from hypertransfer.storage import parquet

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def undisturbed(project: Project) -> dict[str, bytes]:
    """The tables of a run in which nothing went wrong."""
    return project.tables()


def test_results_without_snakemakes_memory(project: Project, undisturbed):
    shutil.rmtree(project.folder / ".snakemake")
    assert "Nothing to be done" in project.run().output
    shutil.rmtree(project.folder / "results/micro/made/tables")
    ran = project.run()
    assert ran.code == 0
    assert ran.trained == 0
    assert project.tables() == undisturbed


def test_a_failed_change_never_leaves_stale_results(project: Project, undisturbed):
    """Change the grid, fail, mend, call again: the sequence that fools Snakemake's triggers."""
    study = copy.deepcopy(STUDY)
    study["grids"]["sweep"]["axes"]["lr"] = [0.05, 0.1, 0.2, 0.8]
    project.write_study(study)
    file = "workflow/hypertransfer/optimizers/sgd.py"
    sound = project.edit(file, lambda text: text.replace("    kept = [", "    1 / 0\n    kept = ["))
    failed = project.run("--keep-going")
    assert failed.code != 0
    assert "ZeroDivisionError" in failed.output
    again = project.run("--keep-going")
    assert again.code != 0, "a failed job is tried again, not forgotten"
    assert project.tables() == undisturbed, "stable names still show the last whole result"
    (project.folder / file).write_text(sound)
    mended = project.run()
    assert mended.code == 0, mended.output
    assert mended.trained == 4  # Adam's were trained while SGD failed
    lrs = parquet.read(project.folder / "results/micro/tables/runs.parquet").column("lr")
    assert sorted(set(lrs.to_pylist())) == [0.05, 0.1, 0.2, 0.8]
    project.write_study(STUDY)
    assert project.run().code == 0
    assert project.tables() == undisturbed


def test_a_report_that_fails_keeps_its_traceback(project: Project):
    import nbformat

    path = project.folder / "workflow/notebooks/micro.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[-1].source += "\nraise RuntimeError('on purpose')"
    nbformat.write(notebook, path)
    ran = project.run()
    project.write_notebook()
    assert ran.code != 0
    assert "on purpose" in ran.output
    kept = sorted((project.folder / "logs/micro/report").glob("*.ipynb"), key=os.path.getmtime)[-1]
    assert "on purpose" in kept.read_text()
    assert str(kept.relative_to(project.folder)) in ran.output.replace("\n", "")
    assert project.run().code == 0
