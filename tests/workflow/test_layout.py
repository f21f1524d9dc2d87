"""A standard Snakemake workflow: found at the top, used as a module, planned by Snakemake alone."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.workflow.project import ROOT, STUDY, Project

from hypertransfer.storage import ledger

pytestmark = pytest.mark.workflow

BARE = Path(__file__).with_name("bare.py")
JOBS = {  # of the micro study: two optimizers, two widths, two probed cells, two figures
    "train_cell": 4,
    "probe_cell": 2,
    "collect_tables": 1,
    "check_claims": 1,
    "draw_figure": 2,
    "write_report": 1,
    "publish_study": 1,
    "write_index": 1,
    "publish_index": 1,
}

MODULE = """
configfile: "config/config.yaml"


module hypertransfer:
    snakefile:
        "{snakefile}"
    config:
        config


use rule * from hypertransfer
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which nothing was made."""
    return Project(tmp_path_factory.mktemp("fresh"))


def snakemake(project: Project, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call `bare.py` in a folder."""
    return subprocess.run(
        [sys.executable, str(BARE), *arguments],
        cwd=folder,
        env=project.environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=300,
    )


def jobs(output: str) -> dict[str, int]:
    """The numbers of jobs that a dry run lists, without those of target rules."""
    found = dict(re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE))
    return {
        rule: int(count) for rule, count in found.items() if rule not in ("total", "all", "default")
    }


def calls(output: str) -> dict[str, str]:
    """The output of each call of Snakemake in one process."""
    _, *parts = re.split(r"^== snakemake (.*)\n", output, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_snakemake_alone_lints_draws_and_plans(fresh: Project):
    done = snakemake(
        fresh, fresh.folder,
        "--", "--lint", "--", "--rulegraph", "--", "-n", "--", "-s", "workflow/Snakefile", "-n",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    output = calls(done.stdout)
    assert "in a good condition" in output["--lint"]
    for rule in JOBS:
        assert f'[label = "{rule}"' in output["--rulegraph"]
    assert jobs(output["-n"]) == JOBS
    assert jobs(output["-s workflow/Snakefile -n"]) == JOBS
    assert not (fresh.folder / "results" / "micro").exists()


def targets(output: str) -> list[str]:
    """The files that the default rule asks for in a dry run."""
    found = re.search(r"^rule (?:all|default):\n +input: (.*)$", output, re.MULTILINE)
    return found[1].split(", ") if found else []


def test_the_default_rule_asks_for_publications_and_lost_files(tmp_path: Path, monkeypatch):
    project = Project(tmp_path / "project")
    output = calls(snakemake(project, project.folder, "--", "-n", "--", "--summary").stdout)
    assert len(targets(output["-n"])) == 2
    for target in targets(output["-n"]):
        assert re.fullmatch(r"results/(micro/)?made/published/\w+\.json", target)

    monkeypatch.chdir(project.folder)
    files = re.findall(r"^(results/\S+)\t", output["--summary"], re.MULTILINE)
    for file in map(Path, files):
        file.parent.mkdir(parents=True, exist_ok=True)
        make(file)
    ledger.add(files)
    assert "Nothing to be done" in snakemake(project, project.folder, "--", "-n").stdout
    for rule, folder in (("train_cell", "cells"), ("draw_figure", "figures")):
        lost = next(file for file in files if f"/{folder}/" in file)
        Path(lost).unlink()
        done = snakemake(project, project.folder, "--", "-n")
        assert jobs(done.stdout)[rule] == 1
        assert lost in targets(done.stdout)
        make(Path(lost))


def make(file: Path) -> None:
    """Stand-in for an output file; all have the same time, and a marker that lists no copies."""
    file.write_text("{}")
    os.utime(file, (1e9, 1e9))


def test_what_is_refused_cannot_be_imported(fresh: Project):
    program = f"import sys; sys.path.insert(0, {str(BARE.parent)!r}); import bare; bare.install([])"
    for module in ("torch", "numpy", "pandas", "pyarrow", "rich", "snakemake_logger_plugin_rich"):
        done = subprocess.run(
            [sys.executable, "-c", f"{program}; import {module}"],
            env=fresh.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert f"No module named '{module}'" in done.stderr, module


def test_as_a_module_of_another_workflow(fresh: Project, tmp_path: Path):
    shutil.copytree(fresh.folder / "config", tmp_path / "config")
    study = copy.deepcopy(STUDY)  # the importing folder's own
    study["grids"]["sweep"]["axes"]["optimizer"] = ["sgd"]
    (tmp_path / "config/studies/micro.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    (tmp_path / "workflow").mkdir()
    text = MODULE.format(snakefile=fresh.folder / "workflow/Snakefile")
    (tmp_path / "workflow/Snakefile").write_text(text)
    done = snakemake(fresh, tmp_path, "--", "-n", "--cores", "1")
    assert done.returncode == 0, done.stdout
    assert jobs(done.stdout) == {**JOBS, "train_cell": 2}


def test_without_its_library_the_workflow_says_so(fresh: Project, tmp_path: Path):
    shutil.copytree(fresh.folder / "config", tmp_path / "config")
    for name in ("Snakefile", "rules"):
        source = fresh.folder / "workflow" / name
        copied = shutil.copytree if source.is_dir() else shutil.copy
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        copied(source, tmp_path / "elsewhere" / name)
    (tmp_path / "Snakefile").write_text(MODULE.format(snakefile="elsewhere/Snakefile"))
    done = snakemake(fresh, tmp_path, "hypertransfer", "--", "-n", "--cores", "1")
    assert done.returncode != 0
    (line,) = [line for line in done.stdout.splitlines() if "pip install" in line]
    assert "hypertransfer" in line
    assert "Traceback" not in done.stdout


def test_the_default_profile_needs_no_plugin():
    text = (ROOT / "workflow/profiles/default/config.yaml").read_text()
    assert not re.findall(r"^(?:logger|executor):", text, re.MULTILINE)
