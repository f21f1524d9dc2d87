"""Fully connected networks written out by hand."""

import pytest
import torch
from tests.support.networks import drawn, images, spec
from tests.support.parts import network as network_of
from torch.nn import functional as F

from hypertransfer.networks.layers import Branch


@pytest.mark.parametrize("layers", [1, 2])
def test_depth_counts_blocks(layers):
    sizes = {"width": 4, "classes": 10, "layers_per_block": layers}
    conv = network_of("residual_conv", depth=6, input_shape=(3, 32, 32), **sizes)
    mlp = network_of("residual_mlp", depth=6, input_shape=(64,), **sizes)
    for network in (conv, mlp):
        branches = [m for m in network.modules() if isinstance(m, Branch)]
        assert len(branches) == 6
        assert all(sum(p.ndim > 1 for p in b.parameters()) == layers for b in branches)


def test_without_skips_the_residual_mlp_is_a_plain_one():
    options = {"skip": False, "bias": True}
    network, _ = drawn(spec("residual_mlp", depth=2, options=options))
    x = images("fashion_mnist").train_x
    h = network.input(x.flatten(1))
    for block in network.blocks:
        h = block.layers[1](F.relu(h))
    torch.testing.assert_close(network(x), network.readout(F.relu(h)))
