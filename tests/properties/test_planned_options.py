"""What planning accepts can be drawn and measured: figures and claims with one option changed."""

from __future__ import annotations

import copy
from functools import cache

import matplotlib.pyplot as plt
import pytest
from tests.support.claims import make_claim
from tests.support.planned_tables import tables
from tests.support.specs import VALID

from hypertransfer.catalogue.cards.figures import FIGURES
from hypertransfer.claims import validation, verdicts
from hypertransfer.claims.claim import Claim
from hypertransfer.claims.families import measures
from hypertransfer.figures.draw import draw
from hypertransfer.studies import claim_checks, figure_checks, references
from hypertransfer.studies.figure import Figure
from hypertransfer.studies.grid import Grid, Probe, runs
from hypertransfer.studies.planned import Planned
from hypertransfer.studies.searches import Search

SWEPT = {
    "parameterisation": ["mup", "sp"],
    "shape.width": [8, 16, 32],
    "lr": [0.1, 0.2, 0.4],
    "seed": [0, 1],
}
LENGTHS = {"optimizer": ["sgd", "muon"], "steps": [5, 10], "lr": [0.1, 0.2], "seed": [0, 1]}
SEARCH = {
    "base": VALID,
    "space": {"lr": {"groups": {"query": ["hidden"]}}},
    "octaves": 2,
    "generations": 2,
    "trials": 2,
    "methods": {
        "types": {"kind": "random", "over": "types"},
        "global": {"kind": "random", "over": "global"},
    },
    "transfer": {
        "seeds": [0, 1],
        "targets": {"same": {}, "longer": {"steps": 20}},
        "line": {
            "from": "global",
            "to": "types",
            "points": [0, 0.5, 1],
            "targets": ["same", "longer"],
        },
    },
}
HESSIAN = Probe("hessian", [0, 2, 4, 6, 8, 10], {"lr": 0.1})
PROBES = {
    "sweep": {"sharp": HESSIAN, "spectrum": Probe("density", [0, 10], {"lr": 0.1})},
    "twice": {"one": HESSIAN, "two": HESSIAN},
    "lengths": {},
}
COLUMNS = (
    "shape.width", "lr", "seed", "optimizer", "parameterisation", "grid", "steps", "method",
    "status", "no_such", "",
)  # fmt: skip
QUANTITIES = ("train_loss", "scaled_sharpness", "ntk", "loss", "final_loss", "eval_loss", "nodes")
ARMS = ("mup", "sp", "sgd", "muon", "8", "16", "sweep", "twice", "no_such", "")
VALUES = {
    **dict.fromkeys(
        ("size", "panels", "column", "rows", "axis", "x", "y", "tuned_at", "between", "along"),
        COLUMNS,
    ),
    **dict.fromkeys(("quantity", "loss"), QUANTITIES),
    "quantities": [[name] for name in QUANTITIES],
    **dict.fromkeys(("of", "over", "base", "joint", "single"), ARMS),
    **dict.fromkeys(("dynamics", "sweep"), ("sweep", "twice", "lengths", True, "no_such")),
    **dict.fromkeys(("best", "signed", "per_seed", "systematic", "higher"), (True, False)),
    "probe": ("sharp", "one", "no_such"),
    "relative": (True, ["train_loss"], ["ntk"]),
}
VARIED = (  # conditions with which options are changed
    {"grid": "sweep", "lr": 0.1},
    {"grid": "sweep", "parameterisation": "mup"},
    {"grid": "lengths"},
)
WHERE = (
    *VARIED,
    {},
    {"grid": "sweep"},
    {"grid": "sweep", "lr": 0.1, "parameterisation": "mup"},
    {"grid": "sweep", "shape.width": 8},
    {"grid": "sweep", "shape.width": 8, "lr": 0.2},
    {"grid": ["sweep", "twice"]},
    {"grid": "twice", "lr": 0.1, "parameterisation": "sp"},
    {"grid": "lengths", "steps": 10},
    {"grid": "modules"},
    {"grid": "modules-transfer", "target": "same"},
    {"grid": "modules-transfer", "method": "line"},
)
FIGURE = {
    "overview": {"dynamics": "sweep", "sweep": "sweep"},
    "along": {"quantities": ["train_loss"]},
    "gaps": {"quantities": ["train_loss"]},
    "levels": {"quantities": ["scaled_sharpness"]},
    "carried": {"over": "global"},
    "heat_map": {"x": "lr", "y": "shape.width"},
    "arms": {"quantities": ["final_loss"]},
    "race": {"of": "muon", "over": "sgd"},
    "guidelines": {"parts": [{"title": "t", "grid": "sweep", "column": "shape.width"}]},
}
ARM_MEASURES = {"of": "mup", "over": "sp", "column": "parameterisation"}


@cache
def planned() -> Planned:
    found = {
        "sweep": runs(Grid(VALID, SWEPT, probes=PROBES["sweep"])),
        "twice": runs(Grid(VALID, SWEPT, probes=PROBES["twice"])),
        "lengths": runs(Grid(VALID, LENGTHS)),
    }
    return Planned({**found, **Search.parse("modules", SEARCH).rows()}, {}, PROBES)


@cache
def made():
    return tables(planned())


def changed(entry, options):
    """The entry, and the entry with one option, or the condition, changed."""
    for where in WHERE:
        here = {**entry, "where": where}
        yield here
        for option in options if where in VARIED else ():
            for value in VALUES.get(option, ()):
                new = copy.deepcopy(here)
                new["options"][option] = value
                yield new


@pytest.mark.filterwarnings("ignore:Polyfit")  # of sizes of which one alone is measured
@pytest.mark.parametrize("kind", [kind for kind, card in FIGURES.items() if card.table == "runs"])
def test_figures_that_planning_accepts_are_drawn(kind):
    texts = {"id": "f", "title": "t", "caption": "c", "kind": kind}
    entry = {**texts, "options": FIGURE.get(kind, {})}
    accepted = 0
    for new in changed(entry, FIGURES[kind].options):
        figure = Figure.parse(new)
        wrong = [
            *figure_checks.figure_problems(figure, planned()),
            *references.condition_problems(new, planned()),
        ]
        if not wrong:
            accepted += 1
            draw(figure.complete(), made())
            plt.close("all")
    assert accepted


@pytest.mark.parametrize("name", [n for n, m in measures().items() if m.table == "runs"])
def test_claims_that_planning_accepts_are_measured(name):
    options = measures()[name].options
    given = {key: value for key, value in ARM_MEASURES.items() if key in options}
    given |= {"quantity": "scaled_sharpness"} if "quantity" in options else {}
    if name == "interaction":
        given = {"base": "8", "joint": "16", "single": "32", "column": "shape.width"}
    accepted = 0
    for new in changed(make_claim(measure=name, options=given), options):
        wrong = [*validation.problems(new)] or [
            *claim_checks.claim_problems(Claim.parse(new), planned()),
            *references.condition_problems(new, planned()),
        ]
        if not wrong:
            accepted += 1
            verdicts.check(new, made())
    assert accepted
