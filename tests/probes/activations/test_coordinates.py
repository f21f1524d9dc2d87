"""Coordinates of the last residual stream and the logits."""

from __future__ import annotations

import pytest
import torch
from tests.support.probes import probed, spec

from hypertransfer.catalogue import lookup
from hypertransfer.probes.checkpoint import load_weights
from hypertransfer.training import build, data_sets
from hypertransfer.training.loop import train


def test_coordinates_are_means_of_the_last_stream_and_its_change():
    run = spec(lr=0.1)
    found = probed(run, "coordinates", samples=60)
    assert found["stream_change"][0] == found["logit_change"][0] == 0.0
    kept, data = train(run, lookup.table(run)).checkpoints, data_sets.samples(run)
    network, _ = build.drawn_model(run, data, lookup.table(run))
    x, streams, outputs = data.train_x[:60], [], []
    for step in run.checkpoints:
        load_weights(network, kept[step])
        with torch.no_grad():
            h = network.blocks(network.input(x.flatten(1))).relu()
            streams.append(h)
            outputs.append(network.readout(h))
    for index in range(3):
        assert found["stream"][index] == pytest.approx(float(streams[index].abs().mean()), rel=1e-5)
        moved = float((streams[index] - streams[0]).abs().mean())
        assert found["stream_change"][index] == pytest.approx(moved, rel=1e-4)
        moved = float((outputs[index] - outputs[0]).abs().mean())
        assert found["logit_change"][index] == pytest.approx(moved, rel=1e-4)
    assert found["stream_change"][2] > 1e-3
