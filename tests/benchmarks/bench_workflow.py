"""The whole desk-scale job: wall time × cores against pure training and probing seconds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.rows import row

BIN = Path(sys.executable).parent


def run() -> list[dict]:
    """Make everything at desk scale in an empty copy, then call again with nothing to do."""
    with tempfile.TemporaryDirectory() as folder:
        return measure(Path(folder))


def measure(place: Path) -> list[dict]:
    """The same in a given folder, which keeps what was made."""
    cores = os.cpu_count() or 1
    for name in ("workflow", "config", "envs"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(name, place / name, ignore=ignore)
    shutil.copy("Snakefile", place)
    (place / "profiles").symlink_to("workflow/profiles")
    wall = seconds(place)
    entries = [json.loads(p.read_text()) for p in place.rglob("entry.json")]
    pure = sum(entry["record"]["seconds"] for entry in entries)
    again = seconds(place)
    add_seed(place)
    added = seconds(place)
    return [
        measured("desk scale: core seconds, of them training and probing", pure, wall * cores, 0.8,
            "share"),
        measured("desk scale: wall seconds against an hour", wall, None, 3600, "limit"),
        measured("nothing to be done: wall seconds against 5", again, None, 5, "limit"),
        measured("one seed added to optimizer_budget's proxies, against the whole job", added, wall,
            None, "cost"),
    ]  # fmt: skip


def add_seed(place: Path) -> None:
    """One more seed for the proxies of optimizer_budget: one line of the config."""
    file = place / "config/studies/optimizer_budget.yaml"
    before, after = (f"      seed: {{range: {n}}}\n      lr: {{sobol" for n in (2, 3))
    text = file.read_text()
    if text.count(before) != 1:
        raise RuntimeError(f"{file} has no line with {before!r} any more: change the benchmark")
    file.write_text(text.replace(before, after))


def measured(
    metric: str, ours: float, whole: float | None, target: float | None, rule: str
) -> dict:
    """A row in seconds, with those of the whole job if it is compared with that."""
    return row(metric, ours, whole, target, "s", "workflow", rule)


def seconds(place: Path) -> float:
    """Wall time of a call of Snakemake."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment["PATH"] = f"{BIN}{os.pathsep}{environment['PATH']}"
    started = time.monotonic()
    subprocess.run(
        [BIN / "snakemake"],
        cwd=place,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.monotonic() - started
