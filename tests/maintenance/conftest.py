"""The project that tests of the maintenance commands work in."""

from pathlib import Path

import pytest
from tests.support.project import Project


@pytest.fixture
def project(tmp_path: Path, monkeypatch) -> Project:
    made = Project(tmp_path / "project", tmp_path / "store")
    monkeypatch.chdir(made.folder)
    return made
