"""What a SLURM job costs beside the same job here: a real one-node cluster on this machine."""

from __future__ import annotations

import copy
import os
import tempfile
from pathlib import Path
from unittest import mock

from tests.benchmarks.rows import row
from tests.slurm.cluster import Cluster, NoCluster, install
from tests.workflow.project import STUDY, Project

PROFILE = (
    "--workflow-profile",
    "profiles/slurm",
    "--slurm-init-seconds-before-status-checks",
    "1",
    "--latency-wait",
    "5",
)
CELLS = 4


def run() -> list[dict]:
    """Seconds a job of a few small cells takes through SLURM and without."""
    try:
        install()
    except NoCluster as error:
        print(f"slurm: left out: {error}")
        return []
    with tempfile.TemporaryDirectory() as place:
        here = train(Path(place) / "local")
        cluster = Cluster(Path(place) / "cluster")
        try:
            cluster.start()
            with mock.patch.dict(os.environ, cluster.environment()):
                there = train(Path(place) / "slurm", *PROFILE)
        finally:
            cluster.stop()
    cells = f"{CELLS} small cells"
    return [
        row(f"{cells} through SLURM, against the same without", there, here, None, "s", "slurm"),
        row(f"{cells}: seconds that SLURM adds to each job", (there - here) / CELLS, None, None,
            "s", "slurm", "cost"),
    ]  # fmt: skip


def train(folder: Path, *arguments: str) -> float:
    """Wall seconds of training the cells of the tests' small study."""
    project = Project(folder)
    project.write_study(copy.deepcopy(STUDY))
    ran = project.run("train_all", *arguments)
    if ran.code:
        raise RuntimeError(ran.output)
    return ran.seconds
