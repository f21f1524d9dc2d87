"""The workflow through a real SLURM: what runs there, and what it survives."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.slurm.cluster import Cluster
from tests.support.adaptive import adaptive_study
from tests.workflow.project import STUDY, Project
from tests.workflow.test_timed import spans, timed_study

from hypertransfer.storage import parquet

pytestmark = pytest.mark.slurm

PROFILE = (
    "--workflow-profile",
    "profiles/slurm",
    "--slurm-init-seconds-before-status-checks",
    "1",
    "--latency-wait",
    "10",
)
STEPS = 2000
TRAINING = re.compile(r"^(\S+ \S+) INFO training ([0-9a-f]{24}-[0-9a-f]{16})", re.MULTILINE)


def slow_study() -> dict:
    """The small study with runs of some seconds, so that a job can be met in the middle."""
    study = copy.deepcopy(STUDY)
    study["grids"]["sweep"]["base"] |= {"steps": STEPS, "log_every": 100}
    return study


def slow_project(folder: Path) -> Project:
    project = Project(folder)
    project.write_study(slow_study())
    project.write_config(job_minutes=30)
    return project


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The tables of the slow study, made on this machine without SLURM."""
    project = slow_project(tmp_path_factory.mktemp("local"))
    ran = project.run("collect_all")
    assert ran.code == 0, ran.output
    return project.made_tables()


def test_the_workflow_through_slurm(cluster: Cluster, tmp_path: Path):
    """Every job but the first and last, which do nothing, is a SLURM job that completes."""
    local, project = Project(tmp_path / "local"), Project(tmp_path / "project")
    study = copy.deepcopy(STUDY)
    study["grids"]["sweep"]["axes"]["optimizer"] = ["sgd"]
    for one in (local, project):
        one.write_study(study)
    before = {job.id for job in cluster.jobs()}
    ran = project.run(*PROFILE)
    assert ran.code == 0, ran.output + cluster.logs()
    jobs = [job for job in cluster.jobs() if job.id not in before]
    assert {job.state for job in jobs} == {"COMPLETED"}
    rules = Counter(
        rule
        for job in jobs
        for rule in ("train_cell", "probe_cell")
        if job.comment.startswith(f"rule_{rule}")
    )
    assert rules == {"train_cell": 2, "probe_cell": 2}
    assert len(jobs) == 2 + 2 + 2, "two groups: what follows a study's cells, and the index"
    assert "Nothing to be done" in project.run(*PROFILE).output
    assert local.run().code == 0
    assert project.tables() == local.tables()


def test_rounds_and_looks_through_slurm(cluster: Cluster, tmp_path: Path):
    """What follows from results is allocated and trained there as it is on this machine."""
    study = adaptive_study()
    study["grids"]["sweep"]["axes"]["seed"] = "as_needed"
    study["grids"]["sweep"]["inner"] = ["shape.width", "lr", "seed"]
    study["spending"] = {"core_minutes": 60, "seeds": [2, 4]}
    study["claims"][0]["where"] = {"grid": "sweep"}
    local, project = Project(tmp_path / "local"), Project(tmp_path / "project")
    for one in (local, project):
        one.write_study(study)
    before = {job.id for job in cluster.jobs()}
    ran = project.run(*PROFILE, timeout=500)
    assert ran.code == 0, ran.output + cluster.logs()
    jobs = [job for job in cluster.jobs() if job.id not in before]
    assert {job.state for job in jobs} == {"COMPLETED"}
    assert "Nothing to be done" in project.run(*PROFILE).output
    assert local.run().code == 0
    tables, expected = (without_claims(one) for one in (project, local))
    assert tables == expected
    assert verdicts(project) == verdicts(local)
    (look,) = (project.folder / "results/micro/made/looks").glob("*.json")
    assert json.loads(look.read_text())["keys"], "the look added seeds"


def without_claims(project: Project) -> dict[str, bytes]:
    """The tables of a project, without that of claims, which says how many minutes decide one."""
    return {name: content for name, content in project.tables().items() if "claims" not in name}


def verdicts(project: Project) -> list[dict]:
    """The claims of a project with their estimates and verdicts."""
    columns = ("claim", "value", "low", "high", "units", "verdict")
    return parquet.read(project.folder / "results/micro/tables/claims.parquet", columns).to_pylist()


class Faults(threading.Thread):
    """Waits until each chosen cell is in its second run, and then does something to its job."""

    def __init__(self, cluster: Cluster, project: Project, acts: dict[str, Callable]) -> None:
        super().__init__(daemon=True)
        self.cluster, self.project, self.acts = cluster, project, acts
        self.done: dict[str, str] = {}  # cell → job
        self.complete: dict[str, set[str]] = {}  # cell → runs in the store at that moment
        self.begun: dict[str, set] = {}  # cell → trainings begun until then
        self.over = threading.Event()

    def run(self) -> None:
        """Look again and again, until all is done or the workflow has ended."""
        while not self.over.is_set() and set(self.done) != set(self.acts):
            for cell in set(self.acts) - set(self.done):
                self.begun[cell] = set(TRAINING.findall(log_of(self.project, cell)))
                if len(self.begun[cell]) >= 2:
                    self._act(cell)
            time.sleep(0.05)

    def _act(self, cell: str) -> None:
        (job,) = [
            j
            for j in self.cluster.jobs()
            if j.state == "RUNNING" and f"{cell}_".replace("/", "_") in j.comment
        ]
        self.complete[cell] = stored(self.project)
        self.done[cell] = job.id
        self.acts[cell](self.cluster, job.id)


def stored(project: Project) -> set[str]:
    found = (project.folder / "results/store/runs").rglob("entry.json")
    return {f"{path.parent.parent.name}-{path.parent.name}" for path in found}


def cancel(cluster: Cluster, job: str) -> None:
    cluster.call("scancel", job)


def send(pid: int, number: int) -> None:
    """Send a signal to a process that may have ended since it was listed."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def lose(cluster: Cluster, job: str) -> None:
    """The processes die at once, as when a node goes down."""
    for pid in cluster.processes(job):
        send(pid, signal.SIGKILL)


def overrun(cluster: Cluster, job: str) -> None:
    """The job hangs and its limit is near: SLURM ends it."""
    for pid in cluster.processes(job):
        send(pid, signal.SIGSTOP)
    cluster.call("scontrol", "update", f"JobId={job}", "TimeLimit=1")


def test_faults_cost_what_was_not_finished(cluster: Cluster, tmp_path: Path, undisturbed):
    """A cancelled, a lost, a hanging and an over-large job in one call: retries finish it all."""
    project = slow_project(tmp_path / "project")
    faults = Faults(
        cluster,
        project,
        {
            "optimizer~adam/shape.width~4": cancel,
            "optimizer~adam/shape.width~8": overrun,
            "optimizer~sgd/shape.width~4": lose,
        },
    )
    faults.start()
    # Probing gets too little memory at first: torch alone needs more.
    ran = project.run(
        *PROFILE,
        "collect_all",
        "--set-resources",
        "probe_cell:mem_mb=400 * attempt ** 2",
        timeout=500,
    )
    faults.over.set()
    faults.join()
    assert ran.code == 0, ran.output + cluster.logs()
    assert set(faults.done) == set(faults.acts), "every fault was met"
    states = {job.id: job.state for job in cluster.jobs()}
    ended = {cell.partition("/")[0] + cell[-1]: states[job] for cell, job in faults.done.items()}
    assert ended["optimizer~adam4"] == "CANCELLED"
    assert ended["optimizer~adam8"] == "TIMEOUT"
    assert ended["optimizer~sgd4"] in ("FAILED", "NODE_FAIL", "CANCELLED")
    probes = Counter(job.state for job in cluster.jobs() if job.comment.startswith("rule_probe"))
    assert probes["FAILED"] + probes["OUT_OF_MEMORY"] >= 2, "too little memory was fatal"
    assert project.made_tables() == undisturbed
    assert_trained_once(project, faults)


def log_of(project: Project, cell: str) -> str:
    logs = (project.folder / "logs/micro/cells/sweep").glob(f"{cell}/*.log")
    return "".join(log.read_text() for log in logs)


def assert_trained_once(project: Project, faults: Faults) -> None:
    """No run that was in the store when its job was hit was begun again."""
    for cell, complete in faults.complete.items():
        later = set(TRAINING.findall(log_of(project, cell))) - faults.begun[cell]
        assert later, "the job was done again"
        assert not complete & {key for _, key in later}
    assert "resumed after" in log_of(project, "optimizer~adam/shape.width~4"), (
        "scancel asks before it kills"
    )


def test_an_interrupted_call_takes_its_jobs_out_of_the_queue(cluster: Cluster, tmp_path: Path):
    project = Project(tmp_path / "project")
    study = slow_study()
    study["grids"]["sweep"]["base"]["steps"] = 500 * STEPS  # no job ends by itself
    project.write_study(study)
    project.write_config(job_minutes=30)
    before = {job.id for job in cluster.jobs()}
    process = subprocess.Popen(
        project.command(*PROFILE),
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # a shell's background jobs, these tests among them, hand on that SIGINT is ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )

    def ours(*states: str) -> list[str]:
        return [j.id for j in cluster.jobs() if j.id not in before and j.state in states]

    known: list[str] = []
    while not ours("RUNNING") or known != ours("RUNNING", "PENDING"):  # until all are submitted
        assert process.poll() is None
        known = ours("RUNNING", "PENDING")
        time.sleep(3)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) != 0
    until = time.monotonic() + 60  # a busy machine takes long to end jobs
    while ours("RUNNING", "PENDING", "COMPLETING") and time.monotonic() < until:
        time.sleep(0.2)
    assert not ours("RUNNING", "PENDING", "COMPLETING")


def test_a_timed_job_has_a_node_of_its_own(cluster: Cluster, tmp_path: Path):
    """No other job starts while it runs, although the node has CPUs and memory for several."""
    project = Project(tmp_path / "project")
    project.write_study(timed_study())
    before = {job.id for job in cluster.jobs()}
    ran = project.run(*PROFILE, "collect_all")
    assert ran.code == 0, ran.output + cluster.logs()
    jobs = [job for job in cluster.jobs() if job.id not in before]
    (timed,) = (job for job in jobs if job.comment.startswith("rule_probe_timed"))
    text = cluster.call("scontrol", "show", "job", timed.id)
    shown = dict(word.partition("=")[::2] for word in text.split())
    assert (shown["JobState"], shown["OverSubscribe"]) == ("COMPLETED", "NO")
    assert shown["NumCPUs"] == cluster.call("sinfo", "-h", "-o", "%c").strip()
    (alone,) = spans(project, "timed/**/*.log")
    others = [*spans(project, "cells/**/*.log"), *spans(project, "probes/**/*.log")]
    assert not [other for other in others if other[0] < alone[1] and alone[0] < other[1]]
