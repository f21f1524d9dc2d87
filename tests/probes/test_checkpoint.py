"""Probes of checkpoints: the columns that each fills, and the view of a network."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from tests.support.probes import probed, spec

from hypertransfer.catalogue import lookup
from hypertransfer.catalogue.cards import probes
from hypertransfer.probes.checkpoint import View
from hypertransfer.training import build, losses

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
    data = build.data(run)
    network, _ = build.drawn_model(run, data, lookup.table(run))
    start = {name: p.detach().clone() for name, p in network.named_parameters()}
    view = View(network, losses.LOSSES[run.loss], data.train_x, data.train_y, data.train_x,
                data.train_y, run.lr, {}, 50, 0, start, {})  # fmt: skip
    with torch.no_grad():
        network.readout.weight.zero_()
    with view.at_start():
        assert torch.equal(network.readout.weight, start["readout.weight"])
    assert not network.readout.weight.any()
