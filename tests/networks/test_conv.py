"""Convolutional networks against the paper's order of operations."""

import pytest
import torch
from tests.support.networks import drawn, images, spec
from torch.nn import functional as F


def by_hand(network, x):
    """The ConvNet in the paper's order, ReLU before pooling, in plain functions of torch."""
    h = F.conv2d(x, network.input.scaled_weight(), stride=2, padding=1)
    h = F.max_pool2d(F.relu(h), 2)
    h = F.conv2d(h, network.hidden.scaled_weight(), stride=4, padding=1)
    h = F.max_pool2d(F.relu(h), 2)
    return F.linear(h.flatten(1), network.readout.scaled_weight())


@pytest.mark.parametrize("data", ["fashion_mnist", "cifar10"])
def test_pooling_before_relu_is_the_papers_network_with_its_gradients(data):
    run = spec("conv", width=16, data=data, weights="unit")
    network, _ = drawn(run, data)
    x, y = images(data).train_x, torch.arange(4)
    parameters = list(network.parameters())
    outputs = [network(x), by_hand(network, x)]
    torch.testing.assert_close(*outputs)
    gradients = [torch.autograd.grad(F.cross_entropy(o, y), parameters) for o in outputs]
    for a, b in zip(*gradients, strict=True):
        assert b.abs().max() > 0
        torch.testing.assert_close(a, b)
