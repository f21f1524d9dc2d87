"""Commands and options of the command line, and the function that runs each command.

Each command names its function as `module:function` in the package `hypertransfer.cli`, and `main`
imports the module of the chosen command only. Thus `plan` and `space` start without torch, and
`--help` and errors of usage without numpy and pandas as well. This module imports the standard
library, and modules of this package that import the standard library only; modules of commands
import what they need at their top.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hypertransfer.cli.options import Parser, add_with
from hypertransfer.cli.values import days, number, pair, path, role, size, whole

CONFIG = Path("config/config.yaml")


def parser(version: str) -> argparse.ArgumentParser:
    """The parser of all commands; the parsed `function` names the function of the command."""
    top = Parser(
        prog="hypertransfer",
        description="Plan, inspect and tidy runs; `snakemake` trains them.",
    )
    top.add_argument("--version", action="version", version=version)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    words = "count runs, cells and jobs of the config, and give reasons for missing runs"
    _add_plan(_with_config(commands, "plan", "plan:run", words))
    words = "list the claims of studies, and register them before their results"
    _add_claims(_with_config(commands, "claims", "claims:run", words))
    words = "print the keys and files that the config refers to, which `prune` reads"
    _with_config(commands, "references", "references:run", words)
    words = "fit the cost model, which estimates times and sizes jobs, to the runs in the store"
    _with_config(commands, "calibrate", "calibrate:run", words)
    words = "list, or remove, entries and files that no study refers to"
    _add_prune(_with_config(commands, "prune", "maintenance:prune_store", words))
    words = "check that all entries of the store and all made files are readable"
    _add_verify(_with_config(commands, "verify", "maintenance:verify_store", words))
    words = "learn a search space from a table of past sweeps, for other tools and our own grids"
    space = commands.add_parser("space", help=words)
    space.set_defaults(function="space:run")
    _add_space(space)
    words = "find the role of each parameter of a network that is not written for this library"
    adopt = commands.add_parser("adopt", help=words)
    adopt.set_defaults(function="adopt:run")
    _add_adopt(adopt)
    words = "which module of a network does not scale as it should, over width and depth"
    check = commands.add_parser("check-up", help=words)
    check.set_defaults(function="check_up:run")
    _add_check_up(check)
    words = "which learning rates to use at a size that was not swept, and how sure that is"
    _add_recommend(_with_config(commands, "recommend", "recommend:run", words))
    return top


def _with_config(
    commands: argparse._SubParsersAction, name: str, function: str, words: str
) -> argparse.ArgumentParser:
    """Add a command that reads the main config."""
    command = commands.add_parser(name, help=words)
    command.set_defaults(function=function)
    command.add_argument(
        "--config",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help=f"override keys of {CONFIG}, as in snakemake",
    )
    command.add_argument(
        "--configfile", type=path, default=CONFIG, help=f"the main config (default: {CONFIG})"
    )
    return command


def _add_plan(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--explain",
        metavar="RUN",
        help="show the base and target values and every scaled hyperparameter of a run; RUN is "
        "the beginning of a run key, or grid:axis=value,...",
    )


def _add_claims(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "studies", nargs="*", metavar="STUDY", help="name of a study (default: all of the config)"
    )
    command.add_argument(
        "--register",
        action="store_true",
        help="write the claims of the named studies into config/registrations/STUDY.yaml",
    )
    words = "why registered claims were changed or dropped"
    add_with(command, "--register", "--reason", "", help=words)
    words = "register these claims only"
    add_with(command, "--register", "--only", (), nargs="+", metavar="ID", help=words)


def _add_prune(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--project",
        action="append",
        type=path,
        metavar="DIR",
        help="folder of a project whose runs stay; repeat the option for each project that "
        "shares the store (default: the working directory)",
    )
    command.add_argument("--yes", action="store_true", help="remove; without it, only list")
    command.add_argument("--list", action="store_true", help="list the name of each entry and file")
    command.add_argument(
        "--older-than",
        type=days,
        default=7.0,
        metavar="DAYS",
        help="keep entries and files that are younger than this (default: 7)",
    )


def _add_verify(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--quick",
        action="store_true",
        help="check records, names and the heads of files, but not the digests of files",
    )
    command.add_argument(
        "--aside",
        action="store_true",
        help="move damaged entries to the store's folder `damaged`, so that snakemake makes "
        "them again",
    )


def _add_space(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "table", type=path, metavar="TABLE", help="past evaluations, a CSV or Parquet file"
    )
    command.add_argument(
        "--about",
        type=path,
        metavar="FILE",
        help="description of the columns (default: TABLE with the suffix .yaml)",
    )
    command.add_argument(
        "--out", type=path, default=Path("space.yaml"), help="file to write (default: space.yaml)"
    )
    command.add_argument("--force", action="store_true", help="overwrite the file of --out")
    command.add_argument(
        "--points",
        type=whole,
        default=32,
        metavar="N",
        help="number of points in the file's section `grid` (default: 32)",
    )
    _add_recipe(command)


def _add_recipe(command: argparse.ArgumentParser) -> None:
    """Add the options on how the space is learned."""
    command.add_argument(
        "--shape",
        choices=("box", "ellipsoid"),
        help="shape of the space (default: ellipsoid if there are enough winners to fit one)",
    )
    command.add_argument(
        "--slack",
        type=number,
        default=0.0,
        metavar="LAMBDA",
        help="let winners of outlying tasks be outside the space; 0.1 to 0.2 is usual (default: 0)",
    )
    command.add_argument(
        "--floor",
        type=number,
        metavar="SHARE",
        help="smallest half-width of the space, as a share of the range (default: 0.05)",
    )
    command.add_argument(
        "--top",
        type=whole,
        default=1,
        metavar="N",
        help="number of best evaluations of each task that are winners (default: 1)",
    )
    command.add_argument(
        "--drift",
        metavar="COLUMN",
        help="column of a size, e.g. width: fit how winners move with the size",
    )
    command.add_argument(
        "--drifting",
        nargs="+",
        default=[],
        metavar="NAME",
        help="hyperparameters that move with the size (default: all numeric ones)",
    )
    command.add_argument(
        "--target", type=number, metavar="SIZE", help="size for which the space is learned"
    )


def _add_adopt(command: argparse.ArgumentParser) -> None:
    _add_network(command)


def _add_check_up(command: argparse.ArgumentParser) -> None:
    _add_network(command)
    command.add_argument(
        "--table", default="completep", help="the parameterisation (default: completep)"
    )
    command.add_argument(
        "--optimizer",
        default="adamw",
        metavar="YAML",
        help="name, or {name: …, option: …} as in a config (default: adamw)",
    )
    command.add_argument(
        "--lr",
        type=number,
        default=0.01,
        help="the learning rate at the base, such as 0.03 or 2^-5 (default: 0.01)",
    )
    command.add_argument(
        "--weight-decay", type=number, default=0.1, help="that at the base (default: 0.1)"
    )
    command.add_argument(
        "--data",
        metavar="YAML",
        help="data set, as in a config (default: random inputs and targets)",
    )
    command.add_argument(
        "--loss", default="cross_entropy", help="name or MODULE:NAME (default: cross_entropy)"
    )
    command.add_argument(
        "--batch", type=whole, default=8, metavar="N", help="samples of a batch (default: 8)"
    )
    command.add_argument(
        "--seeds",
        type=whole,
        default=3,
        metavar="N",
        help="of the check of modules: how many networks of each size it trains for three steps "
        "(default: 3); for the seeds of the study see --repeats",
    )
    _add_study_of_check_up(command)


def _add_study_of_check_up(command: argparse.ArgumentParser) -> None:
    """Add the options on the study in which a check-up trains."""
    study = command.add_argument_group("training", "with --study, after the check of modules")
    study.add_argument(
        "--study",
        metavar="NAME",
        help="also train: write config/studies/NAME.yaml, run it, and make one page of the results",
    )
    add_with(
        study,
        "--study",
        "--as-is",
        False,
        action="store_true",
        help="keep your edits of the claims and figures in the file of the study",
    )
    for name, default, words in (
        ("steps", 200, "steps of each run of the study (default: 200)"),
        (
            "repeats",
            6,
            "with how many seeds the study trains each of its runs, and tests its claims "
            "(default: 6); for the check of modules see --seeds",
        ),
        ("cores", 2, "cores for the study (default: 2)"),
    ):
        add_with(study, "--study", f"--{name}", default, type=whole, metavar="N", help=words)
    add_with(
        study,
        "--study",
        "--to",
        (),
        type=size,
        action="extend",
        nargs="+",
        metavar="NAME=N",
        help="the size for which the study recommends a learning rate (default: 16 times as wide)",
    )


def _add_network(command: argparse.ArgumentParser) -> None:
    """Add the options on a network that is not written for this library."""
    command.add_argument(
        "build", metavar="MODULE:NAME", help="function or class that makes the network"
    )
    command.add_argument(
        "--width", type=whole, default=64, metavar="N", help="the base width (default: 64)"
    )
    command.add_argument(
        "--depth", type=whole, default=2, metavar="L", help="the base depth (default: 2)"
    )
    for name in ("width", "depth"):
        command.add_argument(
            f"--{name}-name",
            default=name,
            metavar="ARGUMENT",
            help=f"the argument that takes the {name} (default: {name})",
        )
    command.add_argument(
        "--inputs",
        metavar="MODULE:NAME",
        help="function that returns the arguments of a forward pass (default: guessed)",
    )
    command.add_argument(
        "--role",
        type=role,
        action="append",
        default=[],
        metavar="PATTERN=ROLE",
        help="the role of all parameters whose names match, such as '*.gate.weight=router'",
    )
    command.add_argument("--json", type=path, metavar="FILE", help="file for the result as JSON")


def _add_recommend(command: argparse.ArgumentParser) -> None:
    command.add_argument("study", metavar="STUDY", help="a study with results")
    command.add_argument(
        "--to",
        type=size,
        action="extend",
        nargs="+",
        default=[],
        metavar="NAME=N",
        help="the target: width, depth, batch_size and steps (default: as the largest size)",
    )
    words = "the grid with the sweeps, or several that differ in their sizes alone (default: all)"
    command.add_argument(
        "--grid", action="extend", nargs="+", default=[], metavar="GRID", help=words
    )
    command.add_argument(
        "--where",
        type=pair,
        action="extend",
        nargs="+",
        default=[],
        metavar="COLUMN=VALUE",
        help="values of other columns of the runs, such as parameterisation=mup",
    )
    command.add_argument("--json", type=path, metavar="FILE", help="write all of it as JSON")
    command.add_argument("--groups", type=path, metavar="FILE", help="write param groups as Python")
    command.add_argument("--optuna", type=path, metavar="FILE", help="write a range for Optuna")
    command.add_argument(
        "--axis", type=path, metavar="FILE", help="write an axis for a grid of this workflow"
    )
