"""The decoder: its parts against formulas written out, its roles, its cost, and its scaling."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from tests.support.networks import GROWTH, growth, growth_of_roles
from tests.support.parts import network as network_of
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from hypertransfer.catalogue import checks, complete, lookup
from hypertransfer.data.samples import Samples
from hypertransfer.networks import resolve
from hypertransfer.networks.decoder.attention import CausalAttention
from hypertransfer.networks.decoder.feed_forward import FeedForward
from hypertransfer.networks.decoder.rotary import Rotary
from hypertransfer.networks.layers import Branch
from hypertransfer.networks.resolve import Base
from hypertransfer.networks.tagged import RoleError, named_roles
from hypertransfer.parameterisation.algebra import Power, Ratios, Role
from hypertransfer.parameterisation.tables import MUP_ADAM, PARAMETERISATIONS, SCALE_FREE
from hypertransfer.planning import flops
from hypertransfer.runs.problem import ProblemError
from hypertransfer.training import build, data_sets, loop
from hypertransfer.training import losses as training_losses

MODELS = {
    "gpt": {"head_size": 4},
    "llama": {"head_size": 4, "qk_norm": True},
}
every_model = pytest.mark.parametrize("model", MODELS)
TOKENS, VOCABULARY = 16, 256


def spec(model="gpt", *, width=8, depth=2, options=None, **values):
    return complete.run_spec(
        {
            "model": {"name": model, **MODELS[model], **(options or {})},
            "data": {"name": "state_of_the_union", "context": TOKENS},
            "base": {"width": 8, "depth": 2},
            "shape": {"width": width, "depth": depth},
            "parameterisation": "completed_p",
            "optimizer": "adamw",
            "lr": 0.01,
            "batch_size": 4,
            "steps": 12,
            "seed": 0,
            "log_every": 1,
            **values,
        }
    )


def samples(n=64):
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, VOCABULARY, (n, TOKENS + 1), generator=generator)
    return Samples(x[:, :-1], x[:, 1:], x[:8, :-1], x[:8, 1:], VOCABULARY)


def drawn(run):
    return build.drawn_model(run, samples(), lookup.table(run))


def test_models_for_text_are_refused_for_images_and_images_for_text():
    (found,) = checks.objections(spec(data="digits"))
    assert "usable with gpt: the network is for text, not images" in str(found)
    text = {"name": "state_of_the_union"}
    images = spec(model="gpt").plain() | {"model": "residual_mlp", "data": text}
    (found,) = checks.objections(complete.run_spec(images))
    assert "the network is for images, not text" in str(found)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"width": 10}, "shape.width"),
        ({"options": {"head_size": 1}}, "model.head_size"),
        ({"options": {"activation": "tanh"}}, "model.activation"),
        ({"loss": "mse"}, "loss"),
        ({"options": {"kv_heads": 1, "fused": True}, "width": 16}, "model.fused"),
    ],
)
def test_a_decoder_that_cannot_be_is_refused(change, key):
    assert key in [problem.key for problem in checks.objections(spec(**change))]


# Parts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("logits", ["1/E", "1/√E"])
@pytest.mark.parametrize("qk_norm", [False, True])
def test_attention_is_a_softmax_over_earlier_places(logits, qk_norm):
    attention = CausalAttention(
        width=12, head_size=4, tokens=5, bias=False, qk_norm=qk_norm, rotary=False, logits=logits
    ).double()
    gains = [torch.randn(4, dtype=torch.float64) for _ in range(2)]
    if qk_norm:
        attention.query_norm.weight.data, attention.key_norm.weight.data = gains
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    q, k, v = (x @ getattr(attention, n).weight.T for n in ("query", "key", "value"))
    heads = []
    for start in range(0, 12, 4):
        a, b, c = (part[..., start : start + 4] for part in (q, k, v))
        if qk_norm:
            a, b = (
                g * y / (y.square().mean(-1, keepdim=True) + 1e-5).sqrt()
                for g, y in zip(gains, (a, b), strict=True)
            )
        scores = a @ b.mT / (4 if logits == "1/E" else 2)
        scores = scores.masked_fill(torch.ones(5, 5).triu(1).bool(), -math.inf)
        heads.append(scores.softmax(-1) @ c)
    expected = torch.cat(heads, -1) @ attention.out.weight.T
    torch.testing.assert_close(attention(x), expected)


def test_rotary_products_depend_on_the_distance_alone():
    rotary = Rotary(10, 6)
    q, k = torch.randn(6), torch.randn(6)
    turned_q, turned_k = (rotary(x.expand(1, 1, 10, 6))[0, 0] for x in (q, k))
    products = turned_q @ turned_k.T
    for distance in range(-9, 10):
        diagonal = products.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=0, atol=1e-4)
    torch.testing.assert_close(turned_q.norm(dim=-1), q.norm().expand(10))
    assert products[0, 0] == pytest.approx(float(q @ k), abs=1e-5)
    assert (products[0] - products[0, 0]).abs().max() > 1e-2


@pytest.mark.parametrize("activation", ["gelu", "relu2", "swiglu"])
def test_feed_forward_layers_are_their_formulas(activation):
    layer = FeedForward(width=6, inner=10, activation=activation, bias=False)
    x = torch.randn(3, 6)
    up = x @ layer.up.weight.T
    if activation == "gelu":
        inner = up * torch.special.ndtr(up)
    elif activation == "relu2":
        inner = up.clamp(min=0) ** 2
    else:
        gate = x @ layer.gate.weight.T
        inner = gate * torch.sigmoid(gate) * up
    torch.testing.assert_close(layer(x), inner @ layer.down.weight.T, rtol=1e-4, atol=1e-6)


@every_model
def test_no_token_is_told_of_later_ones(model):
    network, _ = drawn(spec(model))
    x = samples().train_x[:2]
    changed = x.clone()
    changed[:, 9] = (changed[:, 9] + 1) % VOCABULARY
    a, b = network(x), network(changed)
    torch.testing.assert_close(a[:, :9], b[:, :9], rtol=1e-4, atol=1e-5)
    assert (a[:, 9:] - b[:, 9:]).abs().amax(dim=(0, 2)).min() > 1e-4
    assert a.shape == (2, TOKENS, VOCABULARY)


@every_model
def test_decoders_know_the_order_of_their_tokens(model):
    network, _ = drawn(spec(model))
    x = samples().train_x[:1]
    swapped = x.clone()
    swapped[:, [2, 5]] = x[:, [5, 2]]
    assert not torch.allclose(network(x)[:, -1], network(swapped)[:, -1], atol=1e-5)


# Roles and scaling ---------------------------------------------------------------------------


@every_model
def test_roles_are_how_each_parameter_grows_with_width(model):
    narrow, wide = (drawn(spec(model, width=width))[1] for width in (8, 16))
    assert growth(narrow, wide) == growth_of_roles(narrow)
    gains = {"qk_gain"} if MODELS[model].get("qk_norm") else set()
    assert {row.role for row in narrow} == set(GROWTH) - {"readout_bias", "qk_gain"} | gains


@every_model
def test_branches_hold_the_blocks_and_nothing_else(model):
    network, _ = drawn(spec(model))
    for tagged in named_roles(network):
        assert tagged.in_branch == tagged.name.startswith("blocks."), tagged.name
    assert len([m for m in network.modules() if isinstance(m, Branch)]) == 4


def test_completed_p_as_each_parameter_gets_it():
    """Mlodozeniec et al. 2512.22382, Table 1, at m_N = 4, m_L = 2, m_B = 4, m_D = 1."""
    run = spec(
        "llama",
        width=32,
        depth=4,
        batch_size=16,
        base_batch_size=4,
        steps=3,
        base_steps=12,
        weight_decay=0.1,
        options={"bias": True},
        optimizer={"name": "adamw", "betas": [0.9, 0.95], "eps": 1e-8},
    )
    _, rows = drawn(run)
    found = {row.name: row for row in rows}
    for name, lr, decay, eps in (
        ("embedding.weight", 1, 1, 1 / 4),
        ("blocks.1.attention.layers.mix.query.weight", 1 / 4, 4, 1 / 8),
        ("blocks.1.attention.layers.mix.query.bias", 1, 1, 1 / 8),
        ("blocks.0.attention.layers.norm.weight", 1, 1, 1 / 8),
        ("blocks.3.attention.layers.mix.key_norm.weight", 1, 1, 1 / 2),
        ("blocks.3.feed_forward.layers.mlp.down.weight", 1 / 4, 4, 1 / 8),
        ("norm.weight", 1, 1, 1),
        ("readout.weight", 1 / 4, 4, 1),
    ):
        row = found[name]
        assert row.lr == pytest.approx(0.01 * lr * 2), name  # × √(m_B/m_D)
        assert row.weight_decay == pytest.approx(0.1 * decay * 2), name
        assert row.eps == pytest.approx(1e-8 * eps / 2), name
        assert row.betas == pytest.approx((0.6, 0.8)), name
        assert row.multiplier == 1.0
    assert found["readout.weight"].init_std == pytest.approx(1 / math.sqrt(8) / 4)
    network, _ = drawn(run)
    assert {m.multiplier for m in network.modules() if isinstance(m, Branch)} == {0.5}


DRAWING = [n for n, v in PARAMETERISATIONS.items() if SCALE_FREE in v and n != "as_built"]


@every_model
@pytest.mark.parametrize("name", DRAWING)
def test_every_table_is_the_identity_at_the_base(model, name):
    x = samples().train_x[:2]
    networks = [drawn(spec(model, parameterisation=n)) for n in (name, "sp")]
    assert torch.equal(networks[0][0](x), networks[1][0](x))
    assert [(r.lr, r.eps, r.betas) for r in networks[0][1]] == [
        (r.lr, r.eps, r.betas) for r in networks[1][1]
    ]


def losses(table, ratios, base, steps=30):
    """Of a decoder on one batch, in float64."""
    network = network_of(
        "gpt", width=16, depth=2, input_shape=(TOKENS,), classes=VOCABULARY, head_size=4
    )
    rows = resolve.resolve(network, table, ratios, base)
    resolve.apply(network, rows, table, ratios, seed=1, base=base)
    optimizer = torch.optim.AdamW(resolve.groups(network, rows), lr=0.0)
    data, out = samples(8), []
    for _ in range(steps):
        loss = training_losses.LOSSES["cross_entropy"](network(data.train_x), data.train_y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        out.append(loss.item())
    return out


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


BASE = Base(lr=0.01, weight_decay=0.3, eps=1e-3, betas=(0.9, 0.95))


def test_the_folded_readout_trains_bit_for_bit_as_the_multiplier_does():
    """m_N = 4, a power of two, so that nothing rounds; eps is large enough to matter."""
    ratios = Ratios(width=4)
    factor = MUP_ADAM.rules[Role.OUTPUT].multiplier
    folded = MUP_ADAM.shifted(Role.OUTPUT, factor**-1)
    multiplied, found = losses(MUP_ADAM, ratios, BASE), losses(folded, ratios, BASE)
    assert found == multiplied
    assert found[-1] < found[0] - 0.3
    unscaled = MUP_ADAM.rules[Role.OUTPUT].shifted(factor**-1, 0)
    for wrong in ({"eps": MUP_ADAM.rules[Role.OUTPUT].eps}, {"weight_decay": factor**0}):
        rules = {**folded.rules, Role.OUTPUT: replace(unscaled, **wrong)}
        assert losses(replace(folded, rules=rules), ratios, BASE) != multiplied


@pytest.mark.parametrize("role", [Role.INPUT, Role.HIDDEN, Role.OUTPUT])
def test_shifted_tables_train_the_same_decoder(float64, role):
    ratios = Ratios(width=3, depth=2, batch=4, duration=2)
    table = PARAMETERISATIONS["completed_p"][SCALE_FREE]
    shifted = table.shifted(role, Power(width=0.7, depth=-0.3))
    expected = torch.tensor(losses(table, ratios, BASE))
    found = torch.tensor(losses(shifted, ratios, BASE))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    assert expected[-1] < expected[0] - 0.3


def slope(sizes, values):
    x, y = torch.tensor(sizes).log(), torch.tensor(values).log()
    return float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())


def changes(name, widths):
    """Mean change of the logits over five updates, at each width."""
    for width in widths:
        run = spec(width=width, base={"width": 32, "depth": 2}, parameterisation=name, lr=2**-6)
        network, rows = drawn(run)
        optimizer, data = build.optimizer(run, network, rows), samples(16)
        start = network(data.train_x).detach()
        for _ in range(5):
            optimizer.zero_grad()
            training_losses.LOSSES["cross_entropy"](network(data.train_x), data.train_y).backward()
            optimizer.step()
        yield float((network(data.train_x) - start).detach().abs().mean())


def test_logits_move_more_the_wider_under_sp_and_not_so_under_completed_p():
    """Under Complete(d)P they move a little less: the readout's draw fades as 1/√m_N."""
    widths = (32, 64, 128, 256)
    completed, sp = (slope(widths, list(changes(n, widths))) for n in ("completed_p", "sp"))
    assert -0.6 < completed < 0.1
    assert sp > completed + 0.5


# Multipliers of single modules -------------------------------------------------------------------


def test_multipliers_are_type_times_depth_interpolated_to_another_depth():
    multipliers = {
        "lr": {"types": {"attention.mix.query.weight": 2.0}, "depth": [1.0, 4.0]},
        "beta1": {"types": {"embedding.weight": 0.5}},
        "residual": {"types": {"feed_forward": 3.0}, "depth": [1.0, 0.25]},
    }
    run = spec(depth=3, base={"width": 8, "depth": 3}, multipliers=multipliers)
    network, rows = drawn(run)
    lr = {row.name: row.lr / 0.01 for row in rows}
    name = "blocks.{}.attention.layers.mix.{}.weight"
    assert [lr[name.format(i, "query")] for i in range(3)] == pytest.approx([2, 4, 8])
    assert [lr[name.format(i, "key")] for i in range(3)] == pytest.approx([1, 2, 4])
    assert lr["embedding.weight"] == lr["norm.weight"] == 1.0
    betas = {row.name: row.betas for row in rows}
    assert betas["embedding.weight"] == pytest.approx((0.95, 0.999))
    assert betas["norm.weight"] == pytest.approx((0.9, 0.999))
    branches = dict(network.named_modules())
    found = [branches[f"blocks.{i}.feed_forward"].multiplier for i in range(3)]
    assert found == pytest.approx([3, 1.5, 0.75])


def test_a_beta_that_multipliers_would_make_negative_is_zero():
    _, rows = drawn(spec(multipliers={"beta1": {"types": {"embedding.weight": 16.0}}}))
    assert {row.name: row.betas[0] for row in rows}["embedding.weight"] == 0.0
    assert min(row.betas[1] for row in rows) > 0.9


def test_multipliers_of_a_type_that_is_not_there_are_refused_with_those_that_are():
    run = spec(multipliers={"lr": {"types": {"query": 2.0}}})
    with pytest.raises(RoleError, match=r"lr: Decoder has no query; its types are attention"):
        drawn(run)


@pytest.mark.parametrize(
    "multipliers",
    [
        {"speed": {}},
        {"lr": 2},
        {"lr": {"types": {"a": 0}}},
        {"lr": {"depth": [-1]}},
        {"lr": {"deep": [1]}},
    ],
)
def test_multipliers_that_cannot_be_meant_are_refused(multipliers):
    with pytest.raises(ProblemError, match="multipliers"):
        spec(multipliers=multipliers)


def test_a_spec_with_multipliers_reads_back_as_itself():
    run = spec(multipliers={"lr": {"types": {"embedding.weight": 2}, "depth": [1, 0.5]}})
    assert complete.run_spec(run.plain()) == run


# Cost and training -------------------------------------------------------------------------------


@every_model
def test_the_cost_formula_counts_as_torch_does(model):
    run = spec(model, width=16, depth=3)
    network, _ = drawn(run)
    x = samples().train_x[:3]
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network(x)
    assert 3 * flops.forward_flops(run) == pytest.approx(counter.get_total_flops(), rel=0.02)


def test_losses_of_text_are_means_over_tokens():
    output, target = torch.randn(3, 5, 7), torch.randint(0, 7, (3, 5))
    by_hand = -output.log_softmax(-1).gather(-1, target[..., None]).mean()
    torch.testing.assert_close(training_losses.LOSSES["cross_entropy"](output, target), by_hand)
    flat = F.cross_entropy(output[:, 0], target[:, 0])
    torch.testing.assert_close(
        training_losses.LOSSES["cross_entropy"](output[:, 0], target[:, 0]), flat
    )


@every_model
def test_decoders_learn_and_an_evaluation_is_the_mean_over_all_tokens(model, monkeypatch):
    monkeypatch.setattr(data_sets, "samples", lambda spec: samples())
    run = spec(model, width=16, lr=0.03, steps=40, batch_size=16, checkpoints=[40])
    result = loop.train(run, lookup.table(run))
    assert result.history.train_loss[-1] < result.history.train_loss[0] - 0.3
    network, _ = drawn(run)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(result.checkpoints[40][name])
        output, data = network(samples().test_x), samples()
    expected = F.cross_entropy(output.flatten(0, 1), data.test_y.flatten()).item()
    assert result.history.eval_loss[-1] == pytest.approx(expected, rel=1e-5)
    right = (output.argmax(-1) == data.test_y).float().mean().item()
    assert result.history.eval_accuracy[-1] == pytest.approx(right)


# Tied embeddings ---------------------------------------------------------------------------


def tied(**values):
    return spec(options={"tied": True}, parameterisation="mup", **values)


def test_a_tied_readout_is_the_embedding_times_the_tables_multiplier():
    run = tied(width=32)
    network, rows = drawn(run)
    assert "readout.weight" not in {row.name for row in rows}
    assert network.readout.multiplier == 8 / 32
    x = samples().train_x[:2]
    stream = network.norm(network.blocks(network.embedding(x) + network.positions.weight[:TOKENS]))
    torch.testing.assert_close(network(x), stream @ network.embedding.weight.T / 4)


def test_both_ends_move_a_tied_embedding():
    network, _ = drawn(tied())
    unseen = 255
    x = samples().train_x[:4].clamp(max=254)
    training_losses.cross_entropy(network(x), x).backward()
    assert network.embedding.weight.grad[unseen].abs().sum() > 0  # through the readout alone
    copied = copy.deepcopy(network)
    copied.embedding.weight.data.zero_()
    assert copied(x).abs().max() == 0
    assert network(x).abs().max() > 0


def test_tied_networks_train_and_count_their_cost():
    run = tied(steps=30, lr=0.02)
    found = loop.train(run, lookup.table(run))
    assert found.history.train_loss[-1] < 0.8 * found.history.train_loss[0]


@pytest.mark.parametrize("name", ["sp", "completed_p", "spectral"])
def test_tables_that_scale_outputs_by_other_means_do_not_tie(name):
    run = replace(tied(), parameterisation=name)
    (found,) = checks.objections(run)
    assert "one of mup, depth_mup, completep" in str(found)
    with pytest.raises(RoleError, match="do not tie them"):
        drawn(run)


def test_unit_weights_do_not_tie():
    (found,) = checks.objections(tied(weights="unit"))
    assert "fan_in, as the readout is tied" in str(found)


def test_norms_of_embeddings_do_not_tie():
    (found,) = checks.objections(tied(optimizer="scion"))
    assert "no norm of embeddings" in str(found)
    assert not list(checks.objections(tied(optimizer="muon")))
