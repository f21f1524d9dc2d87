"""Planned runs and rows of replays, and claims on them."""

from __future__ import annotations

from tests.support.specs import VALID

from hypertransfer.studies.grid import Grid, Probe, runs
from hypertransfer.studies.planned import Planned

RUNS = {
    "sweep": runs(Grid(VALID, {"shape.width": [8, 16], "lr": [0.1, 0.2], "seed": [0, 1]})),
    "single": runs(Grid(VALID, {"seed": [0]})),
}
OF_R = {"replay": "r", "suite": "s"}
ROWS = {
    "replays": [OF_R | {"method": "random"}, OF_R | {"method": "box"}],
    "regions": [OF_R | {"region": "box"}],
    "winners": [{"suite": "s", "dimension": "lr"}],
    "tasks": [
        {"suite": "s", "column": "data", "numbers": False},
        {"suite": "s", "column": "width", "numbers": True},
    ],
    "ranges": [OF_R | {"dimension": "lr"}, OF_R | {"dimension": "steps"}],
    "budgets": [OF_R | {"budget": 4}],
}
PROBES = {"sweep": {"sharp": Probe("hessian", [0], {"lr": 0.1})}, "single": {}}
PLANNED = Planned(RUNS, ROWS)
PROBED = Planned(RUNS, ROWS, PROBES)


def claim(**changes):
    texts = {
        "id": "c",
        "sentence": "s",
        "source": "t",
        "kind": "ours",
        "confidence": "low",
        "bar_from": "ours",
    }
    where = {"grid": "sweep"}
    return {**texts, "measure": "optimum_shift", "where": where, "bar": {"max": 1}, **changes}
