"""`hypertransfer plan` says what the next round or look runs, and why."""

from __future__ import annotations

import json
import re

from tests.support.adaptive import adaptive_study
from tests.support.looks import look_study
from tests.support.project import STUDY, Project, changed, output_of

from hypertransfer.cli import main, plan
from hypertransfer.studies.main_config import MAIN, main_config, studies_folder


def test_the_next_round_is_said_with_its_reasons(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path, tmp_path / "store")
    project.write({**adaptive_study(), "study": "mine"})
    text = output_of(capsys, "plan")
    assert "mine, sweep: next is round 1 of 3 with 8 runs to train; later rounds at most" in text
    assert "optimizer sgd, shape.width 4  first round: 5 values from 0.03125 up" in text
    assert re.search(r"mine +sweep +at most \d+ ", text)
    assert "     8  mine, sweep: not run yet" in text


def test_the_next_look_is_said_with_its_bounds_and_the_last_one_with_its_reasons(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path, tmp_path / "store")
    project.write({**look_study(), "study": "mine"})
    text = output_of(capsys, "plan")
    assert "mine: next is look 1 of 2, at 3 seeds; looks add at most 12 runs (at most" in text
    assert "beside these, looks may add runs and probes of at most" in text
    assert "of those that they choose from" not in text
    assert "    12  mine, sweep: not run yet" in text
    look = project.plan().looks.allocations[0].file
    (tmp_path / look).parent.mkdir(parents=True)
    row = {"claim": "wider-is-better", "seeds": 3, "extended": False, "reason": "it holds"}
    (tmp_path / look).write_text(json.dumps({"look": 1, "keys": [], "claims": [row]}))
    text = output_of(capsys, "plan")
    assert "mine: next is look 2 of 2, at 4 seeds" in text
    assert "  wider-is-better  3 seeds, no more  it holds" in text


def test_the_disk_space_of_the_scale_is_said(tmp_path, monkeypatch, capsys):
    """Weights that pass through count until the results of their probes are there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    project = Project(tmp_path, tmp_path / "store")
    said = re.compile(r"disk: these runs and probes take about ([\d.]+ kB)(, and .*)?\n")
    small = said.search(output_of(capsys, "plan"))
    # 4 runs, 2 probes, and 312 weights of 2 runs at 2 steps
    assert small.groups() == ("149.0 kB", None)
    study = changed("base/shape", {"width": 1024, "depth": 1})
    study["grids"]["sweep"]["axes"] = {"lr": [0.1, 0.2], "seed": [0, 1]}
    project.write(study)
    large = said.search(output_of(capsys, "plan"))
    # 1 124 352 weights of 2 runs at 2 steps
    assert large[2] == ", and up to 18.0 MB more while 2 jobs run at a time"
    project.fill()
    done = said.search(output_of(capsys, "plan"))
    assert done.groups() == (large[1], None)
    project.write({**look_study(), "study": "mine"})
    assert "disk: these runs and probes take at most about" in output_of(capsys, "plan")


def test_a_command_that_runs_a_plan_says_it_in_a_few_lines(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path, tmp_path / "store")

    def summary(cores, jobs=9):
        config, origins = main_config(MAIN, [])
        surveys = plan.surveys_of(config, studies_folder(MAIN), origins)
        return list(plan.summary(surveys, cores, jobs))

    project.write(STUDY)
    runs, time, errors, disk = summary(1)
    assert errors == plan.NOT_TIMED
    assert runs == "runs to train: 4"
    assert re.fullmatch(
        r"estimated time: (.* s) on one core, plus about 45 s to start 9 jobs",
        time,
    )
    assert disk.startswith("disk: these runs and probes take about")
    assert summary(1, 1)[1].endswith(" on one core, plus about 5 s to start 1 job")
    project.write({**adaptive_study(), "study": "mine"})
    assert summary(2)[0].startswith("runs to train: at most ")
    assert " on 2 cores" in summary(2)[1]
    project.write(STUDY)
    project.fill()
    assert summary(2) == ["nothing to train or probe; 9 jobs to run"]
    assert summary(2, 1) == ["nothing to train or probe; 1 job to run"]


def test_a_damaged_entry_or_look_does_not_stop_the_plan(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path, tmp_path / "store")
    project.write({**look_study(), "study": "mine"})
    project.fill()
    plan = project.plan()
    entries = list((tmp_path / "store/runs").rglob("entry.json"))
    assert entries
    for entry in entries:
        entry.write_text("{")
    text = output_of(capsys, "plan")
    assert "next is look 1 of 2" in text
    assert "; the store has 12 of those that they choose from" in text
    assert (tmp_path / plan.looks.allocations[0].file).read_bytes() == b""


def test_a_budget_below_what_surely_runs_is_a_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path, tmp_path / "store")
    project.write({**look_study(core_minutes=1e-4), "study": "mine"})
    assert main.main(["plan"]) == 0
    assert "warning: mine: `spending.core_minutes` is 0.0001, and" in capsys.readouterr().err


def test_jobs_that_run_alone_are_said_with_their_time(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path, tmp_path / "store")
    project.write(STUDY)
    assert "run alone" not in output_of(capsys, "plan")
    time = {"probe": "step_time", "checkpoints": [0]}
    project.write(changed("probes/time", time))
    assert re.search(
        r"jobs that run alone: 1, about [\d.]+ s; they measure", output_of(capsys, "plan")
    )
    project.fill()
    assert "run alone" not in output_of(capsys, "plan")
