"""Probes of checkpoints: the columns that each fills, and the view of a network."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from tests.support.probes import CPU, probed, spec

from hypertransfer.catalogue import lookup
from hypertransfer.catalogue.cards import probes
from hypertransfer.probes.checkpoint import View, initial_view
from hypertransfer.studies import grid_checks
from hypertransfer.studies.grid import Grid, Probe
from hypertransfer.training import build, data_sets, losses

ADAM = spec(optimizer="adam", lr=0.01)


SMALL = {
    name: {"samples": 60} if "samples" in card.settings else {}
    for name, card in probes.PROBES.items()
    if not list(card.needs(ADAM))
}


@pytest.mark.parametrize("probe", SMALL)
@pytest.mark.parametrize("trained", ["all", "readout"])
def test_every_probe_fills_its_columns(probe, trained):
    run = dataclasses.replace(ADAM, trained=trained)
    rows = probed(run, probe, **SMALL[probe])
    card = probes.PROBES[probe]
    assert rows["step"] == [0, 4, 8]
    assert set(rows) == {"step", "seconds", *card.columns, *probes.PROBED}
    for name, kind in card.columns.items():
        last = rows[name][-1]
        assert last is None or isinstance(last, {"number": float, "list": list}[kind]), name
    assert all(rows["converged"])


def test_a_view_puts_the_network_back():
    run = spec()
    data = data_sets.samples(run)
    network, _ = build.drawn_model(run, data, lookup.table(run))
    start = {name: p.detach().clone() for name, p in network.named_parameters()}
    view = View(network, losses.LOSSES[run.loss], data.train_x, data.train_y, data.train_x,
                data.train_y, run.lr, {}, 50, 0, start, {})  # fmt: skip
    with torch.no_grad():
        network.readout.weight.zero_()
    with view.at_start():
        assert torch.equal(network.readout.weight, start["readout.weight"])
    assert not network.readout.weight.any()


TEXT = {
    "model": {"name": "gpt", "head_size": 4, "mlp_ratio": 1},
    "data": {"name": "state_of_the_union", "train": 64, "test": 8, "context": 8},
    "shape": {"width": 8, "depth": 1},
    "base": {"width": 8, "depth": 1},
    "batch_size": 8,
    "weights": "fan_in",
}


@pytest.mark.parametrize(
    ("probe", "samples", "fault"),
    [
        ("hessian", 64, ""),
        ("hessian", 65, "state_of_the_union has 64 training samples, and the probe asks for 65"),
        ("downstream", 512, ""),  # windows of other text
    ],
)
def test_a_probe_has_as_many_training_samples_as_it_asks_for(probe, samples, fault):
    """Planning refuses a probe if the job does, and no other."""
    run = spec(**TEXT)
    settings = {"probe": probe, "samples": samples}
    if fault:
        with pytest.raises(ValueError, match=f"^{fault}: lower samples$"):
            initial_view(run, lookup.table(run), settings, CPU)
    else:
        initial_view(run, lookup.table(run), settings, CPU)
    base = {name: value for name, value in run.plain().items() if name != "checkpoints"}
    probes_of_grid = {"p": Probe(probe, [0], {}, {"samples": samples})}
    section = Grid(base, {"seed": [0]}, probes=probes_of_grid)
    _, problems = grid_checks.expand("g", section)
    expected = "at most 64, the number of training samples of state_of_the_union"
    assert [p.expected for p in problems] == ([expected] if fault else [])
