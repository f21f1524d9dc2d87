"""Coordinate checks: how far each layer moves in the first updates, against width and depth.

The slope is that of log₂ RMS change against log₂ size. µP holds every layer's change at O(1),
which is the property its tables are derived from; the twins show that the rig sees failure.
"""

import math
import statistics

import pytest
import torch
from tests.support.parts import network as network_of
from tests.support.parts import optimizer as optimizer_of
from torch.nn import functional as F

from hypertransfer.networks import resolve
from hypertransfer.networks.conv import ConvNet
from hypertransfer.networks.layers import Branch, Conv2d, Linear
from hypertransfer.networks.resolve import Base
from hypertransfer.parameterisation.algebra import Ratios
from hypertransfer.parameterisation.tables import PARAMETERISATIONS, SCALE_FREE, SGD

WIDTHS, CONV_WIDTHS, DEPTHS = (64, 128, 256, 512, 1024), (32, 64, 128, 256), (2, 4, 8, 16, 32)
BASE_WIDTH, BASE_DEPTH = 8, 2  # far below, so that the output at the start, ∝ 1/√m_N, is small
STEPS, SEEDS, CLASSES = 5, range(3), 10
FLAT, GROWS, VANISHES = 0.2, 0.4, -0.3


def mlp(width, depth, strength=0.7):
    return network_of(
        "residual_mlp",
        width=width,
        depth=depth,
        input_shape=(64,),
        classes=CLASSES,
        bias=True,
        strength=strength,
    )


def conv(width, depth):
    return network_of("conv", width=width, depth=depth, input_shape=(1, 20, 20), classes=CLASSES)


def batch(network, seed):
    """64 samples around one pattern for each class, so that there is something to learn."""
    shape = (1, 20, 20) if isinstance(network, ConvNet) else (64,)
    generator = torch.Generator().manual_seed(seed)
    patterns, noise = (torch.randn(n, *shape, generator=generator) for n in (CLASSES, 64))
    y = torch.arange(64) % CLASSES
    return patterns[y] + 0.5 * noise, y


def changes(network, table, ratios, lr, seed):
    """RMS change of each layer's output, by its name, after a few updates on one batch."""
    rows = resolve.resolve(network, table, ratios, Base(lr, eps=1e-8))
    resolve.apply(network, rows, table, ratios, seed)
    name = "sgd" if table.gradient_power == SGD else "adamw"
    optimizer = optimizer_of(name, resolve.groups(network, rows))
    x, y = batch(network, seed)
    before = outputs(network, x)
    for _ in range(STEPS):
        loss = F.cross_entropy(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = outputs(network, x)
    return {name: (after[name] - before[name]).square().mean().sqrt().item() for name in before}


@torch.no_grad()
def outputs(network, x):
    """Pre-activations of each layer, and the residual stream in front of the readout."""
    seen = {}

    def see(name):
        return lambda module, inputs, output: seen.update({name: output.clone()})

    kinds = (Linear, Conv2d, Branch)
    layers = [(name, m) for name, m in network.named_modules() if isinstance(m, kinds)]
    hooks = [m.register_forward_hook(see(name)) for name, m in layers]
    network(x)
    for hook in hooks:
        hook.remove()
    return seen


def slope(sizes, values):
    """Least-squares slope of log₂ value against log₂ size."""
    assert all(map(math.isfinite, values)), "a network diverged, so the rig measures nothing"
    x, y = ([math.log2(number) for number in numbers] for numbers in (sizes, values))
    return statistics.linear_regression(x, y).slope


def width_slopes(make, widths, name, power, lr):
    """Slope over width of each layer's change, averaged over seeds."""
    table = PARAMETERISATIONS[name][power]

    def at(width):
        ratios = Ratios(width=width / BASE_WIDTH)
        runs = [changes(make(width, 2), table, ratios, lr, seed) for seed in SEEDS]
        return {layer: statistics.geometric_mean(r[layer] for r in runs) for layer in runs[0]}

    moved = [at(width) for width in widths]
    return {layer: slope(widths, [m[layer] for m in moved]) for layer in moved[0]}


def mlp_slopes(name, power, lr):
    return width_slopes(mlp, WIDTHS, name, power, lr)


def conv_slopes(name, power, lr):
    return width_slopes(conv, CONV_WIDTHS, name, power, lr)


# Width -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("power", "lr"), [(SGD, 0.03), (SGD, 0.3), (SCALE_FREE, 0.001), (SCALE_FREE, 0.01)]
)
@pytest.mark.parametrize("name", ["mup", "depth_mup"])
def test_mup_moves_every_layer_alike_at_every_width(name, power, lr):
    slopes = mlp_slopes(name, power, lr)
    assert {"input", "blocks.0.layers.1", "blocks.1.layers.1", "blocks.1", "readout"} <= set(slopes)
    assert {layer: s for layer, s in slopes.items() if abs(s) >= FLAT} == {}


@pytest.mark.parametrize(("power", "lr"), [(SGD, 0.003), (SCALE_FREE, 0.001)])
def test_sp_blows_up_with_width(power, lr):
    slopes = mlp_slopes("sp", power, lr)
    assert slopes["readout"] > GROWS
    if power == SCALE_FREE:  # under SGD hidden features move at O(1) while the output explodes
        assert slopes["blocks.1"] > GROWS


@pytest.mark.parametrize("lr", [0.03, 0.1])
def test_ntp_features_stop_moving_while_the_output_learns(lr):
    slopes = mlp_slopes("ntp", SGD, lr)
    features = {layer: s for layer, s in slopes.items() if layer != "readout"}
    assert {layer: s for layer, s in features.items() if s >= VANISHES} == {}
    assert abs(slopes["readout"]) < FLAT


# Learning rates at which the loss falls in a few steps: below them the readout mostly unlearns its
# output at the start, which max-pooling makes common to all samples and which is ∝ 1/√m_N.
@pytest.mark.parametrize(("power", "lr"), [(SGD, 0.3), (SCALE_FREE, 0.03)])
def test_mup_moves_every_convolution_alike_at_every_width(power, lr):
    slopes = conv_slopes("mup", power, lr)
    assert set(slopes) == {"input", "hidden", "readout"}
    assert {layer: s for layer, s in slopes.items() if abs(s) >= FLAT} == {}


def test_convolutions_of_sp_and_ntp_do_not():
    assert max(conv_slopes("sp", SCALE_FREE, 0.001).values()) > GROWS
    ntp = conv_slopes("ntp", SGD, 0.1)
    assert max(ntp["input"], ntp["hidden"]) < VANISHES


# Depth -------------------------------------------------------------------------------------


def depth_slope(name, power, lr):
    """Slope over depth of the change in front of the readout."""
    table = PARAMETERISATIONS[name][power]

    def at(depth):
        ratios = Ratios(width=4, depth=depth / BASE_DEPTH)
        nets = ((mlp(4 * BASE_WIDTH, depth, strength=0.3), seed) for seed in SEEDS)
        runs = (changes(net, table, ratios, lr, seed) for net, seed in nets)
        return statistics.geometric_mean(run[f"blocks.{depth - 1}"] for run in runs)

    return slope(DEPTHS, [at(depth) for depth in DEPTHS])


every_optimizer = pytest.mark.parametrize(("power", "lr"), [(SGD, 0.05), (SCALE_FREE, 0.003)])


@every_optimizer
def test_depth_mup_moves_the_features_alike_at_every_depth(power, lr):
    assert abs(depth_slope("depth_mup", power, lr)) < FLAT


@every_optimizer
def test_mup_alone_moves_them_ever_further_with_depth(power, lr):
    assert depth_slope("mup", power, lr) > GROWS
