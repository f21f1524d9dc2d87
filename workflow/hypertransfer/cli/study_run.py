"""The study of a check-up, run by Snakemake: an estimate, lines of progress, and what failed."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from hypertransfer.cli import plan
from hypertransfer.cli.errors import CommandError
from hypertransfer.planning.jobs import PlannedJob
from hypertransfer.planning.load import IndexPlan
from hypertransfer.report.duration import duration
from hypertransfer.report.numbers import counted
from hypertransfer.studies.main_config import MAIN, main_config, studies_folder

LOGS = Path("logs")
# Seconds between lines of progress: at least, at most, and as a share of the time so far.
SHORTEST, LONGEST, SHARE = 5.0, 120.0, 0.05
TRUSTED = 0.2  # of all work, as which the estimate counts beside what is done
LAST = 10  # lines of Snakemake's log, where no job has failed
GO_ON = "What is finished stays: call the command again to go on"
WAITING = "interrupted: waiting for jobs to save their state"
STILL = "still waiting for jobs to save their state; another Ctrl-C kills them"

STEPS = re.compile(r"(\d+) of (\d+) steps ")
TOTAL = re.compile(r"total +(\d+)$")
MESSAGE = re.compile(r"Job (\d+): (.+)")
RULE = re.compile(r"(?:local)?rule (\w+):$")
JOB = re.compile(r" +jobid: (\d+)$")
LOG = re.compile(r" +log: ([^ ,]+)")
FINISHED = re.compile(r"Finished jobid: (\d+) ")
ERROR = re.compile(r"Error in rule (\w+):$")
ATTEMPT = re.compile(r"^\S+ \S+ INFO \w+ on .*, process \d+$", re.MULTILINE)
# The lines of a traceback are indented; then comes the exception, whose text may have more lines.
RAISED = re.compile(
    r"^Traceback \(most recent call last\):\n(?:[ \t].*\n)+(?:[\w<>]+\.)*(\S.*)", re.MULTILINE
)


@dataclass
class Failed:
    """A job that failed: its rule and its log."""

    rule: str
    log: str = ""


@dataclass
class Progress:
    """What Snakemake has done, read off the lines that it prints.

    Attributes:
        done, total: steps.
        running: what each running job does, by its number.
        words: the same of all jobs that have begun.
        failed: the jobs that failed and have not finished since, by number.
    """

    done: int = 0
    total: int = 0
    running: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    failed: dict[str, Failed] = field(default_factory=dict)
    _rule: str = ""
    _error: Failed | None = None

    def read(self, line: str) -> None:
        """Take in a line."""
        if not line.startswith(" "):
            self._rule, self._error = "", None
        if found := STEPS.match(line):
            self.done, self.total = map(int, found.groups())
        elif found := TOTAL.match(line):
            self.total = int(found[1])
        elif found := MESSAGE.match(line):
            self._begin(found[1], found[2])
        elif found := RULE.match(line):
            self._rule = found[1]
        elif found := ERROR.match(line):
            self._error = Failed(found[1])
        elif found := FINISHED.match(line):
            self.running.pop(found[1], None)
            self.failed.pop(found[1], None)  # an earlier attempt of the same job
        elif self._error:
            self._read_error(self._error, line)
        elif self._rule and (found := JOB.match(line)):
            self._begin(found[1], self._rule.replace("_", " "))

    def _begin(self, job: str, words: str) -> None:
        self.running[job] = self.words[job] = words

    def _read_error(self, failed: Failed, line: str) -> None:
        """A line of the block on a job that failed."""
        if found := JOB.match(line):
            self.failed[found[1]] = failed
            self.running.pop(found[1], None)
        elif found := LOG.match(line):
            failed.log = found[1]

    def line(self, seconds: float, left: str) -> str:
        """The progress on a line: steps, time so far, the time left, and what runs."""
        text = f"{self.done} of {self.total} steps, {duration(seconds)}"
        if self.done < self.total:
            text += f", {left} left"
        running = list(dict.fromkeys(self.running.values()))
        return f"{text}; {', '.join(running)}" if running else text

    def errors(self) -> Iterator[str]:
        """A line for each job that failed: what it did, its error, and its log."""
        for job, one in self.failed.items():
            words = self.words.get(job, one.rule.replace("_", " "))
            try:
                text = Path(one.log).read_text(encoding="utf-8", errors="replace")
                yield f"  {words}: {error_in(text)} ({one.log})"
            except OSError:
                yield f"  {words}: failed without a log"


def error_in(text: str) -> str:
    """The error in the log of a job at its last attempt: the first line of the exception."""
    _, failed, traceback = ATTEMPT.split(text)[-1].rpartition(" ERROR failed\n")
    raised = RAISED.findall(traceback) if failed else []
    return raised[-1].strip() if raised else "ended without an error, as one that is killed"


@dataclass
class Pending:
    """The jobs that are still to run, with estimates of their times.

    Some of them may have nothing to do, if the estimate `is_bound`.
    """

    jobs: Sequence[PlannedJob]
    cores: int
    is_bound: bool = False

    @classmethod
    def of(cls, jobs: Sequence[PlannedJob], cores: int, *, is_bound: bool = False) -> Pending:
        """The jobs of which a file is missing."""
        return cls([job for job in jobs if not _is_done(job)], cores, is_bound)

    def left_text(self, seconds: float) -> str:
        """The time that is left after so many seconds, in words."""
        return f"{'at most ' if self.is_bound else ''}about {duration(self.left(seconds))}"

    def left(self, seconds: float) -> float:
        """About the seconds that are left after so many, at the speed so far.

        The speed counts as if a share of the work had been done before, in its estimated time.
        """
        work = {True: 0.0, False: 0.0}  # seconds on one core, of what is done and of what is not
        for job in self.jobs:
            work[_is_done(job)] += plan.JOB_START + job.seconds
        before = TRUSTED * sum(work.values())
        speed = (work[True] + before) / (seconds + before / self.cores) if before else math.inf
        return work[False] / speed


def _is_done(job: PlannedJob) -> bool:
    return all(Path(file).exists() for file in job.files)


def run(name: str, cores: int, config: Sequence[str]) -> None:
    """Run a study, after an estimate, with lines of progress.

    Raises:
        ConfigError: a job has failed, or Snakemake could not run.
    """
    values, origins = main_config(MAIN, config)
    surveys = plan.surveys_of(values, studies_folder(MAIN), origins)
    plans = [survey.plan for survey in surveys]
    jobs = [job for one in (*plans, IndexPlan(plans)) for job in one.jobs]
    pending = Pending.of(jobs, cores, is_bound=plan.is_bound(surveys))
    log = LOGS / name / "check-up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    print(*plan.summary(surveys, cores, len(pending.jobs)), sep="\n")
    print(f"Snakemake's log: {log}", flush=True)
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--config", *config]
    progress, code = _followed(command, log, pending)
    if code is None:
        raise CommandError(f"the study {name}", f"was interrupted. {GO_ON}")
    if code:
        raise CommandError(f"the study {name}", _why(progress, code, log))


def _followed(command: Sequence[str], log: Path, pending: Pending) -> tuple[Progress, int | None]:
    """Run Snakemake, whose output is added to the log; its exit code is None after Ctrl-C."""
    progress, started = Progress(), time.monotonic()
    with log.open("ab") as output, log.open(encoding="utf-8", errors="replace") as written:
        written.seek(0, os.SEEK_END)  # behind the output of earlier calls
        with _stop_signals():
            process = _started(command, output)
            try:
                code: int | None = _printed_until_end(process, written, progress, pending)
            except KeyboardInterrupt:
                _end(process)
                code = None
            except BaseException:  # it would run on alone, and hold the lock of the results
                _end(process)
                raise
    if code == 0 and progress.total:
        print(progress.line(time.monotonic() - started, "0 s"), flush=True)
    return progress, code


def _printed_until_end(
    process: subprocess.Popen[bytes], written: IO[str], progress: Progress, pending: Pending
) -> int:
    """Print a line of progress now and then until the process ends; returns its exit code."""
    started, code, text = time.monotonic(), None, ""
    while code is None:
        seconds = time.monotonic() - started
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(min(max(SHORTEST, SHARE * seconds), LONGEST))
        *lines, text = f"{text}{written.read()}".split("\n")
        for line in lines:
            progress.read(line)
        seconds = time.monotonic() - started
        if progress.total and code is None:
            print(progress.line(seconds, pending.left_text(seconds)), flush=True)
    return code


@contextmanager
def _stop_signals() -> Iterator[None]:
    """Let the first SIGTERM or SIGHUP raise SystemExit, with exit code 128 + signal."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can handle signals
        return

    def stop(number: int, frame: FrameType | None) -> None:
        for each in former:  # a session that is closed sends both
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    former = {number: signal.getsignal(number) for number in numbers}
    for number, handler in former.items():
        if handler != signal.SIG_IGN:  # as under nohup
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _started(command: Sequence[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start Snakemake in a process group of its own, which Ctrl-C in a terminal does not reach.

    Snakemake takes a second SIGINT as an order to end at once, while its jobs run on. So the group
    gets one from us alone.
    """
    return subprocess.Popen(
        command,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        # a shell's background jobs hand on that SIGINT is ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End Snakemake and its jobs, which save their state first; the third Ctrl-C kills them.

    The second one may be the first, which a program that calls this one handed on as well.
    """
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGINT)
    for text in (WAITING, STILL):
        with suppress(KeyboardInterrupt):
            with suppress(OSError):  # nobody may read it
                print(text, file=sys.stderr, flush=True)
            process.wait()
            return
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _why(progress: Progress, code: int, log: Path) -> str:
    """Why Snakemake failed, and what to do."""
    lines = list(progress.errors())
    if lines:
        head = f"{counted(len(lines), 'jobs')} failed"
    else:
        head = f"snakemake ended with exit code {code}; its last lines are"
        text = log.read_text(encoding="utf-8", errors="replace")
        lines = [f"  {line}" for line in text.splitlines() if line.strip()][-LAST:]
    return "\n".join([head, *lines, f"Snakemake's log is {log}. {GO_ON}"])
