"""Blocks against their linearisation around the initial weights."""

from __future__ import annotations

import pytest
import torch
from tests.support.probes import spec

from hypertransfer.catalogue import lookup
from hypertransfer.probes.activations.linearisation import Probe as Linearisation
from hypertransfer.probes.checkpoint import View
from hypertransfer.training import build, data_sets, losses


def two_layers(scale):
    """A view of a residual MLP with two layers in its only block, moved by `scale` times a draw."""
    run = spec(
        model={"name": "residual_mlp", "layers_per_block": 2},
        weights="fan_in",
        base={"width": 6, "depth": 1},
        shape={"width": 6, "depth": 1},
    )
    data = data_sets.samples(run)
    network, _ = build.drawn_model(run, data, lookup.table(run))
    network.double()
    start = {name: p.detach().clone() for name, p in network.named_parameters()}
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in network.parameters():
            p += scale * torch.randn(p.shape, generator=generator)
    x = data.train_x[:20].double()
    return View(network, losses.LOSSES[run.loss], x, data.train_y[:20], x, data.train_y[:20],
                run.lr, {}, 50, 8, start, {})  # fmt: skip


def linearised(scale):
    return Linearisation({}, seed=0).at(two_layers(scale))


def test_a_block_beyond_its_expansion_is_as_written_out_for_two_layers():
    """W₂ relu(W₁ relu(h)): with D the mask of the inner layer, exact − value − linear."""
    view = two_layers(1e-3)
    (block,) = view.network.blocks
    names = ("blocks.0.layers.1.weight", "blocks.0.layers.3.weight")
    first, second = (view.initial[name] for name in names)
    moved = [dict(view.network.named_parameters())[n].detach() - view.initial[n] for n in names]
    g = view.network.input(view.x.flatten(1)).relu().detach()
    inner = g @ first.T
    mask = (inner > 0).double()
    tangent = (inner * mask) @ moved[1].T + ((g @ moved[0].T) * mask) @ second.T
    after = (g @ (first + moved[0]).T).relu() @ (second + moved[1]).T
    beyond = after - (inner * mask) @ second.T - tangent
    found = linearised(1e-3)["block_nonlinearity"]
    assert found == pytest.approx(float(beyond.abs().mean() / tangent.abs().mean()), rel=1e-9)
    assert block.forward.__func__ is type(block).forward  # the network is as it was


def test_what_is_beyond_linear_falls_with_the_step_and_is_nothing_without_one():
    far, near = (linearised(scale) for scale in (1e-3, 1e-4))
    assert near["block_nonlinearity"] == pytest.approx(far["block_nonlinearity"] / 10, rel=0.2)
    assert near["linearisation_distance"] < far["linearisation_distance"] / 50
    none = linearised(0.0)
    assert none["block_nonlinearity"] is None
    assert none["linearisation_distance"] == 0.0
