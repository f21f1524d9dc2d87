"""`hypertransfer check-up … --study NAME`: a study of a network, run, and put on one page.

The study is a file in `config/studies/` like any other: it can be read, edited, run again with
`snakemake`, and its results are read by `hypertransfer recommend`.
"""

from __future__ import annotations

import argparse
import base64
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from hypertransfer.catalogue import checks
from hypertransfer.checkup.study import WIDER, study
from hypertransfer.cli import recommend, study_file, study_run
from hypertransfer.cli.errors import CommandError
from hypertransfer.cli.text import json_text
from hypertransfer.networks.tagged import RoleError
from hypertransfer.planning.jobs import RESULTS
from hypertransfer.report.numbers import value_text
from hypertransfer.report.rendering import fragment, render
from hypertransfer.runs.spec import RunSpec
from hypertransfer.storage import parquet
from hypertransfer.storage.atomic import replace_atomically
from hypertransfer.studies import document
from hypertransfer.studies.main_config import MAIN
from hypertransfer.studies.study import bad_name
from hypertransfer.training import data_sets

FAILS, UNDECIDED = "fails", "undecided"
FEWEST = 3  # seeds of a study
NO_DATA = (
    "a study trains: name the data, as in a config, such as "
    "--data '{name: text_file, file: corpus.txt}'"
)
RATE_IS_OPEN = (
    "note: claims on the best rate are undecided. The recommendation adds a prior to these runs,",
    "and counts what a rate costs, so that it may trust one all the same.",
)


def conduct(
    arguments: argparse.Namespace, spec: RunSpec, modules: Mapping[str, Any], text: Sequence[str]
) -> bool:
    """Write the study, register its claims, run it, and make page and JSON.

    Args:
        arguments: the options of the command line.
        spec: the run at the base.
        modules: the check of every module, as values of JSON.
        text: its lines.

    Returns:
        Whether a claim fails.

    Raises:
        ConfigError: the study cannot be written or run.
    """
    name = arguments.study
    whole = _whole(arguments, spec)
    file = _made(arguments, whole, modules)
    found = _verdicts(name)
    advice, recommended = _recommendation(name, whole, arguments)
    if advice and _rate_is_open(found):
        recommended = [*RATE_IS_OPEN, "", *recommended]
    failed = any(row["verdict"] == FAILS for row in found)
    open_ones = sum(row["verdict"] == UNDECIDED for row in found)
    verdict = _in_words(modules, failed, open_ones)
    print("", verdict, *map(_claim_line, found), sep="\n")
    print("", *recommended, sep="\n")
    folder = RESULTS / name
    page = render(
        "check_up.html",
        title=f"Check-up of {spec.model.name}",
        verdict=verdict,
        about=_about(whole, arguments.repeats),
        command=_command(),
        modules="\n".join(text),
        claims=[_claim_row(row) for row in found],
        figures=list(_images(file, folder)),
        recommendation="\n".join(recommended),
        study=file.read_text(encoding="utf-8"),
    )
    replace_atomically(folder / "check-up.html", page.encode())
    result = {
        "verdict": verdict.partition(":")[0],
        "undecided": open_ones,
        "modules": modules,
        "claims": found,
        "recommendation": advice,
    }
    replace_atomically(folder / "check-up.json", json_text(result).encode())
    print(f"\nthe page: {folder / 'check-up.html'}, and as data: {folder / 'check-up.json'}")
    return failed


def _made(arguments: argparse.Namespace, spec: RunSpec, modules: Mapping[str, Any]) -> Path:
    """Write the study, register its claims, and run it; returns its file.

    Raises:
        ConfigError: the study cannot be written or run.
    """
    name = arguments.study
    values = _values(arguments, spec, bool(modules["depths"]), bool(modules["routers"]))
    config = [f"studies=[{name}]", "scale=desk"]
    file = study_file.write(name, values, config, _command(), as_is=arguments.as_is)
    print(f"\nstudy {name}: {file}", flush=True)
    study_run.run(name, arguments.cores, config)
    return file


def _values(
    arguments: argparse.Namespace, spec: RunSpec, over_depth: bool, routers: bool
) -> dict[str, Any]:
    """The study as the values of its file."""
    samples = len(data_sets.samples(spec).train_y)
    return study(
        arguments.study,
        spec,
        arguments.repeats,
        samples=samples,
        over_depth=over_depth,
        routers=routers,
    )


def _whole(arguments: argparse.Namespace, spec: RunSpec) -> RunSpec:
    """The run of the study: as long as its option says."""
    return replace(spec, steps=arguments.steps, base_steps=arguments.steps)


def _rate_is_open(found: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a claim on the best rate is undecided."""
    return any(row["claim"].startswith("rate-") and row["verdict"] == UNDECIDED for row in found)


def _command() -> str:
    """The command as it was called, on one line."""
    return shlex.join(["hypertransfer", *sys.argv[1:]]).replace("\n", " ")


def _about(spec: RunSpec, seeds: int) -> str:
    """What was trained, in a sentence."""
    return (
        f"{spec.model.name} at base width {spec.base.width} and depth {spec.base.depth}, under "
        f"{spec.parameterisation} with {spec.optimizer.name}, on {spec.data.name}: batches of "
        f"{spec.batch_size}, {spec.steps} steps, {seeds} seeds; {date.today()}."
    )


def _in_words(modules: Mapping[str, Any], claims_fail: bool, open_ones: int) -> str:
    """The verdict of a check-up."""
    found = {
        "the network has a fault": bool(modules["faults"]),
        "a module does not scale": bool(modules["suspects"]),
        "a claim fails": claims_fail,
    }
    faults = [text for text, is_so in found.items() if is_so]
    if faults:
        return f"fail: {' and '.join(faults)}"
    if open_ones:
        claims_open = "1 claim is" if open_ones == 1 else f"{open_ones} claims are"
        return f"undecided: no module and no claim fails, and {claims_open} undecided"
    return "pass: all modules scale, and all claims hold"


def check_options(
    arguments: argparse.Namespace, spec: RunSpec, can_build: Callable[[list[tuple[int, int]]], None]
) -> None:
    """Check the options of the study, before anything is measured.

    Args:
        arguments: the options.
        spec: the run at the base.
        can_build: checks that the network can be built at sizes, given as width and depth.

    Raises:
        ConfigError: one cannot be used.
    """
    faults = {
        "--study": bad_name(arguments.study),
        "--data": "" if arguments.data else NO_DATA,
        "--steps": "" if arguments.steps > 0 else "a run has at least one step",
        "--repeats": "" if arguments.repeats >= FEWEST else f"claims need at least {FEWEST} seeds",
        "--cores": "" if arguments.cores > 0 else "a study needs a core",
    }
    if not Path("Snakefile").is_file():
        faults["--study"] = f"{Path.cwd()} has no Snakefile: call it in the folder of the workflow"
    for option, text in faults.items():
        if text:
            raise CommandError(option, text)
    wanted = _wanted(arguments, spec)
    if len(wanted) < len(arguments.to):
        raise CommandError("--to", "a size is given twice")
    target = recommend.resized(spec, wanted)
    if problems := list(checks.objections(target)):
        raise CommandError("--to", "; ".join(map(str, problems)))
    try:
        can_build([(target.shape.width, target.shape.depth)])
    except RoleError as error:
        raise CommandError("--to", str(error)) from error
    values = partial(_values, arguments, _whole(arguments, spec))
    study_file.check(arguments.study, values, as_is=arguments.as_is)


def _wanted(arguments: argparse.Namespace, spec: RunSpec) -> dict[str, int]:
    """The target: 4 times as wide as the widest network of the sweeps, unless `--to` names one."""
    return dict(arguments.to) or {"width": 4 * WIDER[-1] * spec.base.width}


def _verdicts(name: str) -> list[dict[str, Any]]:
    """The rows of the table of claims."""
    return parquet.frame(RESULTS / name / "tables" / "claims.parquet").to_dict(orient="records")


def _claim_line(row: Mapping[str, Any]) -> str:
    """A claim on a line of the terminal."""
    return f"{row['verdict']:>9}: {row['sentence']} Here {value_text(row)}, the bar is {row['bar']}"


def _claim_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "claim": row["sentence"],
        "bar": row["bar"],
        "here": value_text(row),
        "verdict": fragment("verdict", row["verdict"]),
        "why": row["reason"],
        "registered": row["registered"],
    }


def _recommendation(
    name: str, spec: RunSpec, arguments: argparse.Namespace
) -> tuple[dict[str, Any] | None, list[str]]:
    """The recommendation for a target, as values of JSON and as lines; none if there is none."""
    wanted = list(_wanted(arguments, spec).items())
    options = {"study": name, "grid": [], "where": [], "to": wanted}
    full = argparse.Namespace(configfile=MAIN, config=[], **options)
    try:
        found = recommend.recommended(full)
    except CommandError as error:
        return None, [f"no recommendation: {error}"]
    arm, _, advice, at_target = found
    return recommend.plain(arm, advice, at_target), list(recommend.lines(*found))


def _images(file: Path, folder: Path) -> Iterator[dict[str, str]]:
    """The figures of the study, with titles and captions."""
    for figure in document.read(file).values.get("figures", ()):
        image = (folder / "figures" / f"{figure['id']}.png").read_bytes()
        content = base64.b64encode(image).decode()
        yield {"title": figure["title"], "caption": figure["caption"], "image": content}
