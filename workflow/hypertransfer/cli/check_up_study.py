"""`hypertransfer check-up … --study NAME`: a study of a network, run, and put on one page.

The study is a file in `config/studies/` like any other: it can be read, edited, run again with
`snakemake`, and its results are read by `hypertransfer recommend`.
"""

from __future__ import annotations

import argparse
import base64
import json
import math
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from hypertransfer.analysis.estimate import AnalysisError
from hypertransfer.checkup.study import WIDER, study
from hypertransfer.cli import claims, recommend
from hypertransfer.cli.adopt import problem
from hypertransfer.planning.jobs import RESULTS
from hypertransfer.report.numbers import value_text
from hypertransfer.report.rendering import fragment, render
from hypertransfer.runs.spec import RunSpec
from hypertransfer.storage import parquet
from hypertransfer.storage.atomic import replace_atomically
from hypertransfer.studies.main_config import MAIN, studies_folder

FAILS, UNDECIDED = "fails", "undecided"


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
    steps = arguments.steps
    whole = RunSpec(**{**vars(spec), "steps": steps, "base_steps": steps})
    file = _write(name, study(name, whole, arguments.minutes, over_depth=bool(modules["depths"])))
    config = [f"studies=[{name}]", "scale=desk"]
    print(f"\nstudy {name}: {file}", flush=True)
    _register(name, config)
    _snakemake(name, arguments.cores, config)
    found = _verdicts(name)
    advice, recommended = _recommendation(name, whole, arguments)
    failed = any(row["verdict"] == FAILS for row in found)
    open_ones = sum(row["verdict"] == UNDECIDED for row in found)
    verdict = _in_words(modules["verdict"] == "fail", failed, open_ones)
    print("", verdict, *(f"{row['verdict']:>9}: {row['sentence']}" for row in found), sep="\n")
    print("", *recommended, sep="\n")
    folder = RESULTS / name
    page = render(
        "check_up.html",
        title=f"Check-up of {spec.model.name}",
        verdict=verdict,
        modules="\n".join(text),
        claims=[_claim_row(row) for row in found],
        figures=list(_images(file, folder)),
        recommendation="\n".join(recommended),
        study=file.read_text(encoding="utf-8"),
    )
    replace_atomically(folder / "check-up.html", page.encode())
    result = {
        "verdict": "fail" if failed or modules["verdict"] == "fail" else "pass",
        "undecided": open_ones,
        "modules": modules,
        "claims": [_plain(row) for row in found],
        "recommendation": advice,
    }
    content = json.dumps(result, indent=1, ensure_ascii=False)
    replace_atomically(folder / "check-up.json", f"{content}\n".encode())
    print(f"\nthe page: {folder / 'check-up.html'}, and as data: {folder / 'check-up.json'}")
    return failed


def _in_words(modules: bool, claims_fail: bool, open_ones: int) -> str:
    """The verdict of a check-up."""
    faults = [*(["a module does not scale"] if modules else [])]
    faults += ["a claim fails"] if claims_fail else []
    if faults:
        return f"fail: {' and '.join(faults)}"
    if open_ones:
        claims_open = "1 claim is" if open_ones == 1 else f"{open_ones} claims are"
        return f"pass, as far as was decided: no module and no claim fails; {claims_open} undecided"
    return "pass: all modules scale, and all claims hold"


def _write(name: str, values: Mapping[str, Any]) -> Path:
    """Write the file of the study; one that is there already must be the same.

    Raises:
        ConfigError: there is another study of this name, or no workflow in this folder.
    """
    if not Path("Snakefile").is_file():
        text = f"{Path.cwd()} has no Snakefile: call the command in the folder of the workflow"
        raise problem("--study", text)
    command = shlex.join(["hypertransfer", *sys.argv[1:]])
    body = yaml.dump(values, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)
    file = studies_folder(MAIN) / f"{name}.yaml"
    if file.exists():
        there = file.read_text(encoding="utf-8").partition("\n")[2]
        if there != body:
            text = (
                f"{file} is another study, or was edited: name another one, remove the file, or "
                f"run it as it is by snakemake --config 'studies=[{name}]'"
            )
            raise problem("--study", text)
        return file
    replace_atomically(file, f"# Written by `{command}`\n{body}".encode())
    return file


class _Plain(yaml.SafeDumper):
    """Writes equal values again, where YAML would refer to the first."""

    def ignore_aliases(self, data: object) -> bool:
        """True of all values."""
        return True


def _register(name: str, config: list[str]) -> None:
    """Register the claims before there are results."""
    options = {"register": True, "studies": [name], "reason": "", "only": []}
    claims.run(argparse.Namespace(configfile=MAIN, config=config, **options))


def _snakemake(name: str, cores: int, config: Sequence[str]) -> None:
    """Run the study; what snakemake prints is shown.

    Raises:
        ConfigError: snakemake failed.
    """
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--config", *config]
    code = subprocess.run(command, check=False).returncode
    if code:
        text = (
            f"snakemake ended with exit code {code}; its messages are above. What is finished "
            "stays: call the command again to go on"
        )
        raise problem(f"the study {name}", text)


def _verdicts(name: str) -> list[dict[str, Any]]:
    """The rows of the scorecard, as values of JSON."""
    frame = parquet.frame(RESULTS / "scorecard.parquet")
    return frame[frame["study"] == name].to_dict(orient="records")


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the scorecard as values of JSON, without NaN."""
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}


def _claim_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "claim": row["sentence"],
        "bar": row["bar"],
        "here": value_text(row),
        "verdict": fragment("verdict", row["verdict"]),
        "why": row["reason"],
    }


def _recommendation(
    name: str, spec: RunSpec, arguments: argparse.Namespace
) -> tuple[dict[str, Any] | None, list[str]]:
    """The recommendation for a target, as values of JSON and as lines; none if there is none."""
    wanted = dict(arguments.to) or {"width": 4 * WIDER[-1] * spec.base.width}
    options = {"study": name, "grid": "width", "where": [], "to": list(wanted.items())}
    full = argparse.Namespace(configfile=MAIN, config=[], **options)
    try:
        found = recommend.recommended(full)
    except AnalysisError as error:
        return None, [f"no recommendation: {error}"]
    arm, _, advice, at_target = found
    return recommend.plain(arm, advice, at_target), list(recommend.lines(*found))


def _images(file: Path, folder: Path) -> Iterator[dict[str, str]]:
    """The figures of the study, with titles and captions."""
    for figure in yaml.safe_load(file.read_text(encoding="utf-8"))["figures"]:
        image = (folder / "figures" / f"{figure['id']}.png").read_bytes()
        content = base64.b64encode(image).decode()
        yield {"title": figure["title"], "caption": figure["caption"], "image": content}
