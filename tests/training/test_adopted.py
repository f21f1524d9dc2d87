"""Networks that state no roles, in runs of the workflow: `model: {adopt: {…}}`."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.support import foreign
from tests.support.probes import measured
from tests.training.conftest import offered
from tests.training.test_state import assert_bit_equal
from torch import nn
from torch.utils.data import TensorDataset

from hypertransfer.catalogue import complete, lookup
from hypertransfer.catalogue.cards import probes
from hypertransfer.checkup import of_run
from hypertransfer.data.samples import Samples, batches
from hypertransfer.networks.adopted.recipe import Recipe
from hypertransfer.networks.tagged import RoleError
from hypertransfer.training import adopted, build, data_sets, randomness
from hypertransfer.training.loop import train
from hypertransfer.training.state import State

STEPS = 6


def gpt2(n_embd, n_layer, dropout=0.0):
    """GPT-2 of Hugging Face, as its package makes it from a config."""
    from transformers import GPT2Config, GPT2LMHeadModel

    rates = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), dropout)
    sizes = {"n_embd": n_embd, "n_layer": n_layer, "n_head": n_embd // 8, "n_positions": 8}
    tokens = {"vocab_size": 50, "bos_token_id": None, "eos_token_id": None}
    return GPT2LMHeadModel(GPT2Config(**sizes, **tokens, **rates))


def mixtral(hidden_size, num_hidden_layers):
    """Mixtral of Hugging Face, with two of four experts for each token."""
    from transformers import MixtralConfig, MixtralForCausalLM

    sizes = {"hidden_size": hidden_size, "num_hidden_layers": num_hidden_layers}
    heads = {"num_attention_heads": hidden_size // 8, "num_key_value_heads": 2}
    return MixtralForCausalLM(
        MixtralConfig(
            **sizes, **heads, intermediate_size=hidden_size, num_local_experts=4, vocab_size=50
        )
    )


def deep(width, depth):
    network = foreign.Transformer(width, depth)
    for block in network.blocks:
        block.mlp[3].p = 0.0
    return network


def resnet(channels, blocks):
    return foreign.ResNet(channels, blocks)


def mlp(width, depth):
    return foreign.perceptron(width, depth)


def lstm(width, depth):
    return foreign.Recurrent(width, depth, nn.LSTM)


def gru(width, depth):
    return foreign.Recurrent(width, depth, nn.GRU, sides=2)


def headless(width, depth):
    return foreign.Transformer(width, depth).blocks


def lookups(width, depth):
    """Its inputs are tokens, but its first layer is not an embedding."""
    return OneHot(width)


class OneHot(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inp, self.out = nn.Linear(50, width), nn.Linear(width, 50)

    def forward(self, tokens):
        return self.out(torch.relu(self.inp(nn.functional.one_hot(tokens, 50).float())))


def numbers(width, depth):
    network = deep(width, depth)
    with torch.no_grad():
        for block in network.blocks:
            drawn = np.random.standard_normal(block.attn.proj.weight.shape)  # noqa: NPY002
            block.attn.proj.weight.copy_(torch.from_numpy(drawn) / width**0.5)
    return network


def example():
    return torch.zeros(2, 8, dtype=torch.long)


def two_examples():
    return [example(), example()]


class Masked(foreign.Transformer):
    def forward(self, tokens, mask):
        return super().forward(tokens) * (1 + mask[..., None])


def masked(width, depth):
    return Masked(width, depth)


def tokens():
    x = torch.randint(0, 50, (64, 8), generator=torch.Generator().manual_seed(0))
    y = (x + 1) % 50
    return Samples(x[:48], y[:48], x[48:], y[48:], classes=50)


def pictures():
    x = torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    y = (x.mean((1, 2, 3)) > 0).long()
    return Samples(x[:48], y[:48], x[48:], y[48:], classes=foreign.CLASSES)


def features():
    x = torch.randn(64, 10, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0).long()
    return Samples(x[:48], y[:48], x[48:], y[48:], classes=foreign.CLASSES)


def smoothed(output, target):
    return nn.functional.cross_entropy(output.flatten(0, -2), target.flatten(), label_smoothing=0.1)


def plain(output, target):
    return nn.functional.cross_entropy(output.flatten(0, -2), target.flatten())


def of_torch():
    found = features()
    return {
        "train": TensorDataset(found.train_x, found.train_y),
        "test": TensorDataset(found.test_x, found.test_y),
        "classes": foreign.CLASSES,
    }


PARTS = (
    smoothed,
    plain,
    of_torch,
    gpt2,
    mixtral,
    deep,
    resnet,
    mlp,
    lstm,
    gru,
    headless,
    lookups,
    example,
    tokens,
    pictures,
    features,
    masked,
    two_examples,
    numbers,
)
HF = {"width": "n_embd", "depth": "n_layer"}


@pytest.fixture(autouse=True)
def guests(monkeypatch, tmp_path):
    """The parts above, as `guests:<name>`."""
    parts = {part.__name__: part for part in PARTS}
    yield from offered(monkeypatch, tmp_path, "guests", parts)


def spec(build="deep", data="tokens", adopt=None, options=None, **values):
    return complete.run_spec(
        {
            "model": {"name": f"guests:{build}", "adopt": adopt or {}, **(options or {})},
            "data": f"guests:{data}", "base": {"width": 16, "depth": 1},
            "shape": {"width": 32, "depth": 2}, "parameterisation": "completep",
            "optimizer": "adamw", "lr": 0.01, "weight_decay": 0.1, "batch_size": 8, "steps": STEPS,
            "seed": 5, "log_every": 1, "eval_every": 3, "checkpoints": [0, STEPS], **values,
        }
    )  # fmt: skip


RUNS = {
    "gpt2": {"build": "gpt2", "adopt": HF},
    "gpt2, dropout": {"build": "gpt2", "adopt": HF, "options": {"dropout": 0.3}},
    "gpt2, muon": {"build": "gpt2", "adopt": HF, "optimizer": "muon"},
    "mixtral": {
        "build": "mixtral",
        "adopt": {"width": "hidden_size", "depth": "num_hidden_layers"},
        "parameterisation": "mup_moe",
    },
    "transformer": {},
    "transformer, sgd": {"optimizer": "sgd", "weight_decay": 0.0, "parameterisation": "mup"},
    "resnet": {
        "build": "resnet",
        "data": "pictures",
        "adopt": {"width": "channels", "depth": "blocks"},
    },
    "mlp": {"build": "mlp", "data": "features", "parameterisation": "mup"},
    "lstm": {"build": "lstm"},
    "gru, two sides": {"build": "gru", "parameterisation": "mup"},
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_learns_is_repeatable_and_resumes_bit_for_bit(name):
    run = spec(**RUNS[name])
    saved = []
    first = train(run, lookup.table(run), save=lambda state: saved.append(state().to_bytes()))
    assert first.history.train_loss[-1] < first.history.train_loss[0]
    assert_bit_equal(train(run, lookup.table(run)), first)
    resumed = train(run, lookup.table(run), resume=State.from_bytes(saved[2]))
    assert_bit_equal(resumed, first)


@pytest.mark.parametrize("name", ["transformer", "resnet", "mlp", "gpt2"])
def test_a_run_trains_as_a_recipe_in_ones_own_loop_does(name):
    """Weights after a few steps of SGD, with the run's batches and initial values."""
    sgd = {"optimizer": "sgd", "parameterisation": "mup", "lr": 0.05, "weight_decay": 0.01}
    run = spec(**{**RUNS[name], **sgd})
    options = run.model.options.get("adopt") or {"width": "width", "depth": "depth"}
    make = {"transformer": deep, "resnet": resnet, "mlp": mlp, "gpt2": gpt2}[name]
    data = data_sets.samples(run)

    def sized(width, depth):
        return make(**{options["width"]: width, options["depth"]: depth})

    recipe = Recipe(sized, 16, 1, lookup.table(run), inputs=data.train_x[:2])
    network, scaled = recipe.make(32, 2)
    kept = train(run, lookup.table(run)).checkpoints
    own = network.state_dict()
    network.load_state_dict({name: kept[0].get(name, own[name]) for name in own})
    optimizer = torch.optim.SGD(scaled.groups(network, run.lr, run.weight_decay))
    network.train()
    for _, index in zip(range(STEPS), batches(48, 8, run.seed), strict=False):
        output = network(data.train_x[index])
        output = getattr(output, "logits", output)
        loss = nn.functional.cross_entropy(output.flatten(0, -2), data.train_y[index].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for key, value in network.state_dict().items():
        if key in kept[STEPS] and value.is_floating_point():
            torch.testing.assert_close(value, kept[STEPS][key], rtol=1e-3, atol=1e-5)


def test_a_loss_of_the_user_is_minimised_and_measured():
    ours, same, other = (
        train(run, lookup.table(run))
        for run in (spec(), spec(loss="guests:plain"), spec(loss="guests:smoothed"))
    )
    assert repr(ours.history) == repr(same.history)
    start = ours.history.train_loss[0], other.history.train_loss[0]
    assert start[0] != start[1]
    assert other.history.eval_loss[0] != ours.history.eval_loss[0]
    assert other.history.eval_accuracy[0] == ours.history.eval_accuracy[0]


def test_data_sets_of_torch_train_as_the_same_tensors_do():
    run = spec("mlp", data="features", parameterisation="mup")
    other = spec("mlp", data="of_torch", parameterisation="mup")
    assert_bit_equal(train(run, lookup.table(run)), train(other, lookup.table(other)))


def test_the_check_of_modules_names_routers():
    without = of_run.check(spec(), [16, 32], [1, 2], seeds=1)
    found = of_run.check(spec(**RUNS["mixtral"]), [16, 32], [1, 2], seeds=1)
    assert (without.routers, found.routers) == ([], ["model.layers.0.mlp.gate.weight"])


OF_SOME = ("downstream", "attention", "routing", "decoding", "linear_theory", "linearisation")


@pytest.mark.parametrize("probe", [name for name in probes.PROBES if name not in OF_SOME])
def test_probes_measure_an_adopted_network(probe):
    """With dropout in training and a readout tied to the embedding, or with routers."""
    run = spec(**RUNS["mixtral" if probe == "router_load" else "gpt2, dropout"])
    assert not list(probes.PROBES[probe].needs(run))
    few = {"vectors": 1, "steps": 3} if probe == "density" else {}
    table = measured(run, probe, train(run, lookup.table(run)).checkpoints, samples=16, **few)
    assert table["step"] == [0, STEPS]
    number = next(name for name, kind in probes.PROBES[probe].columns.items() if kind == "number")
    assert math.isfinite(table[number][-1])


@pytest.mark.parametrize("probe", OF_SOME)
def test_probes_of_some_networks_alone_are_refused_while_planning(probe):
    assert list(probes.PROBES[probe].needs(spec(**RUNS["resnet"])))


def test_the_hessian_of_a_network_with_batch_normalisation_is_that_of_its_evaluation_mode():
    run = spec(**RUNS["resnet"])
    kept = train(run, lookup.table(run)).checkpoints
    table = measured(run, "hessian", kept, samples=16)
    assert table["converged"] == [True, True]
    assert measured(run, "hessian", kept, samples=16)["sharpness"] == table["sharpness"]


def test_rows_hold_folded_multipliers_and_the_deviations_at_the_start():
    run = spec("gpt2", adopt=HF)
    network, rows = build.drawn_model(run, tokens(), lookup.table(run))
    by_name = {row.name: row for row in rows}
    assert [row.name for row in rows] == [name for name, _ in network.named_parameters()]
    qkv = by_name["transformer.h.1.attn.c_attn.weight"]
    assert (qkv.role, qkv.fan_in, qkv.fan_out, qkv.inputs_first) == ("hidden", 32, 96, True)
    assert qkv.lr == pytest.approx(run.lr / 2)  # 1/m_N; CompleteP leaves the depth to residuals
    drawn = network.get_parameter(qkv.name).std().item()
    assert drawn == pytest.approx(qkv.init_std, rel=0.05)
    assert drawn == pytest.approx(0.02 / 2**0.5, rel=0.05)
    assert all(row.multiplier == 1.0 for row in rows)


def test_runs_that_differ_in_rate_and_seed_have_one_recipe(monkeypatch):
    made = []
    monkeypatch.setattr(adopted, "Recipe", lambda *a, **k: made.append(1) or Recipe(*a, **k))
    for seed, lr in ((1, 0.1), (2, 0.2)):
        run = replace(spec(), seed=seed, lr=lr)
        build.drawn_model(run, tokens(), lookup.table(run))
    assert len(made) == 1


def test_multipliers_of_single_modules_reach_parameters_and_branches():
    kinds = {"attn.qkv.weight": 2.0}
    table = spec(
        multipliers={
            "lr": {"types": kinds, "depth": [1.0, 4.0]},
            "init_std": {"types": kinds},
            "residual": {"types": {"attn.proj": 3.0}},
        }
    )
    plain = spec()
    _, rows = build.drawn_model(table, tokens(), lookup.table(table))
    _, before = build.drawn_model(plain, tokens(), lookup.table(plain))
    for number, at_depth in ((0, 1.0), (1, 4.0)):
        (one,) = (r for r in rows if r.name == f"blocks.{number}.attn.qkv.weight")
        (other,) = (r for r in before if r.name == one.name)
        assert one.lr == pytest.approx(other.lr * 2 * at_depth)
        assert one.init_std == pytest.approx(other.init_std * 2)
    network = build.drawn_model(table, tokens(), lookup.table(table))[0]
    x = torch.randn(2, 8, 32)
    end = network.blocks[0].attn.proj
    expected = nn.functional.linear(x, end.weight, end.bias) * 3 / 2  # 1/m_L of the table
    torch.testing.assert_close(end(x), expected)


def test_multipliers_of_unknown_types_are_named():
    run = spec(multipliers={"lr": {"types": {"attn.mix": 2.0}}})
    with pytest.raises(RoleError, match=r"multipliers\.lr: Transformer has no attn\.mix"):
        build.drawn_model(run, tokens(), lookup.table(run))


def test_the_longest_pattern_of_roles_counts():
    roles = {"blocks.*.attn.qkv.weight": "fixed", "blocks.*.weight": "vector"}
    run = spec(adopt={"roles": roles})
    found = build.drawn_model(run, tokens(), lookup.table(run))[1]
    by_name = {row.name: row.role for row in found}
    assert by_name["blocks.0.attn.qkv.weight"] == "fixed"
    assert by_name["blocks.0.mlp.0.weight"] == "vector"


def test_inputs_may_be_given():
    run = spec("lookups", adopt={"inputs": "guests:example"}, shape={"width": 32, "depth": 1})
    _, rows = build.drawn_model(run, tokens(), lookup.table(run))
    assert [row.role for row in rows] == ["input", "vector", "output", "readout_bias"]
    run = spec("lookups", shape={"width": 32, "depth": 1})
    with pytest.raises(RoleError, match="fails on the example inputs"):
        build.drawn_model(run, tokens(), lookup.table(run))


def test_as_built_leaves_all_initial_values_and_has_one_rate():
    run = spec("gpt2", adopt=HF, parameterisation="as_built")
    network, rows = build.drawn_model(run, tokens(), lookup.table(run))
    with randomness.seeded(f"{run.seed}/modules"):
        plain = gpt2(32, 2)
    for (name, one), other in zip(network.named_parameters(), plain.parameters(), strict=True):
        assert torch.equal(one, other), name
    assert {row.lr for row in rows} == {run.lr}
    assert not any(module._forward_hooks for name, module in network.named_modules() if name)
    (projection,) = (row for row in rows if row.name == "transformer.h.0.mlp.c_proj.weight")
    assert projection.init_std == pytest.approx(0.02 / 4**0.5, rel=0.05)  # GPT-2's 1/√(2 L)


def test_a_network_of_several_inputs_is_refused():
    run = spec("masked", adopt={"inputs": "guests:two_examples"})
    with pytest.raises(RoleError, match="takes several inputs, and a run calls it with one"):
        build.drawn_model(run, tokens(), lookup.table(run))


def test_a_network_that_states_its_roles_draws_its_values():
    run = complete.run_spec({**spec().plain(), "model": "gpt", "parameterisation": "as_built"})
    with pytest.raises(RoleError, match="keeps the initial values that a builder draws"):
        build.drawn_model(run, tokens(), lookup.table(run))


def test_what_was_built_before_decides_no_deviation():
    """Of a builder that draws with numpy."""
    runs = {"first": spec("numbers", shape={"width": 32, "depth": 1}), "second": spec("numbers")}
    found = []
    for order in (runs, reversed(runs)):
        adopted._recipes.clear()
        rows = {
            name: build.drawn_model(runs[name], tokens(), lookup.table(runs[name]))[1]
            for name in order
        }
        found.append([row.init_std for name in runs for row in rows[name]])
    assert found[0] == found[1]


def test_a_table_that_cannot_be_applied_is_refused():
    run = spec("gpt2", adopt=HF, parameterisation="sp")
    with pytest.raises(RoleError, match="do not tie them"):
        build.drawn_model(run, tokens(), lookup.table(run))


def test_what_returns_no_network_or_no_predictions_is_told():
    run = spec("example", adopt=HF)
    with pytest.raises(TypeError):
        build.drawn_model(run, tokens(), lookup.table(run))
    run = spec("headless")
    with pytest.raises(RoleError, match="forward pass of ModuleList fails"):
        build.drawn_model(run, tokens(), lookup.table(run))


def test_muon_updates_matrices_with_their_inputs_first_as_their_transposes():
    """GPT-2 stores its matrices as (in, out); the width of the two differs in the MLP."""
    run = spec("gpt2", adopt=HF, optimizer="muon")
    network, rows = build.drawn_model(run, tokens(), lookup.table(run))
    optimizer = build.optimizer(run, network, rows)
    weight = network.get_parameter("transformer.h.0.mlp.c_fc.weight")
    (group,) = (g for g in optimizer.param_groups if any(p is weight for p in g["params"]))
    assert group["inputs_first"]
    other = nn.Parameter(weight.detach().mT.clone())
    weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    other.grad = weight.grad.mT.clone()
    plain = {k: v for k, v in group.items() if k != "inputs_first"}
    alone = type(optimizer)(
        [{**plain, "params": [other]}],
        momentum=optimizer.momentum,
        nesterov=optimizer.nesterov,
        iteration=optimizer.iteration,
    )
    optimizer.step()
    alone.step()
    torch.testing.assert_close(weight.detach().mT, other.detach())
