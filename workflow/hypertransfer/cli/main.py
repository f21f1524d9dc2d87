"""The command line: `plan` says what the config means, `prune` and `verify` look after it.

`space` learns a search space from past sweeps.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypertransfer.catalogue.versions import installed_version
from hypertransfer.cli import space
from hypertransfer.cli.text import aligned, duration
from hypertransfer.maintenance import references
from hypertransfer.maintenance.references import COMMAND
from hypertransfer.planning import load, status
from hypertransfer.runs.problem import ProblemError
from hypertransfer.spaces.tasks.tables import TableError
from hypertransfer.storage.run_store import Store, StoreError
from hypertransfer.studies.document import ConfigError, read
from hypertransfer.studies.study import check_main

CONFIG = Path("config/config.yaml")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 if it did what it should, 1 if it could not or found faults."""
    given = parser().parse_args(arguments)
    if str(Path.cwd()) not in sys.path:  # the user's own modules, as in the Snakefile
        sys.path.append(str(Path.cwd()))
    try:
        code = given.run(given)
        sys.stdout.flush()
    except (ConfigError, StoreError, TableError, ProblemError) as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    out = argparse.ArgumentParser(
        prog="hypertransfer", description="Plan, inspect and tidy runs; `snakemake` makes them."
    )
    out.add_argument("--version", action="version", version=installed_version("hypertransfer"))
    commands = out.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, run: Callable[..., int], **words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, **words)
        added.set_defaults(run=run)
        added.add_argument("--config", nargs="*", default=[], metavar="KEY=VALUE",
                           help="override keys of config/config.yaml, as in snakemake")  # fmt: skip
        added.add_argument("--configfile", type=Path, default=CONFIG, help=f"default {CONFIG}")
        return added

    words = "how many runs, cells and jobs the config means, what is missing, and why"
    planning = command("plan", _plan, help=words)
    planning.add_argument("--explain", metavar="RUN",
                          help="show base and target of a run and every scaled hyperparameter; "
                          "RUN is the beginning of its key, or grid:axis=value,...")  # fmt: skip
    command(COMMAND, _meant)
    words = "fit the cost model to what runs of the store took, for plans and the size of jobs"
    command("calibrate", _calibrate, help=words)
    pruning = command("prune", _prune, help="list, or remove, what no study means any more")
    pruning.add_argument("--project", action="append", type=Path, metavar="DIR",
                         help="folder of a project whose runs stay; may be repeated where a store "
                         "is shared (default: the working directory)")  # fmt: skip
    pruning.add_argument("--yes", action="store_true", help="remove; otherwise only list")
    pruning.add_argument("--list", action="store_true", help="name each entry and file")
    pruning.add_argument("--older-than", type=_days, default=7.0, metavar="DAYS",
                         help="younger ones stay (default 7)")  # fmt: skip
    verifying = command("verify", _verify, help="check that all that was made can still be read")
    words = "records, names and heads of files only, no digests of files"
    verifying.add_argument("--quick", action="store_true", help=words)
    words = "move damaged entries away, for snakemake to make them again"
    verifying.add_argument("--aside", action="store_true", help=words)
    words = "learn a search space from a table of past sweeps, for other tools and our own grids"
    learning = commands.add_parser("space", help=words)
    learning.set_defaults(run=space.run)
    space.add_arguments(learning)
    return out


def _days(text: str) -> float:
    days = float(text)
    if not 0 <= days < 1e5:
        raise argparse.ArgumentTypeError(f"{text} is not a number of days")
    return days


def _plan(given: argparse.Namespace) -> int:
    if given.explain:
        from hypertransfer.cli import explain

        config = main_config(given.configfile, given.config)
        plans = list(load.load(config, given.configfile.parent / "studies"))
        print(*explain.lines(explain.find(plans, given.explain)), sep="\n")
        return 0
    print_plan(main_config(given.configfile, given.config), given.configfile)
    return 0


def _calibrate(given: argparse.Namespace) -> int:
    from hypertransfer.maintenance import calibration

    config, folder = main_config(given.configfile, given.config), given.configfile.parent
    surveys = _surveys(config, given.configfile)
    measured = calibration.trainings(surveys)
    if sum(map(len, measured.values())) < calibration.FEWEST:
        text = f"fewer than {calibration.FEWEST} runs of these studies are in {config['store']}"
        print(f"{text}: train some first", file=sys.stderr)
        return 1
    device = calibration.main_device(measured)
    before, runs = surveys[0].plan.rates, measured[device]
    rates = calibration.fit(runs, before)
    products = calibration.products(surveys, rates, device)
    rates = replace(rates, products_per_checkpoint=products)
    origin = f"{len(runs)} runs on {device}"
    calibration.write(folder / "cost.yaml", rates, origin)
    print(f"{folder / 'cost.yaml'}: from {origin}")
    print(f"  as it was   {calibration.error(runs, before)}")
    print(f"  calibrated  {calibration.error(runs, rates)}")
    return 0


def _meant(given: argparse.Namespace) -> int:
    config = main_config(given.configfile, given.config)
    references.announce(config, given.configfile.parent / "studies", sys.stdout.write)
    return 0


def _handed_on(given: argparse.Namespace) -> list[str]:
    return [f"--configfile={given.configfile}", "--config", *given.config]


def _prune(given: argparse.Namespace) -> int:
    from hypertransfer.cli import maintenance

    return maintenance.run_prune(
        given.project or [Path()], _handed_on(given), yes=given.yes, older=given.older_than,
        list_all=given.list,
    )  # fmt: skip


def _verify(given: argparse.Namespace) -> int:
    from hypertransfer.cli import maintenance

    return maintenance.run_verify(Path(), _handed_on(given), quick=given.quick, aside=given.aside)


def main_config(file: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """The main config with overrides from the command line.

    Raises:
        ConfigError: a file that cannot be read, or an override that is not KEY=VALUE.
    """
    import yaml

    from hypertransfer.studies.document import LocatedProblem

    values = dict(read(file).values)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise ConfigError([LocatedProblem("--config", None, override, "is not KEY=VALUE")])
        try:
            values[key] = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError):
            raise ConfigError(
                [LocatedProblem("--config", None, key, "its value is not YAML")]
            ) from None
    check_main(values, file)
    return values


def _surveys(config: dict[str, Any], file: Path) -> list[status.Survey]:
    """The plans of all studies held against the store."""
    store = Store(config["store"])
    store.check()
    return [status.survey(one, store) for one in load.load(config, file.parent / "studies")]


GOOD_ESTIMATE = 1.5  # a factor that does no harm: jobs are sized by it, and nothing else

COLUMNS = ("study", "grid", "runs", "cells", "jobs", "trained", "probes", "probed", "estimate")


def print_plan(config: dict[str, Any], file: Path) -> None:
    """Print the plan of all studies: a line a grid, then what is missing and why."""
    surveys = _surveys(config, file)
    rows = [
        line for found in surveys for line in (*status.grids(found), *status.searches(found.plan))
    ]
    print(f"scale {config['scale']}, store {config['store']}\n")
    table = [COLUMNS] + [
        (r.study, r.grid, r.runs, r.cells, r.jobs, r.present, r.probes, r.probes_present,
         duration(r.seconds))
        for r in rows
    ]  # fmt: skip
    print(*aligned(table, 2), sep="\n")
    print_missing(surveys, sum(row.seconds for row in rows))
    print_error(surveys)


def print_error(surveys: Sequence[status.Survey]) -> None:
    """Print how far the estimates are off for the runs that are there."""
    from hypertransfer.maintenance import calibration

    for device, runs in calibration.trainings(surveys).items():
        found = calibration.error(runs, surveys[0].plan.rates)
        advice = "; `hypertransfer calibrate` fits them" if found.typical > GOOD_ESTIMATE else ""
        print(f"estimates are {found}, for {found.count} runs on {device}{advice}")


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
