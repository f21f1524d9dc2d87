"""Jobs that measure times: nothing runs beside them, and a killed one goes on."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.workflow.project import STUDY, Project

from hypertransfer.storage import parquet

LINE = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) ", re.MULTILINE)


def timed_study(**probe: Any) -> dict[str, Any]:
    """The micro study with two small runs that are timed, beside several cells that train."""
    study = copy.deepcopy(STUDY)
    sweep = study["grids"]["sweep"]
    time = {"probe": "step_time", "checkpoints": [0], "steps": 200, "repeats": 4, **probe}
    study["grids"]["times"] = {
        "base": {**sweep["base"], "steps": 1, "log_every": 1},
        "axes": {"optimizer": ["sgd", "adam"], "seed": [0, 1]},
        "inner": ["optimizer", "seed"],
        "probes": {"time": time},
    }
    sweep["base"]["steps"] = 400  # some jobs of more than a second each
    for reader in (*study["figures"], *study["claims"]):
        reader["where"]["grid"] = "sweep"
    return study


def span(log: Path) -> tuple[datetime, datetime]:
    """The first and the last time in the log of a job, which measures in between."""
    times = [
        datetime.fromisoformat(text.replace(",", ".")) for text in LINE.findall(log.read_text())
    ]
    return times[0], times[-1]


def spans(project: Project, pattern: str) -> list[tuple[datetime, datetime]]:
    return [span(log) for log in sorted((project.folder / "logs/micro").glob(pattern))]


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a timed probe, run once on two cores."""
    project = Project(tmp_path_factory.mktemp("timed"))
    project.write_study(timed_study())
    ran = project.run("collect_all")
    assert ran.code == 0, ran.output
    return project


def threads(project: Project, cores: int) -> dict[str, set[int]]:
    """The threads of all jobs of a dry run, by rule."""
    script = f"""
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import OutputSettings, Quietness, ResourceSettings
with SnakemakeApi(OutputSettings(quiet={{Quietness.ALL}}, dryrun=True)) as api:
    flow = api.workflow(
        resource_settings=ResourceSettings(cores={cores}), snakefile=Path("Snakefile")
    )
    graph = flow.dag()
    graph.execute_workflow(executor="dryrun")
    for job in flow._workflow.dag.jobs:
        print("THREADS", job.rule.name, job.threads)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=project.folder,
        env=project.environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    )
    found: dict[str, set[int]] = {}
    for rule, number in re.findall(r"^THREADS (\S+) (\d+)$", done.stdout, re.MULTILINE):
        found.setdefault(rule, set()).add(int(number))
    return found


def test_no_job_runs_beside_a_timed_one(timed: Project):
    """By the logs: two cores train beside each other, and the timed job has both."""
    (alone,) = spans(timed, "timed/**/*.log")
    others = [*spans(timed, "cells/**/*.log"), *spans(timed, "probes/**/*.log")]
    assert len(others) >= 6
    beside = [other for other in others if other[0] < alone[1] and alone[0] < other[1]]
    assert not beside
    table = parquet.read(*timed.folder.glob("results/micro/made/timed/times/time/*.parquet"))
    assert table.num_rows == 4


def test_a_timed_job_has_all_cores(timed: Project):
    for cores in (1, 2, 7):
        found = threads(timed, cores)
        assert found["probe_timed"] == {cores}
        assert found["collect_tables"] == {1}


def test_one_more_run_is_measured_with_the_others_of_its_seed(timed: Project):
    """The last test, since it changes the study."""
    study = timed_study()
    study["grids"]["times"]["axes"]["optimizer"] = ["sgd", "adam", "adamw"]
    timed.write_study(study)
    ran = timed.run("collect_all")
    assert ran.code == 0, ran.output
    assert (ran.of("timed"), ran.trained) == (1, 2)
    log = max((timed.folder / "logs/micro/timed").glob("**/*.log"), key=lambda p: p.stat().st_mtime)
    assert log.read_text().count("measuring 3 runs in turns") == 2
    assert "Nothing to be done" in timed.run("collect_all").output
