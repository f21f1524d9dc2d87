"""The gradient noise scale: unbiased parts, and the exact value from single samples' gradients."""

from __future__ import annotations

import pytest
import torch
from tests.support.probes import probed, spec

from hypertransfer.catalogue import lookup
from hypertransfer.probes.landscape.gradient_noise import noise_scale
from hypertransfer.training import build, data_sets, imports, loop


def test_the_noise_scale_of_a_run_against_gradients_of_single_samples():
    run = spec()
    rows = probed(run, "gradient_noise", samples=200, batches=20)
    kept = loop.train(run, lookup.table(run)).checkpoints[0]
    data = data_sets.samples(run)
    network, _ = build.drawn_model(run, data, imports.table(run))
    names = [name for name, _ in network.named_parameters()]

    def loss(weights, x, y):
        output = torch.func.functional_call(network.eval(), weights, (x[None],))
        return torch.nn.functional.cross_entropy(output, y[None])

    weights = {name: kept[name] for name in names}
    single = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))
    parts = single(weights, data.train_x, data.train_y)
    gradients = torch.cat([parts[name].flatten(1) for name in names], dim=1).double()
    mean = gradients.mean(dim=0)
    covariance = float((gradients - mean).square().sum()) / (len(gradients) - 1)
    exact = covariance / (float(mean.square().sum()) - covariance / len(gradients))
    assert rows["noise_scale"][0] == pytest.approx(exact, rel=4 * rows["error"][0])
    assert 0 < rows["error"][0] < 0.4
    assert rows["noise_to_signal"] == pytest.approx([v / 50 for v in rows["noise_scale"]])


def test_the_parts_of_the_noise_scale_have_no_bias():
    """Gradients with trΣ = 3·40 and |G|² = 4·40: the means over many draws give the ratio."""
    generator = torch.Generator().manual_seed(0)
    size, number, dimension = 5, 4, 40
    noise = torch.randn(4000, number, dimension, generator=generator, dtype=torch.float64)
    found = [noise_scale(2 + (3 / size) ** 0.5 * one, size) for one in noise]
    assert sum(found) / len(found) == pytest.approx(3 / 4, rel=0.02)


def test_no_scale_is_given_where_noise_hides_the_gradient():
    gradients = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.1]], dtype=torch.float64)
    assert noise_scale(gradients, 2) is None
