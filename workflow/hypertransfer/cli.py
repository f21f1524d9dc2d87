"""The command line: `hypertransfer plan` says what the config means and what is missing."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypertransfer import __version__, plan, status
from hypertransfer.config import ConfigError, check_main, read
from hypertransfer.store import Store, StoreError

CONFIG = Path("config/config.yaml")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 if it did what it should, 1 if the configuration is at fault."""
    parser = argparse.ArgumentParser(
        prog="hypertransfer", description="Plan and inspect runs; `snakemake` makes them."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    planning = commands.add_parser(
        "plan", help="how many runs, cells and jobs the config means, what is missing, and why"
    )
    planning.add_argument("--config", nargs="*", default=[], metavar="KEY=VALUE",
                          help="override keys of config/config.yaml, as in snakemake")  # fmt: skip
    planning.add_argument("--configfile", type=Path, default=CONFIG, help=f"default {CONFIG}")
    given = parser.parse_args(arguments)
    try:
        print_plan(main_config(given.configfile, given.config), given.configfile)
        sys.stdout.flush()
    except (ConfigError, StoreError) as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def main_config(file: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """The main config with overrides from the command line.

    Raises:
        ConfigError: a file that cannot be read, or an override that is not KEY=VALUE.
    """
    import yaml

    from hypertransfer.config import Problem

    values = dict(read(file).values)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise ConfigError([Problem("--config", None, override, "is not KEY=VALUE")])
        values[key] = yaml.safe_load(text)
    check_main(values, file)
    return values


COLUMNS = ("study", "grid", "runs", "cells", "jobs", "trained", "probes", "probed", "estimate")


def print_plan(config: dict[str, Any], file: Path) -> None:
    """Print the plan of all studies: a line a grid, then what is missing and why."""
    store = Store(config["store"])
    store.check()
    plans = plan.load(config, file.parent / "studies")
    surveys = [status.survey(one, store) for one in plans]
    rows = [line for found in surveys for line in status.grids(found)]
    print(f"scale {config['scale']}, store {config['store']}\n")
    table = [COLUMNS] + [
        (r.study, r.grid, r.runs, r.cells, r.jobs, r.present, r.probes, r.probes_present,
         duration(r.seconds))
        for r in rows
    ]  # fmt: skip
    widths = [max(len(str(row[i])) for row in table) for i in range(len(COLUMNS))]
    for row in table:
        cells = [str(v).ljust(w) if i < 2 else str(v).rjust(w)
                 for i, (v, w) in enumerate(zip(row, widths, strict=True))]  # fmt: skip
        print("  ".join(cells).rstrip())
    print_missing(surveys, sum(row.seconds for row in rows))


def print_missing(surveys: Sequence[status.Survey], seconds: float) -> None:
    """Print the reasons for missing runs, and about how long they will take."""
    found = [(one.plan.name, *item) for one in surveys for item in status.reasons(one).items()]
    if found:
        print("\nruns to train, and why")
        for study, reason, count in found:
            print(f"  {count:6d}  {study}, {reason}")
    cores = os.cpu_count() or 1
    if seconds:
        about = duration(seconds / cores)
        print(f"\nabout {duration(seconds)} on one core, {about} on the {cores} of this machine")
    else:
        print("\nnothing to train or probe")


def duration(seconds: float) -> str:
    """A rough time for people: 45 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
