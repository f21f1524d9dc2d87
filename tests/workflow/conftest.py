"""The fixture that all workflow tests share."""

from __future__ import annotations

import pytest
from tests.workflow.project import Project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project on which everything has been made once."""
    made = Project(tmp_path_factory.mktemp("project"))
    made.first = made.run()
    assert made.first.code == 0, made.first.output
    return made
