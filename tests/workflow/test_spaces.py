"""Suites and replays through Snakemake: from evaluations and runs to verdicts, and reruns."""

from __future__ import annotations

import copy

import pytest
from tests.workflow.project import STUDY, Project

from hypertransfer.storage import parquet

pytestmark = pytest.mark.workflow

RANDOM = {"searcher": "random"}
CLAIM = {
    "id": "faster",
    "sentence": "It is faster.",
    "source": "nowhere",
    "kind": "ours",
    "confidence": "low",
    "bar_from": "ours",
    "measure": "regret_ratio",
    "where": {"replay": "svm"},
    "options": {"of": "box", "over": "random", "at": 4},
    "bar": {"max": 1},
}
FIGURE = {
    "id": "regrets",
    "kind": "regrets",
    "title": "Regrets",
    "caption": "Regrets.",
    "options": {"replays": ["svm", "widths"]},
}


def study() -> dict:
    """The micro study with fewer runs, a live suite, its own runs as a suite, and replays."""
    out = copy.deepcopy(STUDY)
    out["grids"]["sweep"]["axes"] |= {"optimizer": ["sgd"], "seed": [0], "shape.width": [4, 8, 16]}
    del out["grids"]["sweep"]["probes"]
    out["figures"] = [FIGURE]
    out["claims"] = [copy.deepcopy(CLAIM)]
    out["suites"] = {
        "svm": {"source": "rbf_svm", "points": 8},
        "widths": {
            "source": "runs",
            "grids": ["sweep"],
            "about": {
                "task": ["shape.width"],
                "loss": "final_loss",
                "work": [0.5, 1],
                "dimensions": {"lr": {"low": 0.05, "high": 0.2, "log": True}},
            },
        },
    }
    out["replays"] = {
        "svm": {
            "suite": "svm",
            "budget": 6,
            "repeats": 2,
            "regions": {"box": {"shape": "box"}},
            "methods": {"random": RANDOM, "box": {**RANDOM, "region": "box"}},
        },
        "widths": {
            "suite": "widths",
            "budget": 3,
            "repeats": 2,
            "parts": 1,
            "regions": {"ellipsoid": {"shape": "ellipsoid"}},
            "methods": {"random": RANDOM, "halving": {"searcher": "halving", "factor": 2}},
        },
    }
    return out


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("replayed"))
    project.write_study(study())
    project.first = project.run()
    assert project.first.code == 0, project.first.output
    return project


def table(project: Project, name: str) -> list[dict]:
    return parquet.read(project.folder / f"results/micro/tables/{name}.parquet").to_pylist()


def test_everything_is_made(replayed: Project):
    assert replayed.first.of("evaluations") == 11, "one job for each data set"
    assert replayed.first.of("replays") == 3
    found = table(replayed, "replays")
    assert {(row["replay"], row["method"]) for row in found} == {
        ("svm", "random"),
        ("svm", "box"),
        ("widths", "random"),
        ("widths", "halving"),
    }
    assert {row["task"] for row in found if row["replay"] == "widths"} == {"4", "8", "16"}
    assert len([row for row in found if row["replay"] == "svm"]) == 20 * 2 * 2
    (verdict,) = table(replayed, "claims")
    assert "groups" in verdict["reason"]
    winners = [row for row in table(replayed, "winners") if row["suite"] == "widths"]
    assert sorted(row["shape.width"] for row in winners) == [4, 8, 16]


def test_nothing_is_made_again(replayed: Project):
    ran = replayed.run()
    assert ran.code == 0, ran.output
    assert ran.jobs == []


def test_another_searcher_evaluates_and_trains_nothing(replayed: Project):
    changed = study()
    changed["replays"]["svm"]["methods"]["warm"] = {**RANDOM, "warm": True}
    replayed.write_study(changed)
    ran = replayed.run()
    assert ran.code == 0, ran.output
    assert (ran.trained, ran.of("evaluations"), ran.of("cells"), ran.of("replays")) == (0, 0, 0, 2)
    replayed.write_study(study())
    ran = replayed.run()
    assert ran.code == 0, ran.output
    assert sorted(ran.jobs) == ["index", "publish"], "back again: only names move"


def test_a_width_added_trains_it_and_replays_the_widths_alone(replayed: Project):
    changed = study()
    changed["grids"]["sweep"]["axes"]["shape.width"] = [4, 8, 16, 32]
    replayed.write_study(changed)
    ran = replayed.run()
    assert ran.code == 0, ran.output
    assert (ran.trained, ran.of("evaluations"), ran.of("replays")) == (3, 0, 1)


def test_a_damaged_evaluation_is_made_again(replayed: Project):
    folder = replayed.folder / "results/micro/made/evaluations/svm"
    path = sorted(folder.glob("*.parquet"))[0]
    path.write_bytes(path.read_bytes()[:-40])
    ran = replayed.run()
    assert ran.code == 0, ran.output
    assert ran.of("evaluations") == 1
    assert parquet.read(path).num_rows > 0
