"""The study that is disturbed, what it gives undisturbed, and the count of what was done to it."""

from __future__ import annotations

import copy
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.workflow.project import STUDY, Project

LONG = bool(os.environ.get("HYPERTRANSFER_LONG"))


def disturbed_study() -> dict:
    """The small study with runs and probes long enough to be hit.

    It has one optimizer, whose moments a resumed run needs, and two in the long tests.
    """
    study = copy.deepcopy(STUDY)
    grid = study["grids"]["sweep"]
    grid["axes"]["optimizer"] = ["sgd", "adam"] if LONG else ["adam"]
    for reader in (*study["figures"], *study["claims"]):
        reader["where"]["optimizer"] = "adam"
    grid["base"] |= {"steps": 300, "log_every": 50}
    grid["probes"]["sharpness"] |= {"where": {"lr": 0.1}, "tolerance": 0.01}
    return study


def make(folder: Path, **config: object) -> Project:
    project = Project(folder)
    project.write_study(disturbed_study())
    project.write_config(save_minutes=0.001, **config)
    return project


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project on which everything has been made once."""
    project = make(tmp_path_factory.mktemp("whole"))
    ran = project.run()
    assert ran.code == 0, ran.output
    return project


@pytest.fixture(scope="session")
def undisturbed(whole: Project) -> dict[str, bytes]:
    """The tables of a project to which nothing happened."""
    return whole.tables()


@pytest.fixture(scope="session")
def tally() -> Iterator[Counter[str]]:
    """What was done and what it cost, in one line at the end."""
    counted: Counter[str] = Counter({"runs trained again": 0, "runs lost": 0})
    yield counted
    (Path(__file__).parents[2] / "results").mkdir(exist_ok=True)
    kinds = ", ".join(f"{name} {count}" for name, count in sorted(counted.items()))
    kills = sum(count for name, count in counted.items() if name.startswith("kill "))
    line = f"faults: {kills} kills, {counted['corruption']} corruptions ({kinds})"
    (Path(__file__).parents[2] / "results/faults.txt").write_text(f"{line}\n")
    print(f"\n{line}")
