"""What lies between modules, against factors that are known."""

from __future__ import annotations

import pytest
import torch
from tests.support.foreign import ResNet
from torch import nn

from hypertransfer.checkup.between import Edge, ends, factors


class Layers(nn.Module):
    """Two linear layers with a function between them, and one behind."""

    def __init__(self, between, behind=lambda x: x, width=64):
        super().__init__()
        self.a, self.b = nn.Linear(10, width), nn.Linear(width, 5)
        self.between, self.behind = between, behind

    def forward(self, x):
        return self.behind(self.b(self.between(self.a(x))))


X = torch.randn(8, 10, generator=torch.Generator().manual_seed(0))
AB, OUT = Edge("a", "b", False), Edge("b", "", False)


def found(network, *inputs):
    called = [path for path, _ in network.named_modules()]
    return factors(network, lambda: network(*inputs), ends(network, called))


def test_a_factor_is_found_in_front_of_the_module_and_of_the_output():
    assert found(Layers(lambda x: 3 * x, lambda x: x / 2), X) == pytest.approx({AB: 3, OUT: 0.5})


@pytest.mark.parametrize("part", ["a", "b"])
def test_modules_that_return_zeros_hide_no_factor(part):
    network = Layers(lambda x: 3 * x, lambda x: x / 2)
    for parameter in network.get_submodule(part).parameters():
        nn.init.zeros_(parameter)
    assert found(network, X) == pytest.approx({AB: 3, OUT: 0.5})


def test_what_is_no_factor_counts_by_the_entries_that_it_changes():
    relu = found(Layers(torch.relu, lambda x: x.mean(0, keepdim=True)), X)
    assert relu[AB] == pytest.approx(0.5**0.5, abs=0.1)
    assert relu[OUT] == pytest.approx(len(X) ** -0.5)  # one of eight moves the mean by an eighth


def test_a_sum_over_the_width_is_a_factor_of_its_root():
    network = Layers(lambda x: x.sum(-1, keepdim=True).expand(-1, 64) / 8)
    assert found(network, X)[AB] == pytest.approx(1.0, abs=0.2)


class Stream(nn.Module):
    """A factor on one part of a residual stream, which a norm reads."""

    def __init__(self, factor, normed):
        super().__init__()
        self.a, self.b, self.out = nn.Linear(10, 16), nn.Linear(16, 16), nn.Linear(16, 3)
        self.n = nn.LayerNorm(16) if normed else nn.PReLU(16)
        self.factor = factor

    def forward(self, x):
        x = self.a(x)
        x = x + self.factor * self.b(x)
        return self.out(self.n(x))


@pytest.mark.parametrize("normed", [True, False])
def test_parts_of_a_stream_have_factors_of_their_own(normed):
    wanted = {("a", "b"): 1, ("a", "n"): 1, ("b", "n"): 7, ("n", "out"): 1, ("out", ""): 1}
    edges = found(Stream(7, normed), X)
    assert {(e.before, e.behind): v for e, v in edges.items()} == pytest.approx(wanted)
    assert {e.behind for e in edges if e.to_norm} == ({"n"} if normed else set())


class Nested(nn.Module):
    """A module with a parameter of its own, which holds others."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(16))
        self.up, self.act = nn.Linear(10, 16), nn.Tanh()
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.norm = nn.BatchNorm1d(16)

    def forward(self, x):
        x = (self.up(x) + self.shift).unsqueeze(0)
        x += 2 * self.attention(self.act(x), x, x, need_weights=False)[0]
        return self.norm(x.squeeze(0))


def test_a_module_that_holds_others_is_none_of_those_between_which_factors_are():
    network = nn.ModuleDict({"net": Nested()})["net"]
    called = ["", "up", "act", "norm", "attention"]  # its projection inside is not called
    assert ends(network, called) == ["up", "attention", "norm"]


def test_operations_in_place_change_no_leaf():
    images = torch.randn(2, 3, 8, 8)
    edges = found(ResNet(8, 1).train(), images)
    assert edges[Edge("layer1.0.bn2", "layer2.0.conv1", False)] == pytest.approx(0.7, abs=0.15)


def test_a_pass_leaves_values_buffers_and_hooks_as_they_were():
    network = nn.Sequential(Nested(), nn.Linear(16, 2)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    called = ["0.up", "0.attention", "0.norm", "1"]
    edges = factors(network, lambda: network(X), called)
    assert edges[Edge("0.attention", "0.norm", True)] == pytest.approx(2)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], v) for name, v in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def test_whole_numbers_and_constants_have_no_factor():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.out = nn.Embedding(5, 8), nn.Linear(8, 5)

        def forward(self, x):
            return self.out(self.emb(x).detach())

    edges = found(Tokens(), torch.arange(4))
    assert edges == {Edge("out", "", False): 1.0}
