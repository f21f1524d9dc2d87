"""What a plan says of a store: runs whose weights at some steps were not kept."""

from __future__ import annotations

import copy

import pytest
from tests.support.searches import SEARCH
from tests.workflow.project import STUDY

from hypertransfer.planning import keys, status
from hypertransfer.planning.study_plan import StudyPlan
from hypertransfer.storage.run_store import Store
from hypertransfer.studies.study import Study

LR = 0.1  # the learning rate whose runs with SGD are probed


def plan_with(checkpoints) -> StudyPlan:
    values = copy.deepcopy(STUDY)
    values["grids"]["sweep"]["probes"]["sharpness"]["checkpoints"] = checkpoints
    return StudyPlan(Study.parse(values, "desk"), job_minutes=3)


@pytest.fixture
def store(tmp_path) -> Store:
    """A store with all runs of the study, which kept their weights at steps 0, 3 and 6."""
    store = Store(tmp_path)
    for run in plan_with([0, 3, 6]).runs["sweep"]:
        record = {"status": "finished", "steps_done": 6, "checkpoints": [0, 3, 6]}
        store.put("runs", run.key, {**record, "context": keys.context(run.run.spec)}, {})
    return store


def probed(plan: StudyPlan) -> set[str]:
    return {run["key"] for job in plan.probe_jobs for run in job.parts["runs"]}


def test_a_probe_at_kept_steps_needs_no_training(store):
    found = status.survey(plan_with([0, 6]), store)
    assert found.lacking == {}
    assert status.reasons(found) == {}
    assert next(iter(status.grids(found))).missing == 0


def test_runs_that_lack_weights_are_named_with_their_steps(store):
    plan = plan_with([0, 2, 4, 6])
    found = status.survey(plan, store)
    assert set(found.lacking) == probed(plan)
    assert set(found.lacking.values()) == {frozenset({2, 4})}
    reason = "sweep: trained again, because weights at steps 2, 4 were not kept"
    assert status.reasons(found) == {reason: len(probed(plan))}
    row = next(status.grids(found))
    before = next(status.grids(status.survey(plan_with([0, 6]), store)))
    assert row.missing == 0
    assert row.seconds > before.seconds


def test_weights_of_a_second_training_are_not_lacking(store):
    plan = plan_with([0, 2, 6])
    first, *others = sorted(probed(plan))
    store.put("weights", keys.weights_key(first, 2), {}, {})
    assert set(status.survey(plan, store).lacking) == set(others)


def test_runs_whose_probes_are_there_are_not_asked_for_weights(store):
    plan = plan_with([0, 2, 6])
    for job in plan.probe_jobs:
        for key in job.probe_keys:
            store.put("probes", key, {}, {})
    assert status.survey(plan, store).lacking == {}


def test_a_diverged_run_lacks_nothing_after_its_end(store):
    plan = plan_with([0, 2, 4, 6])
    diverged = min(probed(plan))
    store.set_aside("runs", diverged)
    record = {"status": "diverged", "steps_done": 3, "checkpoints": [0]}
    store.put("runs", diverged, record, {})
    assert status.survey(plan, store).lacking[diverged] == {2}


def test_a_damaged_record_is_left_to_the_job(store):
    plan = plan_with([0, 2, 6])
    damaged = min(probed(plan))
    (store.path("runs", damaged) / "entry.json").write_text("{}")
    assert damaged not in status.survey(plan, store).lacking


def test_only_searches_with_transfer_runs_have_a_row_for_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = copy.deepcopy(STUDY)
    without = {key: value for key, value in SEARCH.items() if key != "transfer"}
    values["searches"] = {"carried": SEARCH, "alone": without}
    for minutes, jobs in ((3, 3), (1e-6, 3 * 3)):  # a job for each method, and generation
        plan = StudyPlan(Study.parse(values, "desk"), job_minutes=minutes)
        rows = {row.grid: (row.runs, row.cells, row.jobs) for row in status.searches(plan)}
        trials = (3 * 3 * 4, 3, jobs)  # methods × generations × trials
        assert rows == {
            "carried": trials,
            "carried-transfer": (2 * (3 + 2 + 3), 1, 1),
            "alone": trials,
        }
