"""Mixtures of experts against a loop over experts, hand-computed losses, and the engine's use."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.parts import network as network_of
from torch import nn
from torch.nn import functional as F

from hypertransfer.catalogue import complete, lookup
from hypertransfer.networks.decoder.feed_forward import (
    ACTIVATIONS,
    Dispatch,
    MixtureOfExperts,
    Routing,
    RoutingDecision,
)
from hypertransfer.networks.resolve import Base, resolve
from hypertransfer.parameterisation.algebra import Ratios
from hypertransfer.parameterisation.tables import PARAMETERISATIONS
from hypertransfer.probes.checkpoint import load_weights
from hypertransfer.training import build, data_sets
from hypertransfer.training import loop as training_loop
from hypertransfer.training.state import State

SEEDED = settings(derandomize=True, deadline=None, max_examples=25)


def mixture(seed=0, width=6, inner=4, experts=5, activation="swiglu", shared=0, **routing):
    torch.manual_seed(seed)
    made = MixtureOfExperts(
        width=width,
        inner=inner,
        activation=activation,
        experts=experts,
        shared=shared,
        routing=Routing(**routing),
    ).double()
    for parameter in made.parameters():
        nn.init.normal_(parameter)
    return made


def loop(made, x):
    """The same, token by token and expert by expert; first choices are served first."""
    routing, tokens = made.routing, x.flatten(0, -2)
    logits = tokens @ made.router.weight.T
    scores = logits.sigmoid() if routing.score == "sigmoid" else logits.softmax(-1)
    wanted = scores if made.bias is None else scores + made.bias
    chosen = [row.argsort(descending=True)[: routing.top_k].tolist() for row in wanted]
    room = math.inf
    if routing.capacity is not None and made.training:
        room = math.ceil(routing.capacity * len(tokens) * routing.top_k / made.experts)
    used = [0] * made.experts
    out = [torch.zeros_like(token) for token in tokens]
    for rank in range(routing.top_k):
        for index, token in enumerate(tokens):
            expert = chosen[index][rank]
            used[expert] += 1
            if used[expert] > room:
                continue
            gate = scores[index, expert]
            if routing.gates == "normalised":
                gate = gate / scores[index, chosen[index]].sum()
            if routing.gates == "mean":
                gate = gate / routing.top_k
            hidden = made.up.weight[expert] @ token
            act = ACTIVATIONS["relu"]
            if made.gate is None:
                hidden = act(hidden)
            else:
                hidden = F.silu(made.gate.weight[expert] @ token) * hidden
            out[index] = out[index] + gate * (made.down.weight[expert] @ hidden)
    out = torch.stack(out).view_as(x)
    return out if made.shared is None else out + made.shared(x)


def gradients(output, made, x):
    inputs = [x, *(p for p in made.parameters())]
    found = torch.autograd.grad(output.square().sum(), inputs, allow_unused=True)
    return [torch.zeros_like(i) if g is None else g for g, i in zip(found, inputs, strict=True)]


@SEEDED
@given(
    tokens=st.integers(1, 9),
    experts=st.integers(1, 6),
    data=st.data(),
    score=st.sampled_from(["softmax", "sigmoid"]),
    gates=st.sampled_from(["raw", "normalised", "mean"]),
    activation=st.sampled_from(["relu", "swiglu"]),
    shared=st.integers(0, 2),
    capacity=st.sampled_from([None, 0.5, 1.0, 1.25]),
    training=st.booleans(),
    biased=st.booleans(),
    seed=st.integers(0, 99),
)
def test_it_is_a_loop_over_experts_with_gradients(
    tokens, experts, data, score, gates, activation, shared, capacity, training, biased, seed
):
    top_k = data.draw(st.integers(1, experts))
    made = mixture(
        seed,
        experts=experts,
        activation=activation,
        shared=shared,
        top_k=top_k,
        score=score,
        gates=gates,
        capacity=capacity,
        balance_rate=0.1 * biased,
    ).train(training)
    if biased:
        made.bias.normal_()
    x = torch.randn(2, tokens, 6, dtype=torch.double, requires_grad=True)
    ours, theirs = made(x), loop(made, x)
    torch.testing.assert_close(ours, theirs)
    for a, b in zip(gradients(ours, made, x), gradients(theirs, made, x), strict=True):
        torch.testing.assert_close(a, b)


def test_second_derivatives_are_those_of_finite_differences():
    made = mixture(top_k=2, gates="normalised")
    x = torch.randn(4, 6, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradgradcheck(made, (x,))


def test_no_expert_is_looped_over():
    """The number of operations does not grow with the number of experts."""

    def operations(experts):
        made = mixture(experts=experts, top_k=2)
        x = torch.randn(64, 6, dtype=torch.double)
        with torch.autograd.profiler.profile() as profile:
            made(x)
        return len(profile.function_events)

    assert operations(4) == operations(32)


# Room ---------------------------------------------------------------------------------------


def test_an_expert_that_is_full_drops_the_last_and_lower_choices():
    experts = torch.tensor([[0, 1], [0, 1], [0, 2], [1, 0]])
    dispatch = Dispatch(experts, 3, capacity=2)
    assert dispatch.tokens_XC.tolist() == [[0, 1], [3, 0], [2, 4]]  # 4: an empty slot
    full = 6
    assert dispatch.slots_KS.tolist() == [[0, 1, full, 2], [3, full, 4, full]]
    assert float(dispatch.dropped_share()) == 3 / 8


def test_nothing_is_dropped_without_a_capacity_or_in_evaluation():
    for made in (mixture(), mixture(capacity=0.1).eval()):
        x = torch.randn(3, 7, 6, dtype=torch.double)
        torch.testing.assert_close(made(x), loop(made, x))
    dropped = mixture(capacity=0.1)
    dropped(x)
    assert dropped.statistics()["dropped_share"] > 0.5


# Losses by hand -----------------------------------------------------------------------------

# Four tokens and two experts: three choose the first. f = (2·3/4, 2·1/4) = (3/2, 1/2).
SHARES = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]], dtype=torch.double)
BALANCE = 1.5 * (0.9 + 0.6 + 0.7 + 0.2) / 4 + 0.5 * (0.1 + 0.4 + 0.3 + 0.8) / 4  # 1.1


def test_the_balance_loss_by_hand():
    decision = RoutingDecision(SHARES.log(), Routing(balance_loss=0.01), None)
    assert decision.load_X().tolist() == [1.5, 0.5]
    assert float(decision.penalty()) == pytest.approx(0.01 * BALANCE)
    assert pytest.approx(1.1) == BALANCE


def test_the_balance_loss_of_sigmoids_takes_shares_of_their_sum():
    logits = torch.tensor([[0.0, math.log(3.0)]], dtype=torch.double)  # scores 1/2 and 3/4
    decision = RoutingDecision(logits, Routing(score="sigmoid", balance_loss=1.0), None)
    assert decision.shares_SX.tolist()[0] == pytest.approx([0.4, 0.6])
    assert float(decision.penalty()) == pytest.approx(2 * 0.6)


def test_the_gradient_of_the_balance_loss_by_hand():
    """∂/∂r_j = α/S · p_j·(f_j − Σ_i f_i·p_i), the load being held fixed."""
    logits = SHARES.log().requires_grad_()
    RoutingDecision(logits, Routing(balance_loss=0.01), None).penalty().backward()
    load = torch.tensor([1.5, 0.5], dtype=torch.double)
    centred = load - (SHARES * load).sum(1, keepdim=True)
    torch.testing.assert_close(logits.grad, 0.01 / 4 * SHARES * centred)


def test_the_z_loss_by_hand():
    logits = torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.double, requires_grad=True)
    penalty = RoutingDecision(logits, Routing(z_loss=0.1), None).penalty()
    z = [math.log(2), 1 + math.log(2)]
    assert penalty.item() == pytest.approx(0.1 * (z[0] ** 2 + z[1] ** 2) / 2)
    penalty.backward()  # 0.1/S · 2z · p
    torch.testing.assert_close(
        logits.grad, torch.tensor([[z[0] / 2] * 2, [z[1] / 2] * 2], dtype=torch.double) * 0.1
    )


@SEEDED
@given(tokens=st.integers(1, 20), experts=st.integers(2, 8), seed=st.integers(0, 99))
def test_even_scores_have_a_balance_loss_of_one_and_all_the_entropy(tokens, experts, seed):
    decision = RoutingDecision(torch.zeros(tokens, experts), Routing(balance_loss=1.0), None)
    assert float(decision.penalty()) == pytest.approx(1.0)
    assert float(decision.entropy()) == pytest.approx(1.0)
    peaked = F.one_hot(torch.randint(experts, (tokens,)), experts) * 100.0
    assert float(RoutingDecision(peaked, Routing(), None).entropy()) == pytest.approx(0.0, abs=1e-6)


# Balance by a bias --------------------------------------------------------------------------


def test_the_bias_moves_against_the_load_and_stays_out_of_gates():
    made = mixture(experts=2, balance_rate=0.25, score="sigmoid")
    made.router.weight.data.zero_()
    x = torch.randn(8, 6, dtype=torch.double)
    made(x)  # even scores: all take the same expert
    busy = int(made.last[0].load_X().argmax())
    made.after_update()
    assert made.bias[busy] == -0.25
    assert made.bias[1 - busy] == 0.25
    made(x)
    decision, _ = made.last
    assert int(decision.load_X().argmax()) == 1 - busy
    assert decision.gates_SK.tolist() == [[0.5]] * 8  # σ(0), without the bias


def test_an_even_load_leaves_the_bias():
    made = mixture(experts=2, width=2, balance_rate=0.25)
    made.router.weight.data.copy_(torch.eye(2))
    made(torch.eye(2, dtype=torch.double))
    made.after_update()
    assert made.bias.tolist() == [0.0, 0.0]


def test_a_mixture_that_has_seen_tokens_can_be_copied():
    made = mixture()
    x = torch.randn(3, 6, dtype=torch.double)
    made(x)
    again = copy.deepcopy(made)
    torch.testing.assert_close(again.eval()(x), made.eval()(x))


# In the engine ------------------------------------------------------------------------------


def spec(model=None, **given):
    parts = {"name": "llama", "experts": 4, "top_k": 2, "mlp_ratio": 1}
    values = {
        "model": {**parts, **(model or {})},
        "data": {"name": "state_of_the_union", "context": 16, "test": 16, "train": 64},
        "base": {"width": 16, "depth": 2},
        "shape": {"width": 32, "depth": 2},
        "parameterisation": "mup_moe",
        "optimizer": "adamw",
        "lr": 0.01,
        "batch_size": 4,
        "steps": 6,
        "seed": 0,
        "log_every": 2,
        "eval_every": 6,
    }
    return complete.run_spec({**values, **given})


def trained(one, **options):
    return training_loop.train(one, lookup.table(one), **options)


def test_the_history_says_how_tokens_were_routed():
    found = trained(spec({"capacity": 1.0})).history
    assert all(1 <= value <= 4 for value in found.load_imbalance)
    assert all(0 < value <= 1 for value in found.router_entropy)
    assert all(0 <= value < 1 for value in found.dropped_share)
    dense = trained(spec({"experts": 0, "top_k": 1})).history
    assert all(math.isnan(value) for value in dense.load_imbalance)


def test_what_routing_adds_trains_the_router_and_is_not_in_the_recorded_loss():
    plain, pushed = (trained(spec({"balance_loss": a}, checkpoints=[0, 6])) for a in (0.0, 10.0))
    assert plain.history.train_loss[0] == pushed.history.train_loss[0]
    assert plain.history.train_loss[-1] != pushed.history.train_loss[-1]
    name = "blocks.0.feed_forward.layers.mlp.router.weight"
    assert not plain.checkpoints[6][name].equal(pushed.checkpoints[6][name])


def test_the_bias_is_learned_kept_and_put_back():
    one = spec({"balance_rate": 0.01, "score": "sigmoid"}, checkpoints=[0, 6])
    found = trained(one)
    name = "blocks.1.feed_forward.layers.mlp.bias"
    assert not found.checkpoints[0][name].any()
    kept = found.checkpoints[6][name]
    assert (kept != 0).any()
    assert bool((kept.abs() <= 0.06 + 1e-6).all())  # six steps of the rate
    network, _ = build.drawn_model(one, data_sets.samples(one), lookup.table(one))
    load_weights(network, found.checkpoints[6])
    assert network.state_dict()[name].equal(kept)


def test_a_training_with_experts_resumes_bit_for_bit():
    one = spec({"balance_rate": 0.01, "balance_loss": 0.1, "capacity": 1.0}, checkpoints=[6])
    states = []
    whole = trained(one, save=lambda take: states.append(take().to_bytes()))
    again = trained(one, resume=State.from_bytes(states[2]))
    assert repr(again.history) == repr(whole.history)
    for name, weight in whole.checkpoints[6].items():
        assert weight.equal(again.checkpoints[6][name])


@pytest.mark.parametrize("table", ["mup_moe", "sp"])
@pytest.mark.parametrize("width", [1, 4])
@pytest.mark.parametrize("granularity", [1, 2, 4])
def test_experts_are_drawn_by_their_fan_in_at_every_width_and_granularity(
    table, width, granularity
):
    made = network_of(
        "llama",
        width=16 * width,
        depth=1,
        input_shape=(8,),
        classes=9,
        experts=4,
        granularity=granularity,
    )
    ratios = Ratios(width=width, granularity=granularity)
    rows = resolve(made, PARAMETERISATIONS[table][0.0], ratios, Base(lr=1.0))
    experts = [row for row in rows if row.role.startswith("expert")]
    assert {row.role for row in experts} == {"expert_up", "expert_down"}
    for row in experts:
        assert row.init_std == pytest.approx(row.fan_in**-0.5)
        assert row.fan_in == (16 * width * (3 if row.role == "expert_down" else 1)) / (
            granularity if row.role == "expert_down" else 1
        )


def test_a_finer_mixture_has_as_many_weights_and_uses_as_many():
    coarse, fine = (
        network_of(
            "llama",
            width=16,
            depth=1,
            input_shape=(8,),
            classes=9,
            experts=4,
            shared=1,
            top_k=2,
            granularity=g,
        )
        for g in (1, 4)
    )

    def weights(made):
        return sum(p.numel() for n, p in made.named_parameters() if "router" not in n)

    assert weights(coarse) == weights(fine)
    one, other = (next(m.mixtures) for m in (coarse, fine))
    assert (one.experts, other.experts) == (4, 16)
    assert (one.routing.top_k, other.routing.top_k) == (2, 8)
