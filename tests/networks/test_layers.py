"""Layers: multipliers, fans, and residual branches."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hypertransfer.networks.layers import Branch, Conv2d, Linear
from hypertransfer.parameterisation.algebra import Role


@pytest.mark.parametrize(
    ("layer", "reference", "x"),
    [
        (Linear(6, 4, role=Role.HIDDEN, bias=True), F.linear, torch.randn(5, 6)),
        (
            Conv2d(3, 4, role=Role.HIDDEN, bias=True),
            lambda *args: F.conv2d(*args, padding=1),
            torch.randn(5, 3, 7, 7),
        ),
    ],
    ids=["linear", "conv"],
)
def test_the_multiplier_scales_the_product_and_not_the_bias(layer, reference, x):
    nn.init.normal_(layer.bias)
    shape = (-1,) + (1,) * (x.ndim - 2)
    product = reference(x, layer.weight, None)
    assert torch.equal(layer(x), reference(x, layer.weight, layer.bias))
    layer.multiplier = 0.3
    expected = 0.3 * product + layer.bias.view(shape)
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_fans_of_a_convolution_count_the_kernel():
    layer = Conv2d(3, 8, role=Role.INPUT, kernel=5)
    assert (layer.fan_in, layer.fan_out) == (75, 200)
    assert (Linear(3, 8, role=Role.INPUT).fan_in, Linear(3, 8, role=Role.INPUT).fan_out) == (3, 8)


def test_a_branch_is_skip_plus_strength_times_multiplier_times_layers():
    layer, x = Linear(4, 4, role=Role.HIDDEN), torch.randn(3, 4)
    branch = Branch(layer, strength=2.0)
    branch.multiplier = 0.25
    torch.testing.assert_close(branch(x), x + 0.5 * layer(x))
    branch.skip = False
    torch.testing.assert_close(branch(x), 0.5 * layer(x))
