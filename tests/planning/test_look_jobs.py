"""The jobs of looks: what they read, which runs they may list, and what a change renames."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.adaptive import adaptive_study
from tests.support.looks import look_study, planned

from hypertransfer.claims.looks import Place
from hypertransfer.planning import load, report_template, status
from hypertransfer.planning.look_status import next_look, sure_seconds
from hypertransfer.planning.round_status import RoundStatus
from hypertransfer.planning.study_plan import StudyPlan
from hypertransfer.storage.run_store import Store
from hypertransfer.studies.study import Study


@pytest.fixture(autouse=True)
def a_notebook(tmp_path, monkeypatch):
    """A report's template for the study, and a working folder of its own."""
    path = tmp_path / "micro.ipynb"
    path.write_text('{"cells": []}')
    monkeypatch.setattr(report_template, "notebook", lambda study: path)
    monkeypatch.chdir(tmp_path)
    return path


def seeds_of(job) -> set[int]:
    return {run["point"]["seed"] for run in job.parts["runs"]}


def test_the_first_seeds_are_ordinary_cells_and_looks_have_the_others():
    plan = planned()
    cells = [job for job in plan.train_jobs if job.rule == "train_cell"]
    assert [seeds_of(job) for job in cells] == [{0, 1, 2}] * 2  # two widths
    looks = plan.looks.looks
    assert [[seeds_of(job) for job in look.train] for look in looks] == [
        [{3}] * 2,
        [{3, 4, 5}] * 2,
    ]
    assert [[seeds_of(job) for job in look.probe] for look in looks] == [
        [{3}] * 2,
        [{3, 4, 5}] * 2,
    ]


def test_each_look_reads_everything_before_it():
    plan = planned()
    before = {
        "cells": [job.file for job in plan.train_jobs if job.rule == "train_cell"],
        "probes": [job.file for job in plan.probe_jobs if job.rule == "probe_cell"],
    }
    for look in plan.looks.looks:
        assert look.allocation.input == before == look.allocation.parts["files"]
        assert all(job.input["allocation"] == look.allocation.files for job in look.train)
        before = {
            "cells": [*before["cells"], *(job.file for job in look.train)],
            "probes": [*before["probes"], *(job.file for job in look.probe)],
        }
    assert plan.collect_tables.input == {**before, "searches": []}
    assert {*before["cells"], *(job.file for job in plan.looks.allocations)} <= set(plan.made)
    assert plan.check_claims.parts["looks"] == {"seeds": [3, 4, 6], "claims": ["wider-is-better"]}


def test_without_spending_there_are_no_looks_and_names_are_as_they_were():
    def listed(study):
        del study["spending"]
        study["grids"]["sweep"]["axes"]["seed"] = [0, 1, 2]

    plan = planned(listed)
    assert plan.looks.looks == []
    assert "looks" not in plan.check_claims.parts
    assert next_look(plan.looks, {}) is None
    cells = [job.digest for job in planned().train_jobs if job.rule == "train_cell"]
    assert [job.digest for job in plan.train_jobs] == cells


def test_places_have_all_seeds_of_a_point_with_their_seconds_and_readers():
    def other(study):
        axes = {"optimizer": ["sgd"], "shape.width": [4], "lr": [0.1], "seed": [7]}
        study["grids"]["other"] = {**study["grids"]["sweep"], "axes": axes}
        study["claims"].append({**study["claims"][0], "id": "one", "where": {"lr": 0.1}})
        study["claims"][0]["where"] = {"grid": "other"}
        study["claims"][0]["control"] = {
            "measure": "transfer_gain",
            "where": {"grid": "sweep", "shape.width": 8, "lr": 0.2},
            "bar": {"max": 1},
        }

    plan = planned(other)
    parts = plan.looks.allocations[0].parts
    assert [[run[0] for run in place["runs"]] for place in parts["places"]] == [list(range(6))] * 4
    assert [place["claims"] for place in parts["places"]] == [
        ["one"],
        [],
        ["one"],
        ["wider-is-better"],
    ]
    assert [claim["id"] for claim in parts["claims"]] == ["wider-is-better", "one"]
    seconds = {job.parts["runs"][0]["key"]: job.seconds for job in plan.probe_jobs}
    trained = {run.key: run.seconds for runs in plan.runs.values() for run in runs}
    (extra,) = plan.runs["other"]
    assert parts["fixed_seconds"] == pytest.approx(extra.seconds + seconds[extra.key])
    for place in parts["places"]:
        probed = place is parts["places"][0] or place is parts["places"][2]  # lr 0.1
        for _, key, spent in place["runs"]:
            assert (spent > trained[key]) is probed
    assert parts["budget_seconds"] == 3600
    assert Place.parse(parts["places"][0]).claims == {"one"}


def test_rounds_choose_among_the_first_seeds_and_looks_extend_all_values():
    study = adaptive_study(octaves=40)
    study["grids"]["sweep"]["axes"]["seed"] = "as_needed"
    study["spending"] = {"core_minutes": 60, "seeds": [2, 4]}
    plan = StudyPlan(Study.parse(study, "desk"), 3.0)
    listed = adaptive_study(octaves=40)  # with two seeds
    assert [job.digest for job in plan.rounds.allocations] == [
        job.digest for job in StudyPlan(Study.parse(listed, "desk"), 3.0).rounds.allocations
    ]
    (look,) = plan.looks.looks
    assert {seed for job in look.train for seed in seeds_of(job)} == {2, 3}
    lattice = 41
    assert [len(job.parts["runs"]) for job in look.train] == [2 * lattice] * 2
    assert len(look.allocation.parts["places"]) == 2 * lattice
    assert set(look.allocation.input["cells"]) == {job.file for job in plan.rounds.train}
    for candidates in look.candidates:
        assert candidates.most < len(candidates.members)


def test_an_adaptive_grid_with_listed_seeds_counts_by_what_its_rounds_ran():
    def adaptive(study):
        study["grids"]["found"] = adaptive_study()["grids"]["sweep"]

    parts = planned(adaptive).looks.allocations[0].parts
    found = [place for place in parts["places"] if place["grid"] == "found"]
    assert len(found) == 2 * 9
    assert all(place["claims"] == [] for place in found)
    assert parts["fixed_seconds"] == 0


def test_a_large_cell_is_divided_by_a_bound_on_what_a_look_adds():
    whole, cut = planned().looks.looks[1], planned(minutes=1e-9).looks.looks[1]
    assert [job.parts["piece"] for job in whole.train] == [[0, 1]] * 2
    assert [job.parts["piece"] for job in cut.train] == [[piece, 6] for piece in range(6)] * 2
    total = sum(job.seconds for job in whole.train)
    assert sum(job.seconds for job in cut.train) == pytest.approx(total)


def names(plan: StudyPlan) -> set[str]:
    return {job.digest for job in (*plan.looks.allocations, *plan.looks.train)}


def bar(study):
    study["claims"][0]["bar"] = {"max": 3}


def budget(study):
    study["spending"]["core_minutes"] = 5


def number(study):
    study["spending"]["seeds"] = [3, 4, 6, 9]


def figure(study):
    study["figures"][0]["title"] = "Another"


@pytest.mark.parametrize("edit", [bar, budget, number])
def test_claims_and_budget_rename_looks_and_nothing_before_them(edit):
    plan, edited = planned(), planned(edit)
    assert not names(plan) & names(edited)
    before = [
        [job.file for job in p.train_jobs if job.rule == "train_cell"] for p in (plan, edited)
    ]
    assert before[0] == before[1]


def test_figures_rename_no_look():
    assert names(planned(figure)) == names(planned())


def decide(plan: StudyPlan, number: int, keys, reason="because") -> None:
    """Write the file of a look."""
    file = plan.looks.allocations[number - 1].file
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    row = {"claim": "wider-is-better", "seeds": 3, "extended": bool(keys), "reason": reason}
    path.write_text(json.dumps({"look": number, "keys": list(keys), "claims": [row]}))


def test_the_plan_says_the_next_look_and_what_the_last_one_decided(tmp_path):
    store, plan = Store(tmp_path / "store"), planned()
    first = status.survey(plan, store).look
    assert (first.number, first.looks, first.later_runs) == (1, 2, 2 * 2 * 3)
    later = [s for p in plan.looks.places for s in (plan.looks.seconds[r.key] for r in p.runs[3:])]
    assert first.later_seconds == pytest.approx(sum(later))
    assert first.candidates == {run.key for place in plan.looks.places for run in place.runs[3:]}
    row = next(status.grids(status.survey(plan, store)))
    assert (row.runs, row.is_bound, row.probes) == (2 * 2 * 3, False, 2 * 3)
    keys = [run.key for run in plan.runs["sweep"] if run.run.spec.seed == 3]
    decide(plan, 1, keys)
    survey = status.survey(plan, store)
    assert (survey.look.number, survey.look.later_runs) == (2, 2 * 2 * 2)
    assert [(one.claim, one.extended, one.reason) for one in survey.look.decided] == [
        ("wider-is-better", True, "because")
    ]
    assert {run.key for run in survey.asked("sweep")} >= set(keys)
    assert next(status.grids(survey)).runs == 2 * 2 * 4
    decide(plan, 2, [])
    last = status.survey(plan, store).look
    assert (last.number, last.later_runs, last.later_seconds) == (3, 0, 0.0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        '{"keys": []}',
        '{"keys": [], "claims": [1]}',
        '{"keys": [["a"]], "claims": []}',
    ],
)
def test_a_damaged_decision_counts_as_missing(tmp_path, text):
    plan = planned()
    decide(plan, 1, [])
    (tmp_path / plan.looks.allocations[0].file).write_text(text)
    assert next_look(plan.looks, {}).number == 1


def test_the_budget_bounds_what_looks_may_add():
    plan = planned()
    sure = sure_seconds(plan.looks)
    one = min(plan.looks.seconds.values())
    tight = planned(core_minutes=(sure + 1.5 * one) / 60)
    found = next_look(tight.looks, {})
    assert found.later_runs == 1
    assert found.later_seconds == pytest.approx(1.5 * one)
    assert load.overspent([plan, tight]) == []
    (text,) = load.overspent([planned(core_minutes=0.5 * sure / 60)])
    assert "micro: `spending.core_minutes` is" in text
    assert next_look(planned(core_minutes=0.5 * sure / 60).looks, {}).later_runs == 0


def test_what_surely_runs_of_an_adaptive_grid_is_its_first_round():
    study = adaptive_study()
    study["grids"]["sweep"]["axes"]["seed"] = "as_needed"
    study["spending"] = {"core_minutes": 60, "seeds": [2, 4]}
    looks = StudyPlan(Study.parse(study, "desk"), 3.0).looks
    runs = {width: [] for width in (4, 8)}
    for run in looks.cells.runs["sweep"]:
        runs[run.run.point["shape.width"]].append(looks.seconds[run.key])
    assert sure_seconds(looks) == pytest.approx(sum(3 * min(own) for own in runs.values()))


def test_once_rounds_are_run_looks_add_seeds_to_their_values_alone():
    study = adaptive_study()
    study["grids"]["sweep"]["axes"]["seed"] = "as_needed"
    study["spending"] = {"core_minutes": 60, "seeds": [2, 4]}
    looks = StudyPlan(Study.parse(study, "desk"), 3.0).looks
    at_two_widths = {
        run.key: run.run.spec.seed
        for run in looks.cells.runs["sweep"]
        if run.run.point["lr"] == 0.125
    }
    first = frozenset(key for key, seed in at_two_widths.items() if seed < 2)

    def status(number):
        return {"sweep": RoundStatus(number, 3, first, [], 0, 0.0)}

    found = next_look(looks, status(4))
    assert found.later_runs == len(at_two_widths) - len(first) == 4
    added = sum(looks.seconds[key] for key in at_two_widths.keys() - first)
    assert found.later_seconds == pytest.approx(added)
    assert next_look(looks, status(3)).later_runs > found.later_runs


def test_all_jobs_of_looks_are_asked_for_where_their_files_are_missing(tmp_path):
    plan = planned()
    for file in (file for job in plan.jobs for file in job.files):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    lost = plan.looks.allocations[0].file
    (tmp_path / lost).unlink()
    assert lost in load.targets([plan])


def test_the_study_of_the_tests_is_sound(tmp_path):
    from tests.support.configs import load as load_study

    assert load_study(tmp_path, {**look_study(), "study": "mine"}).spending.seeds == [3, 4, 6]
