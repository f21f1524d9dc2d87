"""Jobs of searches: which wait for which, and what changes their files' names."""

from __future__ import annotations

from tests.support.searches import SEARCH, search_study

from hypertransfer.planning import study_plan


def jobs_of(study):
    return study_plan.StudyPlan(study, 3).search_jobs


def test_every_generation_waits_for_those_before_and_the_transfer_for_all(tmp_path):
    jobs = jobs_of(search_study(tmp_path))
    *generations, transfer = jobs
    assert [len(job.input["earlier"]) for job in generations] == [0, 1, 2] * 3
    assert len({job.file for job in jobs}) == 10
    assert all(job.files[1].endswith(".json") for job in jobs[:-1])
    assert set(transfer.input["generations"]) == {job.file for job in generations}


def test_a_method_changed_or_added_leaves_the_others_files_alone(tmp_path):
    before = {job.file for job in jobs_of(search_study(tmp_path))[:-1]}
    methods = {**SEARCH["methods"], "more": {"kind": "random", "over": "types"},
               "types": {"kind": "trust_region", "over": "types", "radius": 2}}  # fmt: skip
    after = {job.file for job in jobs_of(search_study(tmp_path, methods=methods))[:-1]}
    assert len(before & after) == 6
    transfer = {"seeds": [1], "targets": {"a": {}}}
    longer = {job.file for job in jobs_of(search_study(tmp_path, transfer=transfer))}
    assert before < longer
