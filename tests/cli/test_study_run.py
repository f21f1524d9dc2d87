"""The run of a check-up's study: progress and errors are read off what Snakemake prints."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
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
    assert progress.line(300, "about 3 min") == line
    assert progress_of(BEGUN.partition("[")[0]).line(5, "9 s") == "0 of 22 steps, 5 s, 9 s left"
    assert progress_of("22 of 22 steps (100%) done").line(99, "0 s") == "22 of 22 steps, 2 min"


def test_a_failed_job_is_told_with_its_last_error_and_its_log(tmp_path):
    log = tmp_path / "job.log"
    log.write_text(JOB_LOG)
    progress = progress_of(BEGUN + FAILED.format(log=log))
    text = f"  training mine along: RoleError: the forward pass fails: boom ({log})"
    assert list(progress.errors()) == [text]
    assert "training" not in progress.line(1, "1 s"), "it runs no more"


def test_a_job_that_is_tried_again_counts_once_and_not_at_all_once_it_has_finished(tmp_path):
    log = tmp_path / "job.log"
    log.write_text(JOB_LOG)
    failed = FAILED.format(log=log)
    progress = progress_of(BEGUN + failed + "Trying to restart job 3.\n" + failed)
    assert len(list(progress.errors())) == 1
    progress.read("Finished jobid: 3 (Rule: train_cell)")
    assert list(progress.errors()) == []


def test_a_log_that_is_not_there_is_not_named(tmp_path):
    for log in (tmp_path / "absent.log", tmp_path):
        progress = progress_of(BEGUN + FAILED.format(log=log))
        assert list(progress.errors()) == ["  training mine along: failed without a log"]


ATTEMPT = """\
2026-11-28 15:21:20,499 INFO train_cell on vm, process 2
2026-11-28 15:21:28,665 ERROR failed
Traceback (most recent call last):
  File "job.py", line 61, in running
    yield parts
"""
KILLED = "ended without an error, as one that is killed"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (JOB_LOG[: JOB_LOG.rindex(" ERROR failed")], KILLED),
        ("", KILLED),
        (
            ATTEMPT + "ValueError: outputs do not fit\nexpected: 3\n",
            "ValueError: outputs do not fit",
        ),
        (ATTEMPT + 'my.net.<locals>.Odd: no\n  File "a"\nat: 3\n', "Odd: no"),
        (ATTEMPT + "ValueError\n", "ValueError"),
        (ATTEMPT + "ValueError: \na: 1\n", "ValueError:"),
        (
            ATTEMPT + '  File "net.py", line 7\n    def f(\n         ^\nSyntaxError: no\n',
            "SyntaxError: no",
        ),
    ],
)
def test_the_error_is_the_first_line_of_the_last_exception(text, error):
    assert study_run.error_in(text) == error


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


def test_the_time_left_is_a_bound_where_rounds_may_end_early(tmp_path):
    jobs = [SimpleNamespace(files=[str(tmp_path / "a")], seconds=95.0)]
    assert Pending.of(jobs, 1).left_text(0) == "about 2 min"
    assert Pending.of(jobs, 1, is_bound=True).left_text(0) == "at most about 2 min"


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
    assert progress.failed == {}


def test_without_a_failed_job_the_last_lines_are_shown(snakemake):
    progress, ended, log = snakemake(
        "print('WorkflowError:'); print('no store'); raise SystemExit(3)"
    )
    text = study_run._why(progress, ended, log)
    assert "snakemake ended with exit code 3; its last lines are" in text
    assert "  WorkflowError:\n  no store\n" in text
    assert text.endswith("call the command again to go on")


# In the place of Snakemake: ends after a signal and when there is a file, writes a letter for each
# signal.
SAVING = """
import signal, time
from pathlib import Path
signal.signal(signal.SIGINT, lambda *_: print("S", end="", flush=True))
print("ready")
signal.pause()
while not Path("state").exists():
    time.sleep(0.02)
print(" saved")
"""
CALLER = """
import sys
from pathlib import Path
from hypertransfer.cli import study_run
study_run.SHORTEST = 0.05
command = [sys.executable, "-u", "-c", Path("saving.py").read_text()]
_, code = study_run._followed(command, Path("check-up.log"), study_run.Pending([], 1))
print("code", code, flush=True)
"""
CTRL_C = (signal.SIGINT, study_run.WAITING)
KILLED_BY_THREE = [CTRL_C, (signal.SIGINT, study_run.STILL), (signal.SIGINT, "code None")]


def wait_for(file, text):
    until = time.monotonic() + 60
    while text not in file.read_text():
        assert time.monotonic() < until, f"no {text!r} in {file.read_text()!r}"
        time.sleep(0.02)


@pytest.fixture
def calling(tmp_path):
    """A function that calls for Snakemake in a process group of its own, and sends signals.

    Each signal comes with the text that is printed before the next one. The function returns the
    exit code, what was printed, and what stands in Snakemake's log.
    """
    (tmp_path / "saving.py").write_text(SAVING)
    log, printed = tmp_path / "check-up.log", tmp_path / "printed"
    environment = {**os.environ, "PYTHONPATH": str(Path(study_run.__file__).parents[2])}

    def begin(before):
        # Tests that run in the background, or under nohup, hand on that signals are ignored.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        if before:
            before()

    def call(send, *signals, before=None):
        log.touch()
        with printed.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", CALLER],
                cwd=tmp_path,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: begin(before),
            )
        wait_for(log, "ready")
        for number, text in signals:
            send(process.pid, number)
            wait_for(printed, text)
        (tmp_path / "state").touch()
        return process.wait(60), printed.read_text(), log.read_text()

    return call


@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["process", "terminal"])
def test_ctrl_c_reaches_snakemake_once_which_ends_by_itself(calling, send):
    code, printed, log = calling(send, CTRL_C)
    assert (code, log) == (0, "ready\nS saved\n")
    assert printed == f"{study_run.WAITING}\ncode None\n"


def test_a_second_ctrl_c_is_answered(calling):
    _, printed, log = calling(os.killpg, *KILLED_BY_THREE[:2])
    assert log == "ready\nS saved\n"
    assert printed == f"{study_run.WAITING}\n{study_run.STILL}\ncode None\n"


def test_a_third_ctrl_c_kills(calling):
    code, _, log = calling(os.killpg, *KILLED_BY_THREE)
    assert code == 0
    assert "saved" not in log


@pytest.mark.parametrize("others", [[], [(signal.SIGTERM, "")]])
def test_other_signals_end_snakemake_as_ctrl_c_does(calling, others):
    code, _, log = calling(os.kill, (signal.SIGHUP, study_run.WAITING), *others)
    assert (code, log) == (128 + signal.SIGHUP, "ready\nS saved\n")


def test_snakemake_ends_where_a_shell_lets_its_background_jobs_ignore_ctrl_c(calling):
    def ignore():
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    signals = [(signal.SIGINT, ""), (signal.SIGTERM, study_run.WAITING)]
    code, _, log = calling(os.kill, *signals, before=ignore)
    assert (code, log) == (128 + signal.SIGTERM, "ready\nS saved\n")


def test_snakemake_ends_where_nobody_reads_the_progress(snakemake, monkeypatch, capsys):
    def broken(*_):
        raise BrokenPipeError

    monkeypatch.setattr(Progress, "line", broken)
    Path("state").touch()
    with pytest.raises(BrokenPipeError):
        snakemake(SAVING.replace('"ready"', '"total    2"'))  # once it can be interrupted
    assert Path("check-up.log").read_text().endswith("total    2\nS saved\n")
    assert study_run.WAITING in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_an_interrupted_study_says_how_to_go_on(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(study_run, "main_config", lambda *_: ({}, None))
    monkeypatch.setattr(study_run, "IndexPlan", lambda plans: SimpleNamespace(jobs=[]))
    monkeypatch.setattr(study_run.plan, "surveys_of", lambda *_: [])
    monkeypatch.setattr(study_run, "_followed", lambda *_: (Progress(), None))
    with pytest.raises(CommandError, match=r"the study mine: was interrupted\. What is"):
        study_run.run("mine", 1, [])
