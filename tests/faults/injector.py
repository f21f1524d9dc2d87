"""Kills at random moments: a job of a chosen rule, the scheduler, or everything at once."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

import psutil
from tests.workflow.project import Project

SCRIPT = re.compile(r"/\.snakemake/scripts/tmp[^/]*\.([a-z_]+)\.py$")
BEGUN = re.compile(r"^(\S+ \S+) INFO training ([0-9a-f]{24}-[0-9a-f]{16})", re.MULTILINE)
RESUMED = re.compile(r"^\S+ \S+ INFO resumed after .*$", re.MULTILINE)
RARE = 0.6  # share of the kills that are kept for jobs that do not train


class Injector:
    """Calls Snakemake in a project again and again, and kills until the budget is used up."""

    def __init__(self, project: Project, seed: int, *arguments: str) -> None:
        self.project, self.arguments = project, arguments
        self.random = random.Random(seed)
        self.kills: Counter[str] = Counter()
        self.seen: set[str] = set()  # runs that were whole in the store at some moment
        # Snakemake clears the log of a job that it starts again, so it is read all along.
        self.begun: set[tuple[str, str]] = set()  # moments at which trainings were begun
        self.resumed: set[str] = set()  # lines of the logs
        self.process: subprocess.Popen | None = None

    def round(self, budget: int, seconds: float = 240) -> None:
        """Kill so many times, or until everything is made or the time is over."""
        until = time.monotonic() + seconds
        spent = self.kills.total()
        while self.kills.total() - spent < budget and time.monotonic() < until:
            if self.process is None:
                self._call()
            time.sleep(self.random.uniform(0.02, 0.4))
            self.read_logs()
            if self.process.poll() is not None:
                done, self.process = self.process.returncode == 0, None
                if done:
                    return
                continue
            trained = self.kills["train_cell"] + self.kills["train_cell, asked"]
            self._kill(rare_only=trained > (1 - RARE) * budget)
        self.end()

    def read_logs(self) -> None:
        """Keep what the jobs' logs say now."""
        for log in (self.project.folder / "logs").rglob("*.log"):
            with contextlib.suppress(FileNotFoundError):
                text = log.read_text(errors="replace")
                self.begun |= set(BEGUN.findall(text))
                self.resumed |= set(RESUMED.findall(text))

    def _call(self) -> None:
        self.process = subprocess.Popen(
            self.project.command(*self.arguments),
            cwd=self.project.folder,
            env=self.project.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _kill(self, rare_only: bool) -> None:
        jobs = [(p, rule) for p, rule in self._jobs() if not (rare_only and rule == "train_cell")]
        self.seen |= stored(self.project)
        dice = self.random.random()
        if jobs and dice < 0.7:
            process, rule = self.random.choice(jobs)
            asked = rule == "train_cell" and self.random.random() < 0.3
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGTERM if asked else signal.SIGKILL)
                self.kills[f"{rule}, asked" if asked else rule] += 1
        elif jobs and dice < 0.85:  # its jobs live on as orphans
            self.process.kill()
            self.kills["scheduler"] += 1
        elif jobs:
            self._kill_all()
            self.kills["everything"] += 1

    def _jobs(self) -> list[tuple[psutil.Process, str]]:
        """Script processes that Snakemake has started, with their rules."""
        found = []
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(self.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    words = process.cmdline()
                    match = SCRIPT.search(words[-1]) if words else None
                    if match and "python" in words[0]:
                        found.append((process, match[1]))
        return found

    def _kill_all(self) -> None:
        for pid in (p.pid for p, _ in self._jobs()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill what is left of the present call."""
        if self.process is not None:
            self._kill_all()
            self.process.wait()
            self.process = None
        self.read_logs()
        self.seen |= stored(self.project)


def store_of(project: Project) -> Path:
    return project.folder / "results/store"


def stored(project: Project, store: Path | None = None) -> set[str]:
    """Keys of the runs that are whole in the store."""
    return set(_finished(store or store_of(project)))


def _finished(store: Path) -> dict[str, float]:
    found = {}
    for path in (store / "runs").glob("*/*/*/entry.json"):
        with contextlib.suppress(FileNotFoundError):
            found[f"{path.parent.parent.name}-{path.parent.name}"] = path.stat().st_mtime
    return found


def begun_again(injectors: list[Injector], store: Path) -> list[str]:
    """Runs whose training was begun after their present entry had been written."""
    finished, again = _finished(store), []
    for injector in injectors:
        injector.read_logs()
        for stamp, key in injector.begun:
            moment = datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S,%f").timestamp()
            if key in finished and moment > finished[key]:
                again.append(key)
    return again


def finish_after_kills(project: Project) -> None:
    """Kill jobs of a project while its tables are made, finish them, and check what trained.

    Nothing that was trained is lost, and nothing that had finished is begun again.
    """
    project.write_config(save_minutes=0.001)
    injector = Injector(project, 3, "collect_all")
    injector.round(4)
    assert injector.kills.total() >= 1
    ran = project.run("collect_all")
    assert ran.code == 0, ran.output
    assert not injector.seen - stored(project)
    assert not begun_again([injector], store_of(project))


def corrupt(path: Path, chance: random.Random) -> None:
    """Flip a bit, cut the file short, or empty it."""
    content = bytearray(path.read_bytes())
    kind = chance.choice(["flip", "flip", "flip", "cut", "empty"])
    if kind == "flip" and content:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        content = content[: chance.randrange(len(content) or 1)]
    else:
        content.clear()
    path.write_bytes(content)
