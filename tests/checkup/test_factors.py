"""Which factors between modules matter, and at which module they are."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from tests.support import foreign
from torch import nn
from torch.nn import functional as F

from hypertransfer.checkup.between import ends, factors
from hypertransfer.checkup.check import over_width
from hypertransfer.checkup.factors import expected_factor
from hypertransfer.checkup.judging import FAIL, PASS, Expected, suspects
from hypertransfer.checkup.quantities import Measured
from hypertransfer.parameterisation.algebra import Role


def values(powers):
    """Factors with these powers, by the modules before and behind; a behind with `!` is a norm."""
    return {
        Measured(before, "factor to norm" if "!" in behind else "factor", 0, behind.strip("!")): {
            size: [size**power] * 3 for size in (16, 32, 64, 128)
        }
        for (before, behind), power in powers.items()
    }


def named(powers, roles=None):
    found = over_width(values(powers), roles or {})
    return [(one.module, one.between) for one, _ in suspects(found)]


def test_a_factor_is_one_of_the_module_in_front():
    assert named({("a", "b"): 0.5, ("b", ""): 0}) == [("a", ("a", "b"))]
    assert named({("a", "b"): 0.5, ("a", "c"): 0.5, ("b", "c"): 0}) == [("a", ("a", "b"))]


def test_a_factor_is_one_of_the_module_behind_if_others_of_that_in_front_are_right():
    found = named({("a", "c"): 0, ("a", "b"): 0.5, ("c", "b"): 0.5, ("c", "d"): 0})
    assert [module for module, _ in found] == ["b"]


def test_a_norm_undoes_a_factor_on_its_whole_input():
    assert named({("a", "n!"): 0.5, ("n", "b"): 0}) == []
    assert named({("a", "n!"): 0.5, ("b", "n!"): 0.5}) == []
    assert named({("a", "n!"): 0.5, ("b", "n!"): 0}) == [("a", ("a", "n"))]
    assert named({("a", "n!"): 0.5, ("b", "n!"): -0.5}) != []
    first_of_two = {("a", "n!"): 0.5, ("a", "m!"): 0.5, ("b", "m!"): 0}
    assert named(first_of_two) == [("a", ("a", "m"))]


@pytest.mark.parametrize("power", [-1, -0.5, 0.5])
def test_what_follows_from_a_readout_or_a_router_is_not_judged(power):
    edges = {("r", "b"): power, ("r", ""): 0}
    assert named(edges, {"r": Role.ROUTER}) == []
    assert named({("r", ""): power}, {"r": Role.OUTPUT}) == [("r", ("r", ""))]


def test_attention_may_depend_less_on_queries_of_larger_heads():
    assert expected_factor(Role.HIDDEN, "o", attends=True) == Expected(0.0, low=False)
    attention = {Measured("attn 2", "logits", 0): {16: [1.0], 32: [1.0]}}
    roles = {"attn.q": Role.HIDDEN}
    found = over_width(values({("attn.q", "attn.o"): -0.5, ("a", "b"): -0.5}) | attention, roles)
    assert [one.module for one in found if one.status == FAIL] == ["a"]


def test_words_say_where_the_factor_is():
    ((_, text),) = suspects(over_width(values({("fc", ""): 0.5}), {}))
    assert text.startswith("fc: what lies between its output and the output of the network multi")
    ((_, text),) = suspects(over_width(values({("a", "c"): 0, ("a", "b"): -0.5}), {}))
    assert text.startswith("b: what lies between the output of a and its input multiplies by less")
    assert text.endswith("shrinks with the size (power -0.50 of the size instead of 0)")


class Experts(nn.Module):
    """A mixture of the two likeliest of four experts, gated, whose branch begins at zero."""

    def __init__(self, width):
        super().__init__()
        self.token, self.norm = nn.Embedding(50, width), nn.LayerNorm(width)
        self.router = nn.Linear(width, 4)
        self.gate = nn.ModuleList(nn.Linear(width, width) for _ in range(4))
        self.up = nn.ModuleList(nn.Linear(width, width) for _ in range(4))
        self.down, self.out = nn.Linear(width, width), nn.Linear(width, 50)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.out.weight)

    def forward(self, tokens):
        x = self.token(tokens)
        y = self.norm(x)
        shares, chosen = torch.softmax(self.router(y), -1).topk(2)
        parts = torch.stack([F.silu(g(y)) * u(y) for g, u in zip(self.gate, self.up, strict=True)])
        mixed = sum(
            shares[..., k, None]
            * (F.one_hot(chosen[..., k], 4).movedim(-1, 0)[..., None] * parts).sum(0)
            for k in (0, 1)
        )
        return self.out(x + self.down(mixed))


class Heads(nn.Module):
    """Separate queries, keys and values of two heads, which grow, and logits over their size."""

    def __init__(self, width):
        super().__init__()
        self.token, self.norm = nn.Embedding(50, width), nn.LayerNorm(width)
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.o, self.out = nn.Linear(width, width), nn.Linear(width, 50)

    def forward(self, tokens):
        x = self.token(tokens)
        y = self.norm(x)
        q, k, v = (m(y).unflatten(-1, (2, -1)).transpose(1, 2) for m in (self.q, self.k, self.v))
        z = F.scaled_dot_product_attention(q, k, v, scale=2 / q.shape[-1])
        return self.out(x + self.o(z.transpose(1, 2).flatten(2)))


TOKENS = torch.randint(50, (4, 8), generator=torch.Generator().manual_seed(0))
NETWORKS = {
    "experts": (Experts, TOKENS),
    "growing heads": (Heads, TOKENS),
    "transformer": (lambda width: foreign.Transformer(width, 2), TOKENS),
    "tied": (lambda width: foreign.Transformer(width, 2, tied=True), TOKENS),
    "batch norm": (lambda width: foreign.ResNet(width, 2), torch.randn(4, 3, 8, 8)),
    "flattened": (
        lambda width: nn.Sequential(
            nn.Conv2d(3, width, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(9 * width, 5),
        ),
        torch.randn(4, 3, 8, 8),
    ),
    "deep": (lambda width: foreign.perceptron(width, 8), torch.randn(8, 10)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_sound_networks_have_no_factor(name):
    make, x = NETWORKS[name]
    found: dict[Measured, dict[int, list[float]]] = {}
    for width in (16, 32, 64, 128):
        for seed in range(2):
            torch.manual_seed(seed)
            network = make(width)
            called = [path for path, _ in network.named_modules()]
            for edge, value in factors(network, partial(network, x), ends(network, called)).items():
                quantity = "factor to norm" if edge.to_norm else "factor"
                key = Measured(edge.before, quantity, 0, edge.behind)
                found.setdefault(key, {}).setdefault(width, []).append(value)
    attention = (
        {Measured("", "logits", 0): {16: [1.0], 32: [1.0]}} if name.endswith("heads") else {}
    )
    judged = over_width(found | attention, {"router": Role.ROUTER})
    factors_ = [one for one in judged if one.quantity == "factor"]
    assert len(factors_) > 1 or name == "flattened"
    assert {one.status for one in factors_} == {PASS}
