"""Floating-point operations by formula against torch's count."""

from dataclasses import replace

import pytest
from tests.support.networks import every_pair, images, spec
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from hypertransfer.catalogue import dataset_options
from hypertransfer.planning import cost, flops
from hypertransfer.runs.spec import Component
from hypertransfer.training import build


def shape_of(name):
    return dataset_options.shape(name, {})


@every_pair
@pytest.mark.parametrize("width", [4, 32])
def test_forward_flops_are_those_torch_counts(model, data, width):
    depths = {"conv": (1,), "linear": (1,), "residual_conv": (3, 6), "vit": (2, 4)}
    for depth in depths.get(model, (1, 4)):
        run = spec(model, width=width, data=data, depth=depth)
        network, x = build.model(run, *shape_of(data)), images(data).train_x
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            network(x)  # torch counts the attention of this kernel only
        assert flops.forward_flops(run) * len(x) == pytest.approx(
            counter.get_total_flops(), rel=0.05
        )


def test_training_costs_three_forward_passes():
    run = spec("residual_mlp", width=64, batch_size=32, steps=10)
    rates = cost.Rates()
    seconds = cost.train_seconds(run, rates) / 10 - rates.seconds_per_step
    per_step = seconds * rates.operations_per_second
    assert per_step == pytest.approx(3 * 32 * flops.forward_flops(run))
    network, data = build.model(run, *shape_of("fashion_mnist")), images("fashion_mnist")
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(network(data.train_x), data.train_y).backward()
    # the first layer needs no gradient by its input, so torch counts somewhat less
    first = 2 * len(data.train_x) * 28 * 28 * 64
    counted = counter.get_total_flops() + first
    assert counted == pytest.approx(3 * flops.forward_flops(run) * len(data.train_x), rel=0.05)


def test_sizes_are_sums_over_the_layers_of_the_own_network():
    changes = ({}, {"width": 16}, {"depth": 3}, {"options": {"layers_per_block": 1}}, {"lr": 3.0})
    runs = [spec("residual_mlp", **one) for one in changes]
    sizes = list(map(flops.sizes, runs))
    for run, found in zip(runs, sizes, strict=True):
        layers = flops.layers(run)
        assert found.weights == found.factors == sum(layer.weights for layer in layers)
        assert found.outputs == sum(layer.outputs for layer in layers)
    assert len(set(sizes)) == len(runs) - 1
    assert sizes[0] == sizes[-1]


def test_products_of_attention_are_no_weights():
    run = spec("vit")
    products = sum(layer.weights for layer in flops.layers(run) if layer.is_product)
    assert flops.sizes(run).factors - flops.sizes(run).weights == products > 0


def test_a_network_of_the_user_on_texts_is_about_as_large_as_a_decoder():
    """Which a budget relies on: GPT-2 of the same shape, with its attention and its readout."""
    own = spec("gpt", width=64, depth=4, data="state_of_the_union", options={})
    guess = replace(own, model=Component("guests:build"))
    ratio = flops.train_flops(guess) / flops.train_flops(own)
    assert 0.5 < ratio < 2


def test_a_network_of_the_user_on_other_data_is_one_of_layers_for_each_sample():
    run = replace(spec("residual_mlp", width=64, depth=4), model=Component("guests:build"))
    assert flops.forward_flops(run) == 2 * 4 * 12 * 64**2
