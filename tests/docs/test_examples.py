"""The worked examples of the documentation run as they are printed there."""

from __future__ import annotations

import importlib
import logging
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch

from hypertransfer.catalogue import lookup
from hypertransfer.catalogue.cards import figures as figure_cards
from hypertransfer.catalogue.cards import probes as probe_cards
from hypertransfer.claims import measure as claims_measure
from hypertransfer.claims import verdicts
from hypertransfer.cli.main import main
from hypertransfer.figures import draw
from hypertransfer.networks.tagged import named_roles
from hypertransfer.parameterisation.algebra import Role
from hypertransfer.planning.study_plan import StudyPlan
from hypertransfer.probes import checkpoint
from hypertransfer.runs.ratios import ratios
from hypertransfer.studies.figure import Figure
from hypertransfer.studies.study import load_study
from hypertransfer.training import build
from hypertransfer.training.loop import train

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
MODULES = [path.stem for path in EXAMPLES.glob("my_*.py")]
LOG = logging.getLogger(__name__)


@pytest.fixture(autouse=True)
def project(monkeypatch):
    """The folder of the examples as the project's folder, as when `snakemake` is called in it."""
    monkeypatch.chdir(EXAMPLES)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


def study(scale: str = "desk"):
    return load_study("my_study", scale, EXAMPLES)


def first_run(grid: str):
    return study().runs[grid][0].spec


def test_the_study_is_sound_at_every_scale_that_it_has():
    assert len(study().runs["sweep"]) == 2 * 3 * 5 * 3
    assert len(study("smoke").runs["sweep"]) == 2 * 2 * 5


def test_the_study_can_be_planned():
    plan = StudyPlan(study(), job_minutes=3)
    assert plan.train_jobs
    assert plan.probe_jobs
    assert len({run.key for runs in plan.runs.values() for run in runs}) == 90 + 6


def test_the_study_that_finds_rates_and_seeds_can_be_planned_at_every_scale():
    for scale in ("desk", "smoke"):
        plan = StudyPlan(load_study("found_rates", scale, EXAMPLES), job_minutes=3)
        assert len(plan.rounds.allocations) == 4
        assert len(plan.looks.allocations) == 1
        assert {claim.id for claim in plan.looks.claims} == {"mup-regret", "sp-moves-more"}


def test_every_parameter_of_the_network_has_a_role():
    spec = first_run("sweep")
    network = build.model(spec, (1, 8, 8), 10)
    roles = {tagged.role for tagged in named_roles(network)}
    assert roles == {Role.INPUT, Role.HIDDEN, Role.OUTPUT, Role.VECTOR, Role.FINAL_VECTOR}


def test_own_network_table_optimizer_and_data_train():
    for run in study().runs["own-parts"]:
        result = train(run.spec, lookup.table(run.spec))
        assert result.status == "finished"
        assert result.final_loss < 0.8 * result.history.train_loss[0]


def test_the_table_is_the_identity_at_the_base_and_keeps_the_weight_decay():
    (spec,) = [r.spec for r in study().runs["own-parts"] if r.point["shape.width"] == 64][:1]
    table = lookup.table(spec)
    hidden = table.rules[Role.HIDDEN]
    assert hidden.lr.at(ratios(spec)) == pytest.approx(1 / 4)
    assert hidden.weight_decay.at(ratios(first_run("own-parts"))) == 1
    assert hidden.weight_decay.width == 0


def test_the_optimizer_is_its_formula():
    my_optimizers = importlib.import_module("my_optimizers")
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    groups = [{"params": [weight], "lr": 0.1, "weight_decay": 0.5, "role": "hidden"}]
    optimizer = my_optimizers.make(groups, momentum=0.5)
    weight.grad = torch.tensor([3.0, -1.0])
    optimizer.step()
    torch.testing.assert_close(weight.detach(), torch.tensor([0.95 - 0.1, -1.9 + 0.1]))


def test_the_probe_measures_at_every_checkpoint(monkeypatch):
    my_probe = importlib.import_module("my_probe")
    monkeypatch.setitem(probe_cards.PROBES, "weight_norm", my_probe.CARD)
    (run,) = study().runs["own-parts"][:1]
    spec = replace(run.spec, checkpoints=(0, 50))
    kept = train(spec, lookup.table(spec)).checkpoints
    settings = {"probe": "weight_norm", "order": 2, "checkpoints": [0, 50]}
    rows = checkpoint.measure(spec, lookup.table(spec), kept, settings, torch.device("cpu"), LOG)
    assert rows["step"] == [0, 50]
    assert rows["weight_change"][0] == 0 < rows["weight_change"][1]
    total = sum(float(p.square().sum()) for p in kept[50].values())
    assert rows["weight_norm"][1] == pytest.approx(total**0.5, rel=1e-5)


def test_the_measure_decides_a_claim():
    importlib.import_module("my_measure")
    claim = {
        "id": "spread", "sentence": "Seeds agree.", "source": "ours", "kind": "ours",
        "confidence": "high", "bar_from": "ours",
        "measure": "seed_spread", "where": {"grid": "sweep"}, "bar": {"max": 2},
    }  # fmt: skip
    runs = pd.DataFrame({"grid": "sweep", "seed": [0, 1, 2], "final_loss": [1.0, 1.1, 1.2]})
    try:
        verdict = verdicts.check(claim, {"runs": runs})
    finally:
        claims_measure.MEASURES.pop("seed_spread")
    assert verdict.verdict == "holds"
    assert verdict.estimate.value == pytest.approx(runs["final_loss"].std())
    assert verdict.unit == "loss"


def test_the_figure_draws_a_point_for_each_run(monkeypatch):
    my_figure = importlib.import_module("my_figure")
    monkeypatch.setitem(figure_cards.FIGURES, "loss_over_time", my_figure.CARD)
    runs = pd.DataFrame({
        "grid": "sweep", "key": ["a", "b", "c"], "shape.width": [16, 16, 64],
        "seconds": [1.0, 2.0, 3.0], "final_loss": [0.5, 0.4, 0.3],
    })  # fmt: skip
    written = {"id": "time", "kind": "loss_over_time", "title": "Time", "caption": ""}
    figure = draw.draw(Figure.parse(written).plain(), {"runs": runs})
    sizes = [len(points.get_offsets()) for points in figure.axes[0].collections]
    plt.close(figure)
    assert sizes == [2, 1]


def test_the_past_sweeps_give_the_report_that_is_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(EXAMPLES.parent)
    page = (EXAMPLES.parent / "spaces.md").read_text("utf-8")
    command, printed = page.partition("```\n$ hypertransfer ")[2].partition("```")[0].split("\n", 1)
    assert main(command.split()) == 0
    assert capsys.readouterr().out == printed


def test_the_training_loop_of_ones_own_carries_a_rate_over_the_width():
    example = importlib.import_module("own_loop")
    narrow, wide = (example.train(width, depth=2, lr=0.003) for width in (64, 256))
    assert narrow == pytest.approx(wide, abs=0.05)
    assert narrow < 2.1  # of 2.3 at the start
