"""Entropies of routers and loads of experts."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tests.support.decoder_probes import network, probed
from torch import nn

from hypertransfer.parameterisation.algebra import Role
from hypertransfer.probes.activations import router_load
from hypertransfer.probes.checkpoint import View
from hypertransfer.training import data_sets

EXPERTS, INPUTS = 4, 6


def expected(logits):
    """Entropy, load of the busiest expert and share of dead experts, with numpy."""
    logits = np.asarray(logits, dtype=np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    loads = np.bincount(logits.argmax(1), minlength=logits.shape[1])
    entropy = -(shares * np.log(shares)).sum(1).mean() / np.log(logits.shape[1])
    return entropy, loads.max() / loads.mean(), (loads == 0).mean()


def test_loads_are_those_of_the_routers_of_a_decoder(decoder_run):
    found = probed(decoder_run, "router_load", samples=8)
    x = data_sets.samples(decoder_run[0]).train_x[:8]
    for row, step in enumerate((0, 4)):
        decoder, kept = network(decoder_run, step), []
        for mixture in decoder.mixtures:
            mixture.router.register_forward_hook(lambda m, i, o, kept=kept: kept.append(o.detach()))
        decoder(x)
        each = [expected(one.reshape(-1, one.shape[-1])) for one in kept]
        for column, values in zip(
            ("routing_entropy", "busiest_expert", "dead_experts"),
            zip(*each, strict=True),
            strict=True,
        ):
            assert found[column][row] == pytest.approx(np.mean(values), rel=1e-6)


class Router(nn.Module):
    """A router as other authors write it, with a matrix of either layout and any output."""

    def __init__(self, matrix, answer):
        super().__init__()
        self.weight, self.answer = nn.Parameter(matrix), answer
        self.roles = {"weight": Role.ROUTER}

    def forward(self, x):
        matrix = self.weight if self.weight.shape[0] == INPUTS else self.weight.T
        logits = x @ matrix
        self.answer(logits)
        return self.answer(logits)


class Network(nn.Module):
    def __init__(self, router):
        super().__init__()
        self.router = router

    def forward(self, x):
        self.router(x)
        return x


ANSWERS = {
    "logits": lambda logits: logits,
    "several": lambda logits: (logits, logits.softmax(-1), logits.argmax(-1)),
    "the choice": lambda logits: logits.topk(2).indices,
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("layout", ["(experts, inputs)", "(inputs, experts)"])
def test_routers_of_other_authors_are_read(layout, answer):
    matrix, x = torch.randn(EXPERTS, INPUTS), torch.randn(5, 7, INPUTS)
    stored = matrix if layout == "(experts, inputs)" else matrix.T.contiguous()
    (logits,) = router_load.router_logits(Network(Router(stored, answer)), x)
    assert logits.shape == (35, EXPERTS)
    assert logits == pytest.approx((x @ matrix.T).reshape(-1, EXPERTS).detach(), abs=1e-5)


def at(network, x):
    """The row of the probe of a network; the rest of the view is not read."""
    view = View(network, *[None] * 10, {}, {})
    return router_load.Probe({}, 0).at(View(**{**vars(view), "x": x}))


@pytest.mark.parametrize(
    ("scale", "bias", "entropy", "busiest", "dead"),
    [
        (0.0, 0.0, 1.0, EXPERTS, 1 - 1 / EXPERTS),  # equal scores: the first expert has all ties
        (0.0, 100.0, 0.0, EXPERTS, 1 - 1 / EXPERTS),
        (1e4, 0.0, 0.0, 1.0, 0.0),  # saturated, with a sample of each expert
    ],
)
def test_dead_and_saturated_routers_have_the_loads_of_closed_forms(
    scale, bias, entropy, busiest, dead
):
    matrix = torch.zeros(EXPERTS, INPUTS)
    matrix[:, :EXPERTS] = scale * torch.eye(EXPERTS)
    matrix[0, -1] = bias
    x = torch.cat([torch.eye(EXPERTS), torch.zeros(EXPERTS, 1), torch.ones(EXPERTS, 1)], 1)
    found = at(Network(Router(matrix, ANSWERS["logits"])), x)
    assert found["routing_entropy"] == pytest.approx(entropy, abs=1e-9)
    assert found["busiest_expert"] == pytest.approx(busiest)
    assert found["dead_experts"] == pytest.approx(dead)


def test_a_network_without_a_router_is_refused():
    with pytest.raises(ValueError, match="no parameter has the role router"):
        router_load.router_logits(nn.Linear(INPUTS, 2), torch.zeros(1, INPUTS))


def test_mixtral_as_it_is_has_the_loads_that_it_reports():
    transformers = pytest.importorskip("transformers", reason="needs the package transformers")
    config = transformers.MixtralConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, num_local_experts=EXPERTS, vocab_size=20,
    )  # fmt: skip
    mixtral = transformers.MixtralForCausalLM(config).eval()
    for layer in mixtral.model.layers:
        layer.mlp.gate.roles = {"weight": Role.ROUTER}
    x = torch.randint(0, 20, (3, 8))
    found = router_load.router_logits(mixtral, x)
    with torch.no_grad():
        told = mixtral(x, output_router_logits=True).router_logits
    assert len(found) == len(told) == 2
    for ours, theirs in zip(found, told, strict=True):
        assert ours.softmax(1) == pytest.approx(theirs.softmax(1).double(), abs=1e-5)
    assert math.isfinite(at(mixtral, x)["routing_entropy"])
