"""The plans of all studies: the files that Snakemake is asked for."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.support.searches import search_study

from hypertransfer.planning import load, report_template
from hypertransfer.planning.study_plan import StudyPlan


@pytest.fixture
def plans(tmp_path, monkeypatch):
    """The plans of a study with a search and of the index, in a folder where all files exist."""
    monkeypatch.chdir(tmp_path)
    notebook = tmp_path / "mine.ipynb"
    notebook.write_text('{"cells": []}')
    monkeypatch.setattr(report_template, "notebook", lambda study: notebook)
    study = StudyPlan(search_study(tmp_path), job_minutes=3)
    both = [study, load.IndexPlan([study])]
    for file in files_of(both):
        touch(file)
    return both


def files_of(plans):
    return [file for plan in plans for job in plan.jobs for file in job.files]


def markers(plans):
    return [plan.publication.job.file for plan in plans]


def touch(file):
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).touch()


def jobs_that_run(plans, targets, missing):
    """The digests of the jobs that Snakemake runs for some targets.

    These are the jobs that make a missing target, or a missing input of a job that runs; and the
    jobs that read an output of a job that runs.
    """
    jobs = [job for plan in plans for job in plan.jobs]
    inputs = {job.digest: {f for files in job.input.values() for f in files} for job in jobs}
    running: set[str] = set()
    wanted = set(targets)
    while True:
        fresh = {file for job in jobs if job.digest in running for file in job.files}
        wanted |= {file for digest in running for file in inputs[digest]}
        more = {
            job.digest
            for job in jobs
            if wanted & missing & set(job.files) or fresh & inputs[job.digest]
        }
        if more <= running:
            return running
        running |= more


def test_an_empty_folder_asks_for_publications_alone(plans):
    for file in files_of(plans):
        Path(file).unlink()
    assert load.targets(plans) == markers(plans)


def test_a_lost_file_is_asked_for(plans):
    assert load.targets(plans) == markers(plans)
    for file in files_of(plans):
        Path(file).unlink()
        assert load.targets(plans) == list(dict.fromkeys([*markers(plans), file]))
        touch(file)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_the_same_jobs_run_as_if_every_file_was_asked_for(plans, share):
    files, draw = files_of(plans), random.Random(0)
    for _ in range(20):
        missing = {file for file in files if draw.random() < share}
        for file in missing:
            Path(file).unlink()
        targets = load.targets(plans)
        assert jobs_that_run(plans, targets, missing) == jobs_that_run(plans, files, missing)
        for file in missing:
            touch(file)
