"""Planning at 1,000 to 100,000 runs, against a plain Snakefile with one job a run of the grid."""

from __future__ import annotations

import copy
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.rows import row
from tests.workflow.project import BIN, STUDY, Project

RUNS = (1_000, 10_000, 100_000)
TARGETS = {10_000: 5.0, 100_000: 60.0}  # seconds on one core
MOST_MEGABYTES = 1500.0

PLAIN = """
WIDTHS, BATCHES = {widths}, {batches}
LRS, SEEDS = {lrs}, {seeds}

rule all:
    input:
        expand("out/{{o}}/{{w}}/{{b}}/{{lr}}/{{s}}.txt",
               o=["sgd", "adam"], w=WIDTHS, b=BATCHES, lr=LRS, s=SEEDS),

rule one:
    output:
        "out/{{o}}/{{w}}/{{b}}/{{lr}}/{{s}}.txt",
    shell:
        "touch {{output}}"
"""


def axes(runs: int) -> dict[str, list]:
    """Axes of a grid with so many runs: 50 to a cell."""
    return {
        "optimizer": ["sgd", "adam"],
        "shape.width": [4 * (i + 1) for i in range(10)],
        "batch_size": [8 + 2 * i for i in range(runs // 1000)],  # at most the 256 training samples
        "lr": [0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5],
        "seed": list(range(5)),
    }


def project(folder: Path, runs: int) -> Project:
    """The tests' small project with grids of so many runs.

    One grid has four fifths of the runs. Two others have a tenth each, and the same runs, of which
    one grid measures the sharpness that a claim reads from both: planning has to find equal runs.
    """
    made = Project(folder)
    study = copy.deepcopy(STUDY)
    grid = study["grids"]["sweep"]
    whole = axes(runs)
    grid["axes"] = {**whole, "shape.width": whole["shape.width"][:8]}
    grid["base"] |= {"steps": 200, "log_every": 10}
    trajectories = {"shape.width": whole["shape.width"][:5], "seed": list(range(runs // 50))}
    again = {"base": {**grid["base"], "lr": 0.2}, "axes": trajectories}
    sharpness = {"probe": "hessian", "checkpoints": {"count": 3}, "samples": 32}
    study["grids"] |= {"dynamics": {**again, "probes": {"sharpness": sharpness}}, "again": again}
    for part in (*study["figures"], *study["claims"]):  # which compare single runs
        part["where"] |= {"grid": "sweep", "batch_size": 8}
    # The names of other columns than that of the panels are compared with all of the study.
    study["figures"][0]["options"] = {"titles": {"mup": "µP", "sgd": "SGD"}}
    both = {"measure": "sharpness_spread", "where": {"grid": ["dynamics", "again"]}}
    study["claims"].append({**study["claims"][0], **both, "id": "sharpness"})
    made.write_study(study)
    return made


def plain(folder: Path, runs: int) -> None:
    """The rival: what one would write by hand."""
    folder.mkdir()
    found = axes(runs)
    names = {"widths": "shape.width", "batches": "batch_size", "lrs": "lr", "seeds": "seed"}
    text = PLAIN.format(**{word: found[axis] for word, axis in names.items()})
    (folder / "Snakefile").write_text(text)


def run() -> list[dict]:
    """Seconds and megabytes of `hypertransfer plan` and `snakemake -n` at each size."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for runs in RUNS:
            folder = Path(place)
            ours, rival = project(folder / f"ours{runs}", runs), folder / f"plain{runs}"
            plain(rival, runs)
            python = {**ours.environment(), "PYTHONPATH": "workflow"}
            plan = cost([sys.executable, "-m", "hypertransfer", "plan"], ours.folder, python)
            dry = cost([str(BIN / "snakemake"), "-n"], ours.folder, ours.environment())
            by_hand = cost([str(BIN / "snakemake"), "-n"], rival, ours.environment())
            target = TARGETS.get(runs)
            rows += [
                planned(f"hypertransfer plan, {runs:,} runs: seconds", plan[0], by_hand[0], target),
                planned(f"snakemake -n, {runs:,} runs: seconds", dry[0], by_hand[0], target),
                planned(
                    f"snakemake -n, {runs:,} runs: megabytes", dry[1], by_hand[1], MOST_MEGABYTES
                ),
            ]
    return rows


def planned(metric: str, ours: float, rival: float, target: float | None) -> dict:
    """Against one job a run; the target is for ours."""
    unit = "MB" if "megabytes" in metric else "s"
    return row(metric, ours, rival, target, unit, "plan", "limit")


def cost(command: list[str], folder: Path, environment: Mapping[str, str]) -> tuple[float, float]:
    """Processor seconds and peak megabytes of a command, in a process that measures it alone."""
    program = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *command],
        cwd=folder,
        env=dict(environment),
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    seconds, megabytes = map(float, done.stdout.split())
    return seconds, megabytes
