"""What is measured of modules, against closed forms and torch's own values."""

from __future__ import annotations

import pytest
import torch
from tests.support.foreign import CLASSES, FEATURES, IMAGES, TOKENS, ResNet, Transformer
from torch import nn
from torch.nn import functional as F

from hypertransfer.checkup.quantities import Measured, Setup, measure
from hypertransfer.checkup.recording import measuring, record, root_mean_square


def loss(network, batch):
    x, y = batch
    return F.cross_entropy(network(x).flatten(0, -2), y.flatten())


def rms(values):
    return float(values.double().square().mean().sqrt())


@pytest.fixture
def perceptron():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, CLASSES))


FEATURE_BATCH = torch.randn(4, 10, generator=torch.Generator().manual_seed(1)), torch.arange(4)


def test_gain_change_and_update_are_those_of_the_definitions(perceptron):
    x, _ = FEATURE_BATCH
    first, last = perceptron[0], perceptron[2]
    weights = [p.detach().clone() for p in perceptron.parameters()]
    hidden = F.relu(F.linear(x, *weights[:2]))
    before = F.linear(hidden, *weights[2:])
    setup = Setup(perceptron, torch.optim.AdamW(perceptron.parameters(), lr=0.01))
    found = measure(setup, loss, [FEATURE_BATCH], {1})
    assert found[Measured("2", "gain", 0)] == pytest.approx(rms(before) / rms(hidden))
    own = F.linear(hidden, last.weight, weights[3]) - before
    assert found[Measured("2", "update", 1)] == pytest.approx(rms(own) / rms(hidden), rel=1e-5)
    changed = perceptron(x) - before
    assert found[Measured("2", "change", 1)] == pytest.approx(rms(changed), rel=1e-5)
    assert found[Measured("2", "change", 1)] != pytest.approx(rms(own), rel=1e-2)
    below = F.linear(x, first.weight - weights[0])
    biases = last.bias - weights[3]
    assert found[Measured("2", "bias update", 1)] == pytest.approx(rms(biases), rel=1e-5)
    assert found[Measured("0", "update", 1)] == pytest.approx(rms(below) / rms(x), rel=1e-4)


def test_the_update_of_a_module_with_children_is_by_its_own_parameters():
    torch.manual_seed(0)
    network = Transformer(16, 1)
    setup = Setup(network, torch.optim.SGD(network.parameters(), lr=0.0))
    batch = torch.randint(0, 50, (2, 8)), torch.randint(0, 50, (2, 8))
    start = {n: p.detach().clone() for n, p in network.named_parameters()}
    x = network.eval()(batch[0]).detach()
    moved = dict(start)

    class Step(torch.optim.SGD):
        def step(self):
            with torch.no_grad():
                network.position.add_(0.5)
                network.head.weight.add_(0.5)

    found = measure(Setup(network, Step(network.parameters(), lr=1.0)), loss, [batch], {1})
    moved["position"] = start["position"] + 0.5
    output = torch.func.functional_call(network.eval(), moved, (batch[0],))
    assert found[Measured("", "update", 1)] == pytest.approx(rms(output - x), rel=1e-4)
    assert setup.network is network


@pytest.mark.parametrize("lr_and_decay", [(0.1, 0.2), (0.3, 0.0)])
def test_decay_is_the_share_of_the_weights_that_a_step_takes(perceptron, lr_and_decay):
    lr, decay = lr_and_decay
    optimizer = torch.optim.AdamW(perceptron.parameters(), lr=lr, weight_decay=decay)
    found = measure(Setup(perceptron, optimizer), loss, [FEATURE_BATCH], {1})
    values = [value for name, value in found.items() if name.quantity == "decay"]
    assert values == pytest.approx([lr * decay] * 2 if decay else [])


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.SGD])
def test_a_decay_that_is_added_to_the_gradient_has_no_share(perceptron, kind):
    optimizer = kind(perceptron.parameters(), lr=0.1, weight_decay=0.1)
    found = measure(Setup(perceptron, optimizer), loss, [FEATURE_BATCH], {1})
    assert not [name for name in found if name.quantity == "decay"]


def test_logits_of_attention_are_the_scaled_products_of_queries_and_keys():
    torch.manual_seed(0)
    network = Transformer(16, 1)
    attention = network.blocks[0].attn
    found = record(network, lambda: network(TOKENS))
    x = found.calls["blocks.0.attn"].args[0]
    q, k, _ = attention.qkv(x).view(2, 8, 3, 2, 8).permute(2, 0, 3, 1, 4)
    wanted = q @ k.transpose(-1, -2) / 8**0.5
    assert torch.allclose(found.logits["blocks.0.attn"], wanted, atol=1e-6)


def test_logits_of_a_softmax_are_recorded_without_what_is_masked():
    class Eager(nn.Module):
        def forward(self, x):
            scores = x @ x.transpose(-1, -2)
            mask = torch.full(scores.shape[-2:], -torch.inf).triu(1)
            return torch.softmax(scores + mask, -1) @ x

    network, x = Eager(), torch.randn(2, 3, 4)
    found = record(network, lambda: network(x))
    scores = (x @ x.transpose(-1, -2)).double()
    kept = scores[:, torch.ones(3, 3).tril().bool()]
    assert root_mean_square(found.logits[""], masked=True) == pytest.approx(
        float(kept.square().mean().sqrt())
    )


def test_a_pass_leaves_modes_buffers_and_hooks_as_they_were():
    network = ResNet(8, 1).train()
    network.bn1.eval()
    modes = [module.training for module in network.modules()]
    buffers = {n: b.clone() for n, b in network.named_buffers()}
    record(network, lambda: network(IMAGES + 1))
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(b, buffers[n]) for n, b in network.named_buffers())
    assert not any(module._forward_hooks for module in network.modules())


def test_dropout_is_off_and_batch_norm_normalises_by_the_batch():
    network = nn.Sequential(nn.Linear(10, 10), nn.BatchNorm1d(10), nn.Dropout(0.9)).train()
    with torch.no_grad(), measuring(network):
        output = network(FEATURES + torch.randn(2, 10))
    assert torch.allclose(output.mean(0), torch.zeros(10), atol=1e-5)
    assert output.abs().min() > 0


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_a_bias_in_front_of_a_norm_has_no_update(decay):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(10, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, CLASSES))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, weight_decay=decay)
    found = measure(Setup(network, optimizer), loss, [FEATURE_BATCH], {1})
    assert {name.module for name in found if name.quantity == "bias update"} == {"3"}
    assert {name.module for name in found if name.quantity == "update"} == {"0", "1", "3"}
