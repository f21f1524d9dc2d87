"""The run of a check-up's study: progress and errors are read off what Snakemake prints."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import SimpleNamespace

import pytest

from hypertransfer.cli import study_run
from hypertransfer.cli.errors import CommandError
from hypertransfer.cli.study_run import Pending, Progress

BEGUN = """\
Job stats:
job                count
---------------  -------
train_cell             1
total                 22

[Sat Nov 28 14:54:21 2026]
Job 5: allocating a round of mine width
Reason: Missing output files: results/mine/made/allocations/width/8b85c4fb3bc4.json
[Sat Nov 28 14:54:21 2026]
Job 3: training mine along
Reason: Missing output files: results/mine/made/cells/along/4eb265523284.parquet
[Sat Nov 28 14:54:22 2026]
Finished jobid: 5 (Rule: allocate_round)
1 of 22 steps (5%) done
[Sat Nov 28 14:55:56 2026]
localrule check_claims:
    input: results/mine/made/tables/62bfd508fd2e/runs.parquet
    log: logs/mine/claims/d07f99ff5646.log
    jobid: 16
    reason: Missing output files: results/mine/made/claims/d07f99ff5646.parquet
"""
FAILED = """\
train_cell: no
[Sat Nov 28 15:20:32 2026]
Error in rule train_cell:
    message: None
    jobid: 3
    output: results/mine/made/cells/along/70c9281d61fc.parquet
    log: {log} (check log file(s) for error details)
Logfile {log}:
"""
JOB_LOG = """\
2026-11-28 15:20:20,499 INFO train_cell on vm, process 1
2026-11-28 15:20:28,665 ERROR failed
Traceback (most recent call last):
  File "net.py", line 7, in forward
OldError: of an earlier attempt
2026-11-28 15:21:20,499 INFO train_cell on vm, process 2
2026-11-28 15:21:28,665 ERROR failed
Traceback (most recent call last):
  File "net.py", line 7, in forward
RuntimeError: boom: of
 a network

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "job.py", line 61, in running
hypertransfer.networks.tagged.RoleError: the forward pass fails: boom
The run that failed is of along: {'lr': 0.1}
"""


def progress_of(text):
    progress = Progress()
    for line in text.splitlines():
        progress.read(line)
    return progress


def test_a_line_has_steps_time_and_what_runs():
    progress = progress_of(BEGUN)
    line = "1 of 22 steps, 5 min, about 3 min left; training mine along, check claims"
    assert progress.line(300, 170) == line
    assert progress_of(BEGUN.partition("[")[0]).line(5, 9) == "0 of 22 steps, 5 s, about 9 s left"
    assert progress_of("22 of 22 steps (100%) done").line(99, 0) == "22 of 22 steps, 2 min"


def test_a_failed_job_is_told_with_its_last_error_and_its_log(tmp_path):
    log = tmp_path / "job.log"
    log.write_text(JOB_LOG)
    progress = progress_of(BEGUN + FAILED.format(log=log))
    text = f"  training mine along: RoleError: the forward pass fails: boom ({log})"
    assert list(progress.errors()) == [text]
    assert "training" not in progress.line(1, 1), "it runs no more"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            JOB_LOG[: JOB_LOG.rindex(" ERROR failed")],
            "ended without an error, as one that is killed",
        ),
        ("", "ended without an error, as one that is killed"),
        (None, "failed without a log"),
    ],
)
def test_a_job_without_an_error_of_its_own_is_told(text, error, tmp_path):
    log = tmp_path / "job.log"
    if text is not None:
        log.write_text(text)
    assert study_run.error_of(log) == error


def test_the_time_left_begins_with_the_estimate_and_follows_the_speed(tmp_path):
    files = [tmp_path / str(number) for number in range(4)]
    jobs = [SimpleNamespace(files=[str(file)], seconds=95.0) for file in files]
    files[0].touch()
    pending = Pending.of(jobs, 2)
    assert len(pending.jobs) == 3
    assert pending.left(0) == pytest.approx(150)  # 3 jobs of 100 s on 2 cores
    files[1].touch()
    assert pending.left(50) == pytest.approx(100)  # as fast as estimated
    assert 100 < pending.left(100) < 200  # half as fast
    for file in files:
        file.touch()
    assert pending.left(200) == 0
    assert Pending.of(jobs, 2).left(3) == 0


@pytest.fixture
def snakemake(tmp_path, monkeypatch):
    """A function that runs Python code in the place of Snakemake."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(study_run, "SHORTEST", 0.05)
    log = tmp_path / "check-up.log"
    log.write_text("Error in rule of_an_earlier_call:\n")

    def run(code):
        command = [sys.executable, "-u", "-c", code]
        progress, ended = study_run._followed(command, log, Pending([], 1))
        return progress, ended, log

    return run


def test_progress_is_printed_and_the_rest_goes_to_the_log(snakemake, capsys):
    code = (
        "import time; print('total    2'); print('Job 1: training'); time.sleep(0.5); "
        "print('2 of 2 steps (100%) done')"
    )
    progress, ended, log = snakemake(code)
    lines = capsys.readouterr().out.splitlines()
    assert ended == 0
    assert "0 of 2 steps" in lines[0]
    assert lines[0].endswith("; training")
    assert lines[-1].startswith("2 of 2 steps")
    assert log.read_text().splitlines()[1:] == [
        "total    2",
        "Job 1: training",
        "2 of 2 steps (100%) done",
    ]
    assert progress.failed == []


def test_without_a_failed_job_the_last_lines_are_shown(snakemake):
    progress, ended, log = snakemake(
        "print('WorkflowError:'); print('no store'); raise SystemExit(3)"
    )
    text = study_run._why(progress, ended, log)
    assert "snakemake ended with exit code 3; its last lines are" in text
    assert "  WorkflowError:\n  no store\n" in text
    assert text.endswith("call the command again to go on")


def test_ctrl_c_lets_snakemake_end_by_itself(snakemake, monkeypatch):
    monkeypatch.setattr(study_run, "GRACE", 0.2)
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n    print('saved'); sys.exit(1)\n"
        "signal.signal(signal.SIGINT, end)\n"
        "print('ready')\n"
        "time.sleep(60)"
    )
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    _, ended, log = snakemake(code)
    assert ended is None
    assert log.read_text().endswith("ready\nsaved\n")


def test_an_interrupted_study_says_how_to_go_on(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(study_run, "main_config", lambda *_: ({}, None))
    monkeypatch.setattr(study_run, "IndexPlan", lambda plans: SimpleNamespace(jobs=[]))
    monkeypatch.setattr(study_run.plan, "surveys_of", lambda *_: [])
    monkeypatch.setattr(study_run, "_followed", lambda *_: (Progress(), None))
    with pytest.raises(CommandError, match=r"the study mine: was interrupted\. What is"):
        study_run.run("mine", 1, [])
