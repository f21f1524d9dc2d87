"""The runs that the benchmarks share: the desk scale's own, shortened."""

from __future__ import annotations

from pathlib import Path

from hypertransfer.studies.grid import Grid, runs
from hypertransfer.studies.placed_run import Run
from hypertransfer.studies.study import load_study

STUDIES = Path("config/studies")


def desk_run(width: int, steps: int, checkpoints: tuple[int, ...] = ()) -> Run:
    """The µP run of `dynamics` at a width, with another length."""
    study = load_study("super_consistency", "desk", STUDIES)
    changes = {"steps": steps, "log_every": 10, "eval_every": steps}
    base = {**study.grids["dynamics"].base, **changes, "checkpoints": list(checkpoints)}
    axes = {"parameterisation": ["mup"], "shape.width": [width], "lr": [0.5], "seed": [0]}
    return runs(Grid(base, axes))[0]
