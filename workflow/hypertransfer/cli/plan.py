"""`hypertransfer plan`: counts of runs and jobs, reasons for missing runs, and estimated times."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.filesize import decimal

from hypertransfer.cli.main import command_function
from hypertransfer.cli.text import aligned
from hypertransfer.maintenance import calibration
from hypertransfer.planning import disk, load, status
from hypertransfer.planning.look_status import ClaimStatus
from hypertransfer.report.duration import duration
from hypertransfer.report.numbers import counted
from hypertransfer.storage.run_store import Store
from hypertransfer.studies.main_config import Origins, main_config, studies_folder

NOT_TIMED = "the store has no run of this study yet: its estimate may be off by a factor of three"
JOB_START = 5.0  # seconds in which a job loads torch and the network
GOOD_ESTIMATE = 1.5  # factor up to which errors do not matter, since estimates only size jobs

COLUMNS = ("study", "grid", "runs", "cells", "jobs", "trained", "probes", "probed", "estimate")


def run(arguments: argparse.Namespace) -> int:
    """Print the plan of all studies; with `--explain`, print the hyperparameters of a run.

    Raises:
        ConfigError: the configs have problems, or no run has the name.
        StoreError: the store cannot be used.
    """
    if arguments.explain:  # imported only here, since the module builds a network with torch
        return command_function("explain:run")(arguments)
    config, origins = main_config(arguments.configfile, arguments.config)
    print_plan(config, studies_folder(arguments.configfile), origins)
    return 0


def surveys_of(
    config: dict[str, Any], studies: Path, origins: Origins | None = None
) -> list[status.Survey]:
    """The plan of each study, compared with the store."""
    store = Store(config["store"])
    store.check()
    return [status.survey(plan, store) for plan in load.load(config, studies, origins)]


def print_plan(config: dict[str, Any], studies: Path, origins: Origins | None = None) -> None:
    """Print a line for each grid, the missing runs with reasons, and the error of estimates."""
    surveys = surveys_of(config, studies, origins)
    plans = [survey.plan for survey in surveys]
    for text in (*load.unregistered(plans), *load.overspent(plans)):
        print(f"warning: {text}", file=sys.stderr)
    rows = [
        row for survey in surveys for row in (*status.grids(survey), *status.searches(survey.plan))
    ]
    print(f"scale {config['scale']}, store {config['store']}\n")
    lines = [
        (
            row.study,
            row.grid,
            f"at most {row.runs}" if row.is_bound else row.runs,
            row.cells,
            row.jobs,
            row.present,
            row.probes,
            row.probes_present,
            f"at most {duration(row.seconds)}" if row.is_bound else duration(row.seconds),
        )
        for row in rows
    ]
    print(*aligned([COLUMNS, *lines], 2), sep="\n")
    print_rounds(surveys)
    print_looks(surveys)
    print_missing(surveys, rows)
    print_disk(surveys, rows)
    for line in estimate_errors(surveys):
        print(line)


def print_rounds(surveys: Sequence[status.Survey]) -> None:
    """Print the next round of each grid with an adaptive axis, and what it runs of each arm."""
    for survey in surveys:
        for grid, found in survey.rounds.items():
            if found.number > found.rounds:
                done = _all_done(found.rounds, "round", "run")
                print(f"\n{survey.plan.name}, {grid}: {done}")
            else:
                later = f"; later rounds at most {found.later_runs}" if found.later_runs else ""
                print(
                    f"\n{survey.plan.name}, {grid}: next is round {found.number} of {found.rounds} "
                    f"with {found.missing} runs to train{later}"
                )
            rows = [(f"  {arm.missing}", _point_text(arm.point), arm.reason) for arm in found.arms]
            print(*aligned(rows, 3), sep="\n")


def print_looks(surveys: Sequence[status.Survey]) -> None:
    """Print the next look of each study with spending, and what the last look has decided."""
    for survey in surveys:
        if (look := survey.look) is None:
            continue
        seeds = survey.plan.looks.seeds
        if look.number > look.looks:
            print(f"\n{survey.plan.name}: {_all_done(look.looks, 'look', 'decided')}")
        else:
            known = sum(survey.store.has("runs", key) for key in look.candidates)
            stored = f"; the store has {known} of those that they choose from" if known else ""
            print(
                f"\n{survey.plan.name}: next is look {look.number} of {look.looks}, at "
                f"{seeds[look.number - 1]} seeds; looks add at most {look.later_runs} runs "
                f"(at most {duration(look.later_seconds)} with their probes){stored}"
            )
        rows = [(f"  {found.claim}", _seeds_text(found), found.reason) for found in look.decided]
        if rows:
            print(*aligned(rows, 3), sep="\n")


def _all_done(count: int, noun: str, verb: str) -> str:
    if count == 1:
        return f"the only {noun} has been {verb}"
    return f"all {count} {noun}s have been {verb}"


def _seeds_text(found: ClaimStatus) -> str:
    return f"{found.seeds} seeds, {'more were added' if found.extended else 'no more'}"


def _point_text(point: Mapping[str, object]) -> str:
    return ", ".join(f"{axis} {value}" for axis, value in point.items()) or "all runs"


def print_missing(surveys: Sequence[status.Survey], rows: Sequence[status.GridStatus]) -> None:
    """Print the number of missing runs for each reason, and the estimated time of missing work."""
    seconds = sum(row.seconds for row in rows)
    missing = [
        (survey.plan.name, reason, count)
        for survey in surveys
        for reason, count in status.reasons(survey).items()
    ]
    if missing:
        print("\nruns to train, and why")
        for study, reason, count in missing:
            print(f"  {count:6d}  {study}, {reason}")
    cores = os.cpu_count() or 1
    later = sum(survey.look.later_seconds for survey in surveys if survey.look)
    timed = [status.timed(survey) for survey in surveys]
    alone = sum(of_study for _, of_study in timed)
    if seconds:
        time = _time_text(rows, alone, cores, f"the {cores} cores of this machine")
        print(f"\n{time}, plus some seconds for each job")
    else:
        print(f"\nnothing to train or probe{' before the next look' if later else ''}")
    if jobs := sum(count for count, _ in timed):
        print(
            f"jobs that run alone: {jobs}, about {duration(alone)}; they measure times, which jobs "
            "beside them would change"
        )
    if later:
        print(
            f"beside these, looks may add runs and probes of at most {duration(later)} on one core"
        )


def _time_text(
    rows: Sequence[status.GridStatus], alone: float, cores: int, cores_words: str
) -> str:
    """The estimated time of missing work on one core and on several.

    `alone` are the seconds of jobs beside which no other one runs.
    """
    seconds = sum(row.seconds for row in rows)
    most = "at most " if _is_bound(rows) else ""
    text = f"estimated time: {most}{duration(seconds)} on one core"
    if cores == 1:
        return text
    return f"{text}, {duration((seconds - alone) / cores + alone)} on {cores_words}"


def summary(surveys: Sequence[status.Survey], cores: int, jobs: int) -> Iterator[str]:
    """The plan in a few lines: runs to train, time and disk space, for a command that runs it."""
    rows = [row for survey in surveys for row in status.grids(survey)]
    if not any(row.seconds for row in rows):
        to_run = f"nothing to train or probe; {counted(jobs, 'jobs')} to run"
        yield to_run if jobs else "all results are there"
        return
    most = "at most " if any(row.is_bound for row in rows) else ""
    yield f"runs to train: {most}{sum(row.missing for row in rows)}"
    alone = sum(seconds for _, seconds in map(status.timed, surveys))
    time = _time_text(rows, alone, cores, counted(cores, "cores"))
    starts = duration(JOB_START * math.ceil(jobs / cores))
    yield f"{time}, plus about {starts} to start {counted(jobs, 'jobs')}"
    yield from list(estimate_errors(surveys)) or [NOT_TIMED]
    yield _disk_text(surveys, rows, cores)


def is_bound(surveys: Sequence[status.Survey]) -> bool:
    """Whether the estimated time is a bound, since later rounds may train less."""
    return _is_bound([row for survey in surveys for row in status.grids(survey)])


def _is_bound(rows: Sequence[status.GridStatus]) -> bool:
    return any(row.is_bound and row.seconds for row in rows)


def print_disk(surveys: Sequence[status.Survey], rows: Sequence[status.GridStatus]) -> None:
    """Print about how much disk space the runs and probes take in the store."""
    print(_disk_text(surveys, rows, os.cpu_count() or 1))


def _disk_text(
    surveys: Sequence[status.Survey], rows: Sequence[status.GridStatus], cores: int
) -> str:
    """About how much disk space the runs and probes take, with so many jobs at a time."""
    found = disk.disk(surveys, rows, cores)
    more = ""
    if found.passing:
        more = f", and up to {decimal(round(found.passing))} more while {cores} jobs run at a time"
    open_end = any(survey.rounds or survey.look for survey in surveys)
    most = "at most " if open_end else ""
    return f"disk: these runs and probes take {most}about {decimal(round(found.kept))}{more}"


def estimate_errors(surveys: Sequence[status.Survey]) -> Iterator[str]:
    """The factors by which estimates differ from the times of the runs in the store."""
    for device, runs in calibration.trainings(surveys).items():
        error = calibration.estimate_error(runs, surveys[0].plan.rates)
        poor = error.typical > GOOD_ESTIMATE
        advice = "; `hypertransfer calibrate` fits the cost model" if poor else ""
        yield f"estimated times are {error}, for {error.count} runs on {device}{advice}"
