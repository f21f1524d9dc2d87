"""Snakemake's scheduler looks at the ready jobs when a job has finished, and not once a second."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from tests.workflow.project import STUDY, Project

pytestmark = pytest.mark.workflow


@pytest.fixture
def waiting(tmp_path: Path) -> Project:
    """A project with many jobs that wait for a core, each of which takes seconds."""
    project = Project(tmp_path)
    study = copy.deepcopy(STUDY)
    study["grids"]["sweep"]["base"]["steps"] = 200
    study["grids"]["sweep"]["axes"]["shape.width"] = [4, 8, 16]
    project.write_study(study)
    return project


def test_ready_jobs_are_looked_at_once_for_a_finished_job(waiting: Project):
    ran = waiting.run("train_all", "--verbose")
    assert ran.code == 0, ran.output
    finished = ran.output.count("Handle temp files for job ")
    assert finished > 4
    assert ran.output.count("Ready jobs: ") <= finished + 1
    assert "Job rate limit reached" not in ran.output


def test_a_limit_that_the_user_sets_is_kept(waiting: Project):
    ran = waiting.run("train_all", "--max-jobs-per-timespan", "1/2s")
    assert ran.code == 0, ran.output
    assert "Job rate limit reached" in ran.output
