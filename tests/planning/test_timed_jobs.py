"""The jobs of timed probes: what they hold, and how the keys of their results depend on rivals."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.planning.test_study_plan import planned

from hypertransfer.execution import probe_cell
from hypertransfer.planning import cost, keys

TIME: dict[str, Any] = {"probe": "step_time", "checkpoints": [0], "steps": 3}


def timed(probe=None, minutes=3.0, device="auto", base=(), probes=None, **axes):
    """The plan of a study whose grid is timed, and the job of the probe."""

    def edit(values):
        sweep = values["grids"]["sweep"]
        sweep["base"] |= dict(base)
        sweep["probes"] = {**sweep["probes"], "time": {**TIME, **(probe or {})}}
        for name, settings in (probes or {}).items():
            sweep["probes"][name] = {**sweep["probes"][name], **settings}
        sweep["axes"] |= axes

    study = planned(edit, minutes=minutes, contexts=keys.Contexts(device))
    (job,) = (job for job in study.probe_jobs if job.rule == "probe_timed")
    return study, job


def keys_by_point(job):
    return {
        tuple(run["point"].values()): key
        for run, key in zip(job.parts["runs"], job.probe_keys, strict=True)
    }


def test_one_job_has_all_runs_of_the_grid_however_long_they_take():
    for minutes in (3.0, 1e-6):
        study, job = timed(minutes=minutes)
        assert len(job.probe_keys) == len(job.parts["runs"]) == 8
        assert job.input["cells"] == [other.file for other in study.train_jobs]
        assert len(study.train_jobs) == (2 if minutes == 3.0 else 8)
        assert "timed/sweep/time/" in job.file
        assert job.file in study.collect_tables.input["probes"]


def test_only_runs_that_the_probe_selects():
    study, job = timed({"where": {"shape.width": 4}})
    assert len(job.probe_keys) == 4
    assert job.input["cells"] == [study.train_jobs[0].file]


def test_an_added_rival_has_the_set_of_its_seed_measured_anew():
    _, before = timed()
    for axes in ({"lr": [0.1, 0.2, 0.4]}, {"shape.width": [4, 8, 16]}):
        _, after = timed(**axes)
        assert set(before.probe_keys).isdisjoint(after.probe_keys)
        assert before.digest != after.digest


def test_an_added_seed_is_a_set_of_its_own():
    _, before = timed()
    _, after = timed(seed=[0, 1, 2])
    assert set(before.probe_keys) < set(after.probe_keys)
    assert len(after.probe_keys) - len(before.probe_keys) == 4


def test_the_order_of_rivals_does_not_matter():
    _, before = timed()
    _, after = timed(lr=[0.2, 0.1])
    assert keys_by_point(before) == keys_by_point(after)


def test_rivals_do_not_change_the_keys_of_other_probes_or_runs():
    with_time, _ = timed()
    without = planned()
    found, wanted = (
        {
            (probe, run["key"])
            for job in study.probe_jobs
            if job.rule == "probe_cell"
            for probe, run in zip(job.probe_keys, job.parts["runs"], strict=True)
        }
        for study in (with_time, without)
    )
    assert found == wanted
    rows = [job.parts for job in with_time.probe_jobs if job.rule == "probe_cell"]
    assert {parts["probe"] for parts in rows} == {"sharpness"}


def test_a_gpu_and_a_cpu_have_results_of_their_own():
    (study, on_cpu), (other, on_gpu) = timed(device="cpu"), timed(device="cuda:1")
    assert set(on_cpu.probe_keys).isdisjoint(on_gpu.probe_keys)
    assert on_cpu.digest != on_gpu.digest
    assert on_gpu.probe_keys == timed(device="cuda:0")[1].probe_keys
    names = [{j.digest for j in plan.jobs if j.rule != "probe_timed"} for plan in (study, other)]
    cells = [{j.digest for j in plan.probe_jobs + plan.train_jobs} for plan in (study, other)]
    assert cells[0] & names[0] == cells[1] & names[1]  # other probes and runs are the same
    assert probe_cell.probes_of_job(json.loads(on_gpu.made_from), {}, {})


def test_no_large_weights_are_written_for_a_timed_probe():
    """They would wait on the disk for all trainings of the grid; the job trains again instead."""
    base, axes = {"steps": 1, "log_every": 1}, {"shape.width": [4, 2048]}
    kept = {"sharpness": {"checkpoints": [1]}}
    study, job = timed({"checkpoints": [0, 1]}, base=base, probes=kept, **axes)
    large = {run.key: run for run in study.runs["sweep"] if run.run.spec.shape.width == 2048}
    assert not study.weights.keep.keys() & large.keys()
    other = {key for j in study.probe_jobs if j.rule == "probe_cell" for key in j.probe_keys}
    assert {key for readers in study.weights.passing.values() for key in readers} <= other
    assert all(study.weights.passing_steps(key) <= {1} for key in large)
    measured = sum(
        cost.probe_seconds(run.run.spec, settings, study.rates)
        for run, settings in zip(study.runs["sweep"], job.parts["settings"], strict=True)
    )
    assert job.seconds == pytest.approx(measured + sum(run.seconds for run in large.values()))
    assert job.most_seconds > job.seconds


def test_only_the_code_of_turns_and_of_the_probe_count():
    context = keys.probe_context({"probe": "step_time"})
    assert {"hypertransfer.probes.turns", "hypertransfer.probes.tasks.step_time"} <= set(
        context["code"]
    )
    others = keys.probe_context({"probe": "hessian"})["code"]
    assert "hypertransfer.probes.turns" not in others


def test_memory_is_that_of_all_rivals_of_a_seed():
    study, job = timed()
    specs = [run.run.spec for run in study.runs["sweep"]]
    own = [cost.train_bytes(spec, 1) - cost.PROCESS for spec in specs if spec.seed == 0]
    assert cost.rivals_bytes(specs, [1] * len(specs)) == cost.PROCESS + sum(own)
    assert job.bytes > max(own) + cost.PROCESS


def test_the_estimate_is_that_of_the_steps():
    study, job = timed({"repeats": 4})
    seconds = sum(run.seconds / run.run.spec.steps for run in study.runs["sweep"])
    assert abs(job.seconds - 27 * seconds) < 1e-9 * seconds + 1e-9
