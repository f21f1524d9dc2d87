"""The jobs of rounds: their files, inputs and bounds, and what a change renames."""

from __future__ import annotations

import pytest
from tests.support.adaptive import adaptive_study, followed_study, listed_study

from hypertransfer.planning import cost, keys, load, report_template, status
from hypertransfer.planning.planned_runs import PlannedRun
from hypertransfer.planning.study_plan import StudyPlan
from hypertransfer.rounds.arm import read_arms
from hypertransfer.storage.run_store import Store
from hypertransfer.studies.study import Study


@pytest.fixture(autouse=True)
def a_notebook(tmp_path, monkeypatch):
    """A report's template for the study, which has none in the repository."""
    path = tmp_path / "micro.ipynb"
    path.write_text('{"cells": []}')
    monkeypatch.setattr(report_template, "notebook", lambda study: path)
    return path


def planned(edit=lambda study: None, *, minutes=3.0, **settings) -> StudyPlan:
    study = adaptive_study(**settings)
    edit(study)
    return StudyPlan(Study.parse(study, "desk"), minutes)


def rounds_of(plan: StudyPlan):
    return plan.rounds.grids["sweep"]


def test_each_round_reads_the_tables_of_all_rounds_before_it():
    plan = planned()
    rounds = rounds_of(plan)
    assert [job.parts["round"] for job in rounds.allocations] == [1, 2, 3]
    before: list[str] = []
    for number, allocation in enumerate(rounds.allocations, 1):
        assert list(allocation.input["earlier"]) == before
        trained = [job for job in rounds.train if job.parts["round"] == number]
        assert [job.parts["allocation"] for job in trained] == [allocation.file] * 2  # two widths
        before += [job.file for job in trained]
    assert plan.tables_of_grid["sweep"] == before
    assert set(before) <= set(plan.collect_tables.input["cells"])
    assert {*before, *(job.file for job in rounds.allocations)} <= set(plan.made)
    (probing, _) = rounds.probe
    assert [file for file in before if file in probing.input["cells"]] == probing.input["cells"]
    assert len(probing.input["cells"]) == 3


def test_all_jobs_of_rounds_are_asked_for_where_their_files_are_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = planned()
    files = [file for job in plan.jobs for file in job.files]
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    lost = rounds_of(plan).allocations[1].file
    (tmp_path / lost).unlink()
    assert lost in load.targets([plan])


def test_the_arms_of_an_allocation_are_read_back():
    rounds = rounds_of(planned())
    arms = read_arms(rounds.allocations[0].parts["arms"], {})
    assert [arm.point for arm in arms] == [
        {"optimizer": "sgd", "shape.width": width} for width in (4, 8)
    ]
    for arm, own in zip(arms, rounds.arms, strict=True):
        assert arm.candidates == {
            (arm.settings.notch(run.run.point["lr"]), run.run.spec.seed): run.key
            for run in own.runs
        }


def test_a_large_round_is_divided_by_a_bound_on_its_duration():
    rounds = rounds_of(planned(minutes=1e-9))
    first = [job for job in rounds.train if job.parts["round"] == 1]
    assert [job.parts["piece"] for job in first] == [[p, 5] for p in range(5)] * 2
    whole = [job for job in rounds_of(planned()).train if job.parts["round"] == 1]
    assert sum(job.seconds for job in first) == pytest.approx(sum(job.seconds for job in whole))


def test_a_round_is_divided_so_that_its_weights_on_the_disk_are_bounded(monkeypatch):
    """Each job writes at most as many bytes of weights that do not stay as a listed job."""

    def pieces():
        jobs = rounds_of(planned()).train
        return {tuple(job.parts["piece"]) for job in jobs if job.parts["round"] == 1}

    assert pieces() == {(0, 1)}
    monkeypatch.setattr(PlannedRun, "passing", 100e6)
    monkeypatch.setattr(cost, "PASSING_BYTES", 250e6)  # five runs at most
    assert pieces() == {(0, 2), (1, 2)}
    monkeypatch.setattr(cost, "PASSING_BYTES", 1.0)
    assert pieces() == {(piece, 5) for piece in range(5)}


def names(plan: StudyPlan) -> set[str]:
    return {job.digest for job in (*plan.rounds.allocations, *plan.rounds.train)}


def test_claims_figures_and_probes_rename_no_round():
    def late(study):
        study["claims"][0]["bar"] = {"max": 3}
        study["figures"][0]["title"] = "Another"
        study["grids"]["sweep"]["probes"]["sharpness"]["tolerance"] = 0.3

    assert names(planned(late)) == names(planned())


@pytest.mark.parametrize(
    "edit",
    [
        lambda study: study["grids"]["sweep"]["axes"]["seed"].append(2),
        lambda study: study["grids"]["sweep"]["axes"]["shape.width"].append(16),
        lambda study: study["grids"]["sweep"]["axes"]["lr"]["adaptive"].update(finest=0.5),
    ],
)
def test_what_changes_the_decisions_renames_all_rounds(edit):
    assert not names(planned(edit, rounds=4)) & names(planned(rounds=4))


def loss(lr: float) -> dict:
    return {"final_loss": abs(lr - 0.3), "status": "finished"}


def put(store: Store, plan: StudyPlan, wanted, grid: str = "sweep") -> None:
    for run in plan.runs[grid]:
        if wanted(run):
            record = {**loss(run.run.spec.lr), "context": keys.context(run.run.spec)}
            store.put("runs", run.key, record, {})


def test_the_plan_says_what_the_next_round_runs_and_why(tmp_path):
    store, plan = Store(tmp_path), planned()
    found = status.survey(plan, store).rounds["sweep"]
    assert (found.number, found.missing) == (1, 5 + 3)
    row = next(status.grids(status.survey(plan, store)))
    assert row.is_bound
    assert row.runs == 8 + found.later_runs
    first = set(found.asked)
    put(store, plan, lambda run: run.key in first)
    second = status.survey(plan, store).rounds["sweep"]
    assert second.number == 2
    assert ["seeds" in arm.reason for arm in second.arms] == [True, False]
    assert "extended" in second.arms[1].reason
    put(store, plan, lambda run: run.key in second.asked - first)
    third = status.survey(plan, store).rounds["sweep"]
    assert third.number == 3
    put(store, plan, lambda run: run.key in third.asked - second.asked - first)
    survey = status.survey(plan, store)
    assert survey.rounds["sweep"].number == 4
    assert survey.rounds["sweep"].missing == 0
    assert all(arm.reason.endswith("bracketed") for arm in survey.rounds["sweep"].arms)
    row = next(status.grids(survey))
    assert row.runs == row.present == len(survey.rounds["sweep"].asked)
    assert not row.is_bound
    assert status.reasons(survey) == {}


def test_probes_of_runs_that_no_round_has_chosen_are_not_missing(tmp_path):
    store, plan = Store(tmp_path), planned()
    row = next(status.grids(status.survey(plan, store)))
    assert row.probes == 2  # lr 0.125 and the first seed, at both widths


def test_the_bound_on_later_runs_is_at_most_what_the_lattice_has_left(tmp_path):
    plan = planned(rounds=20)
    found = status.survey(plan, Store(tmp_path)).rounds["sweep"]
    lattice = len({run.key for run in plan.runs["sweep"]})
    assert found.later_runs == lattice - len(found.asked)
    assert next(status.grids(status.survey(plan, Store(tmp_path)))).runs == lattice


def followed() -> StudyPlan:
    return StudyPlan(Study.parse(followed_study(), "desk"), 3.0)


def test_a_grid_at_the_best_of_another_has_one_round_after_all_rounds_of_the_other():
    plan = followed()
    best, other = plan.rounds.grids["best"], plan.rounds.grids["sweep"]
    (allocation,) = best.allocations
    assert list(allocation.input["earlier"]) == [job.file for job in other.train]
    assert allocation.parts["best_of"] == "sweep"
    assert [arm["point"] for arm in allocation.parts["followed"]] == [
        arm["point"] for arm in allocation.parts["arms"]
    ]
    assert [job.parts["round"] for job in best.train] == [1, 1]  # two widths


def test_the_plan_of_a_grid_at_the_best_of_another_waits_for_it(tmp_path):
    store, plan = Store(tmp_path), followed()
    waiting = status.survey(plan, store).rounds["best"]
    assert (waiting.number, waiting.missing, waiting.later_runs) == (1, 0, 4)
    assert {arm.reason for arm in waiting.arms} == {"waits for sweep"}
    for _ in range(3):
        asked = status.survey(plan, store).rounds["sweep"].asked
        put(store, plan, lambda run, asked=asked: run.key in asked)
    ready = status.survey(plan, store).rounds["best"]
    assert (ready.number, ready.missing) == (1, 4)
    assert {arm.reason for arm in ready.arms} == {"all seeds at 0.25, the best of sweep"}
    row = next(row for row in status.grids(status.survey(plan, store)) if row.grid == "best")
    assert (row.runs, row.present, row.is_bound) == (4, 0, False)
    put(store, plan, lambda run: run.key in ready.asked, grid="best")
    finished = status.survey(plan, store).rounds["best"]
    assert (finished.number, finished.missing) == (2, 0)
    assert {arm.reason for arm in finished.arms} == {"taken from sweep: 0.25 (2 seeds)"}


def test_a_grid_at_the_best_of_listed_settings_waits_for_all_runs_of_the_proxy(tmp_path):
    plan = StudyPlan(Study.parse(listed_study(), "desk"), 3.0)
    (allocation,) = plan.rounds.grids["target"].allocations
    proxies = [job for job in plan.train_jobs if job.parts["grid"] == "proxy"]
    assert list(allocation.input["earlier"]) == [job.file for job in proxies]
    assert {job.rule for job in plan.train_jobs if job not in proxies} == {"train_allocated"}
    assert [arm["point"]["shape.width"] for arm in allocation.parts["arms"]] == [8, 16]
    assert [arm["settings"]["values"] for arm in allocation.parts["followed"]] == [
        [0.0625, 0.125, 0.25]
    ] * 2

    store = Store(tmp_path)
    put(store, plan, lambda run: run.run.spec.seed == 0, grid="proxy")
    waiting = status.survey(plan, store).rounds["target"]
    assert (waiting.missing, waiting.later_runs) == (0, 4)
    put(store, plan, lambda run: run.run.spec.seed == 1, grid="proxy")
    ready = status.survey(plan, store).rounds["target"]
    assert ready.missing == 4  # two widths, two seeds, one of the three settings
    assert {arm.reason for arm in ready.arms} == {"all seeds at 0.25, the best of proxy"}
