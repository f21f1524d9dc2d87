"""Jobs of searches: which wait for which, and what changes their files' names."""

from __future__ import annotations

import dataclasses

import pytest
from tests.support.searches import SEARCH, search_study

from hypertransfer.catalogue import versions
from hypertransfer.catalogue.cards import datasets, optimizers
from hypertransfer.planning import study_plan


def jobs_of(study, minutes=1e-6):
    """The jobs of the study's search, each with one generation unless they may take longer."""
    return study_plan.StudyPlan(study, minutes).search_jobs


def test_a_job_trains_as_many_generations_as_take_its_minutes(tmp_path):
    study = search_study(tmp_path, generations=5)
    one = jobs_of(study)[0].seconds
    for minutes, expected in [
        (3, [[0, 5]]),
        (1e308, [[0, 5]]),
        (2.6 * one / 60, [[0, 2], [2, 5]]),
        (2 * one / 60, [[0, 1], [1, 3], [3, 5]]),
        (1e-6, [[number, number + 1] for number in range(5)]),
    ]:
        *jobs, transfer = jobs_of(study, minutes)
        first = jobs[: len(expected)]
        assert [job.parts["generations"] for job in first] == expected
        assert len(jobs) == 3 * len(expected)
        assert [len(job.input["earlier"]) for job in first] == list(range(len(expected)))
        assert sum(job.seconds for job in first) == pytest.approx(5 * one)
        assert set(transfer.input["generations"]) == {job.file for job in jobs}


def test_every_generation_waits_for_those_before_and_the_transfer_for_all(tmp_path):
    jobs = jobs_of(search_study(tmp_path))
    *generations, transfer = jobs
    assert [len(job.input["earlier"]) for job in generations] == [0, 1, 2] * 3
    assert len({job.file for job in jobs}) == 10
    assert all(job.files[1].endswith(".json") for job in jobs[:-1])
    assert set(transfer.input["generations"]) == {job.file for job in generations}


def test_a_method_changed_or_added_leaves_the_others_files_alone(tmp_path):
    before = {job.file for job in jobs_of(search_study(tmp_path))[:-1]}
    methods = {
        **SEARCH["methods"],
        "more": {"kind": "random", "over": "types"},
        "types": {"kind": "trust_region", "over": "types", "radius": 2},
    }
    after = {job.file for job in jobs_of(search_study(tmp_path, methods=methods))[:-1]}
    assert len(before & after) == 6
    transfer = {"seeds": [1], "targets": {"a": {}}}
    longer = {job.file for job in jobs_of(search_study(tmp_path, transfer=transfer))}
    assert before < longer


def test_independent_searches_build_on_their_own_generations_and_keep_their_files(tmp_path):
    before = jobs_of(search_study(tmp_path))[:-1]
    *generations, transfer = jobs_of(search_study(tmp_path, repeats=2))
    assert [len(job.input["earlier"]) for job in generations] == [0, 1, 2] * 6
    seeds = [job.parts["values"]["base"]["seed"] for job in generations]
    assert seeds == [0, 0, 0, 1, 1, 1] * 3
    own = {job.file: seed for job, seed in zip(generations, seeds, strict=True)}
    assert all(own[file] == own[job.file] for job in generations for file in job.input["earlier"])
    assert {job.file for job in before} == {file for file, seed in own.items() if seed == 0}
    assert set(transfer.input["generations"]) == set(own)


def test_claims_know_which_seeds_are_independent_searches(tmp_path):
    def plan(**changes):
        study = search_study(tmp_path, **changes)
        return study_plan.StudyPlan(study, 3)

    assert "searched" not in plan().check_claims.parts
    found = plan(repeats=2).check_claims.parts["searched"]
    assert found == ["modules", "modules-transfer"]


def test_a_default_of_the_optimizer_renames_every_file(tmp_path, monkeypatch):
    before = jobs_of(search_study(tmp_path))
    adam = optimizers.OPTIMIZERS["adam"]
    betas = {**adam.options["betas"], "default": [0.5, 0.6]}
    changed = dataclasses.replace(adam, options={**adam.options, "betas": betas})
    monkeypatch.setitem(optimizers.OPTIMIZERS, "adam", changed)
    after = jobs_of(search_study(tmp_path))
    assert not {job.file for job in before} & {job.file for job in after}


def test_the_data_of_a_target_rename_the_transfer_alone(tmp_path, monkeypatch):
    transfer = {"seeds": [1], "targets": {"other": {"data": "gaussian_regression", "loss": "mse"}}}
    before = jobs_of(search_study(tmp_path, transfer=transfer))
    card = dataclasses.replace(datasets.CARDS["gaussian_regression"], train=32)
    monkeypatch.setitem(datasets.CARDS, "gaussian_regression", card)
    after = jobs_of(search_study(tmp_path, transfer=transfer))
    assert [job.file for job in before[:-1]] == [job.file for job in after[:-1]]
    assert before[-1].file != after[-1].file


def test_the_version_of_the_process_renames_its_method_and_what_follows(tmp_path, monkeypatch):
    before = jobs_of(search_study(tmp_path))
    monkeypatch.setattr(versions, "installed_version", lambda package: "of tomorrow")
    after = jobs_of(search_study(tmp_path))
    renamed = [old for old, new in zip(before, after, strict=True) if old.file != new.file]
    methods = [job.parts.get("method", {"name": "carried over"})["name"] for job in renamed]
    assert methods == ["factored"] * 3 + ["carried over"]
