"""The fixture that all workflow tests share."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
from filelock import FileLock
from tests.workflow.project import Project


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project on which everything is made once for all processes of the tests."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, first = shared / "made_once", shared / "made_once.pickle"
    with FileLock(shared / "made_once.lock"):
        if not first.exists():
            first.write_bytes(pickle.dumps(Project(folder).run()))
    ran = pickle.loads(first.read_bytes())
    assert ran.code == 0, ran.output
    return folder


@pytest.fixture(scope="module")
def project(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project on which everything has been made once."""
    copied = Project.copied(made, tmp_path_factory.mktemp("project") / "micro")
    copied.first = pickle.loads(made.with_suffix(".pickle").read_bytes())
    return copied
