"""Entropies of routers and loads of experts."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from hypertransfer.catalogue import complete
from hypertransfer.catalogue.cards import probes
from hypertransfer.parameterisation.algebra import Role
from hypertransfer.probes.activations import router_load

EXPERTS, INPUTS = 4, 6
LAYOUTS = ("(experts, inputs)", "(inputs, experts)")


def of(logits):
    """What a router returns on these logits, in the ways of several authors."""
    best = logits.softmax(-1).topk(min(2, logits.shape[-1]))
    return {
        "logits": logits,
        "scores": logits.softmax(-1),
        "several": (logits, logits.softmax(-1), logits.argmax(-1)),
        "scores and choices": tuple(best),
        "choices": logits.topk(logits.shape[-1]).indices,
    }


class Router(nn.Module):
    """A router as other authors write it, with a matrix of either layout, and any output."""

    def __init__(self, matrix, layout=LAYOUTS[0], answer="logits", bias=None):
        super().__init__()
        self.transposed, self.answer = layout == LAYOUTS[0], answer
        self.weight = nn.Parameter(matrix if self.transposed else matrix.T.contiguous())
        self.bias = None if bias is None else nn.Parameter(bias)
        self.roles = {"weight": Role.ROUTER, "bias": Role.VECTOR}

    def forward(self, x):
        logits = x @ (self.weight.T if self.transposed else self.weight)
        return of(logits if self.bias is None else logits + self.bias)[self.answer]


class Network(nn.Module):
    def __init__(self, router, calls=1, by_name=False):
        super().__init__()
        self.router, self.calls, self.by_name = router, calls, by_name

    def forward(self, x):
        for time in range(self.calls):
            self.router(x=x + time) if self.by_name else self.router(x + time)
        return x


def logits_of(network, x):
    (found,) = router_load.router_logits(network, x)
    return found


def at(network, x):
    """The row of the probe of a network."""
    return router_load.Probe({}, 0).at(SimpleNamespace(network=network, x=x))


def near(value):
    return pytest.approx(value.detach().double(), abs=1e-5)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("answer", of(torch.zeros(1, EXPERTS)))
@pytest.mark.parametrize("layout", LAYOUTS)
def test_routers_of_other_authors_are_read(layout, answer, bias):
    matrix, x = torch.randn(EXPERTS, INPUTS), torch.randn(5, 7, INPUTS)
    added = torch.randn(EXPERTS) if bias else None
    found = logits_of(Network(Router(matrix, layout, answer, added)), x)
    expected = (x @ matrix.T).reshape(-1, EXPERTS)
    assert found == near(expected if added is None else expected + added)


@pytest.mark.parametrize("answer", ["logits", "several"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_output_shows_the_layout_of_a_square_matrix(layout, answer):
    matrix, x = torch.randn(INPUTS, INPUTS), torch.randn(9, INPUTS)
    assert logits_of(Network(Router(matrix, layout, answer)), x) == near(x @ matrix.T)


def test_all_calls_count_also_those_with_the_input_by_name():
    matrix, x = torch.randn(EXPERTS, INPUTS), torch.randn(9, INPUTS)
    for by_name in (False, True):
        found = logits_of(Network(Router(matrix), calls=2, by_name=by_name), x)
        assert found == near(torch.cat([x @ matrix.T, (x + 1) @ matrix.T]))


def test_a_router_that_is_not_called_or_not_there_is_refused():
    x = torch.zeros(1, INPUTS)
    with pytest.raises(ValueError, match="no forward pass calls the router router"):
        router_load.router_logits(Network(Router(torch.zeros(EXPERTS, INPUTS)), calls=0), x)
    layer = nn.Linear(INPUTS, 2)
    layer.roles = "an attribute of the user's"
    with pytest.raises(ValueError, match="no matrix has the role router"):
        router_load.router_logits(layer, x)


def expected_load(logits):
    """Entropy, load of the busiest expert and share of dead experts, with numpy."""
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    loads = np.bincount(logits.argmax(1), minlength=logits.shape[1])
    entropy = -(shares * np.log(shares)).sum(1).mean() / np.log(logits.shape[1])
    return entropy, loads.max() / loads.mean(), (loads == 0).mean()


def test_the_row_is_the_mean_over_routers():
    routers = [Router(torch.randn(EXPERTS, INPUTS)) for _ in range(3)]
    x = torch.randn(10, INPUTS)
    found = at(nn.Sequential(*map(Network, routers)), x)
    logits = ((x @ router.weight.T).detach().double().numpy() for router in routers)
    for column, values in zip(
        ("routing_entropy", "busiest_expert", "dead_experts"),
        zip(*map(expected_load, logits), strict=True),
        strict=True,
    ):
        assert found[column] == pytest.approx(np.mean(values), rel=1e-5)


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
    x = torch.cat([torch.eye(EXPERTS), torch.zeros(EXPERTS, INPUTS - EXPERTS)], 1)
    added = bias * torch.eye(EXPERTS)[0]
    found = at(Network(Router(matrix, bias=added)), x)
    assert found["routing_entropy"] == pytest.approx(entropy, abs=1e-9)
    assert found["busiest_expert"] == pytest.approx(busiest)
    assert found["dead_experts"] == pytest.approx(dead)


def test_one_expert_has_all_tokens():
    found = at(Network(Router(torch.randn(1, INPUTS))), torch.randn(5, INPUTS))
    assert (found["routing_entropy"], found["busiest_expert"], found["dead_experts"]) == (0, 1, 0)


@pytest.mark.parametrize("name", ["Mixtral", "GptOss"])
def test_routers_of_hugging_face_as_they_are(name):
    transformers = pytest.importorskip("transformers", reason="needs the package transformers")
    config = getattr(transformers, f"{name}Config")(
        hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, num_local_experts=EXPERTS, num_experts_per_tok=2, vocab_size=20,
        head_dim=8, pad_token_id=None,
    )  # fmt: skip
    network = getattr(transformers, f"{name}ForCausalLM")(config).eval()
    for layer in network.model.layers:
        router = layer.mlp.gate if name == "Mixtral" else layer.mlp.router
        router.roles = {"weight": Role.ROUTER}
        if name == "GptOss":
            nn.init.normal_(router.bias)
    x = torch.randint(0, 20, (3, 8))
    found = router_load.router_logits(network, x)
    with torch.no_grad():
        told = network(x, output_router_logits=True).router_logits
    assert len(found) == len(told) == 2
    for ours, theirs in zip(found, told, strict=True):
        assert ours == near(theirs.reshape(-1, EXPERTS))


def test_networks_of_the_library_are_refused_whose_history_has_this():
    values = {
        "data": {"name": "state_of_the_union", "context": 16}, "base": {"width": 16, "depth": 1},
        "shape": {"width": 16, "depth": 1}, "parameterisation": "mup_moe", "optimizer": "adamw",
        "lr": 0.1, "batch_size": 4, "steps": 1, "seed": 0, "log_every": 1, "eval_every": 1,
    }  # fmt: skip
    spec = complete.run_spec({"model": {"name": "llama", "experts": 4}, **values})
    (problem,) = probes.PROBES["router_load"].needs(spec)
    assert "the history of the library's has load_imbalance" in str(problem)
