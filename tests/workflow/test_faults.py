"""Failures, kills and damage: a later call mends everything, and nothing stale is left."""

from __future__ import annotations

import copy
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.workflow.project import STUDY, Project

from hypertransfer import records

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def undisturbed(project: Project) -> dict[str, bytes]:
    """The tables of a run in which nothing went wrong."""
    return project.tables()


def entries(project: Project, kind: str) -> list[Path]:
    return sorted((project.folder / "results/store" / kind).rglob("entry.json"))


def key_of(entry: Path) -> str:
    return f"{entry.parent.parent.name}-{entry.parent.name}"


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
    lrs = records.read(project.folder / "results/micro/tables/runs.parquet").column("lr")
    assert sorted(set(lrs.to_pylist())) == [0.05, 0.1, 0.2, 0.8]
    project.write_study(STUDY)
    assert project.run().code == 0
    assert project.tables() == undisturbed


def test_damaged_entries_are_named_and_made_again(project: Project, undisturbed):
    wanted = set(records.frame(project.folder / "results/micro/tables/runs.parquet")["key"])
    damaged = [e for e in entries(project, "runs") if key_of(e) in wanted][::7]
    for entry in damaged:
        content = bytearray((entry.parent / "history.parquet").read_bytes())
        content[len(content) // 2] ^= 1
        (entry.parent / "history.parquet").write_bytes(content)
    shutil.rmtree(project.folder / "results/micro/made")
    ran = project.run()
    assert ran.code == 0, ran.output
    assert ran.trained == len(damaged)
    logs = "".join(p.read_text() for p in (project.folder / "logs").rglob("*.log"))
    for entry in damaged:
        assert key_of(entry) in logs
    assert project.tables() == undisturbed


def test_results_without_snakemakes_memory(project: Project, undisturbed):
    shutil.rmtree(project.folder / ".snakemake")
    assert "Nothing to be done" in project.run().output
    shutil.rmtree(project.folder / "results/micro/made/tables")
    ran = project.run()
    assert ran.code == 0
    assert ran.trained == 0
    assert project.tables() == undisturbed


def test_kills_at_any_moment(project: Project, undisturbed):
    """The whole process group is killed at several moments; one plain call then finishes."""
    shutil.rmtree(project.folder / "results/store")
    shutil.rmtree(project.folder / "results/micro")
    seen: set[Path] = set()
    for moment in (3.0, 6.0, 8.0):
        process = subprocess.Popen(
            project.command("--nolock"), cwd=project.folder, env=project.environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        time.sleep(moment)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kept = set(entries(project, "runs"))
        assert seen <= kept, "what was finished stays"
        for entry in kept:
            assert json.loads(entry.read_text())["files"]
        seen = kept
    ran = project.run("--nolock")
    assert ran.code == 0, ran.output
    assert ran.trained == 24 - len(seen), "no finished run is trained again"
    assert project.tables() == undisturbed
    assert not list((project.folder / "results/store/tmp").iterdir()), "leftovers are swept"


def test_two_workflows_on_one_store(tmp_path: Path, undisturbed):
    """Two copies share an empty store: each run is trained once, and both get the same tables."""
    store = str(tmp_path / "store")
    pair = [Project(tmp_path / name) for name in ("a", "b")]
    running = []
    for one in pair:
        one.write_config(store=store)
        running.append(
            subprocess.Popen(
                [*one.command("train_all"), "--cores", "1"],
                cwd=one.folder,
                env=one.environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
    assert [process.wait(timeout=300) for process in running] == [0, 0]
    logs = "".join(p.read_text() for one in pair for p in (one.folder / "logs").rglob("*.log"))
    assert logs.count("INFO training ") == 24
    for one in pair:
        ran = one.run()
        assert ran.code == 0, ran.output
        assert ran.trained == 0
        assert one.tables() == undisturbed


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
