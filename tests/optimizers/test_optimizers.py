"""Lion and Sophia against their papers' formulas, and what the engine records of them."""

import math

import pytest
import torch
from lion_pytorch import Lion as ReferenceLion
from tests.optimizers.test_lmo import drawn
from tests.support.parts import optimizer as optimizer_of
from torch import nn

from hypertransfer.catalogue import checks, complete, lookup
from hypertransfer.catalogue import lookup as catalogue_lookup
from hypertransfer.data.samples import curvature_seed
from hypertransfer.optimizers import sophia
from hypertransfer.planning.keys import run_key
from hypertransfer.training import build, data_sets, losses
from hypertransfer.training.loop import train
from hypertransfer.training.state import State

SPEC = {
    "model": {"name": "gpt", "head_size": 4, "mlp_ratio": 1},
    "shape": {"width": 8, "depth": 1},
    "base": {"width": 8, "depth": 1},
    "parameterisation": "mup",
    "optimizer": "lion",
    "data": {"name": "state_of_the_union", "context": 8, "train": 64, "test": 8},
    "lr": 0.01,
    "batch_size": 4,
    "steps": 8,
    "seed": 0,
    "log_every": 2,
}


def group(parameters, **changes):
    return {
        "params": parameters,
        "lr": 0.02,
        "weight_decay": 0.1,
        "eps": 1e-8,
        "betas": (0.9, 0.99),
        "role": "hidden",
        "one_hot": False,
        **changes,
    }


def steps(optimizer, parameter, number=12):
    for step in range(number):
        parameter.grad = drawn(parameter.shape, step)
        optimizer.step()
    return parameter.detach()


def test_lion_is_the_reference():
    ours, theirs = nn.Parameter(drawn((6, 5), 99)), nn.Parameter(drawn((6, 5), 99))
    reference = ReferenceLion([theirs], lr=0.02, betas=(0.9, 0.99), weight_decay=0.1)
    torch.testing.assert_close(
        steps(optimizer_of("lion", [group([ours])]), ours), steps(reference, theirs)
    )


def test_sophia_is_the_formula_of_the_paper():
    """Liu et al. 2305.14342, Algorithm 3, with the estimates given."""
    parameter, rho, every = nn.Parameter(drawn((6, 5), 99)), 0.04, 3
    optimizer = optimizer_of("sophia", [group([parameter])], rho=rho, every=every)
    weight, m, h = parameter.detach().clone(), torch.zeros(6, 5), torch.zeros(6, 5)
    for step in range(10):
        gradient, estimate = drawn((6, 5), step), 30 * drawn((6, 5), 50 + step).square()
        parameter.grad = gradient.clone()
        if step == 0:
            optimizer.observe(0, nn.Identity(), None, None, None, 0)
        elif step % every == 0:
            optimizer.estimate = [estimate]
            h = 0.99 * h + 0.01 * estimate
        optimizer.step()
        m = 0.9 * m + 0.1 * gradient
        ratio = m / (rho * h.clamp(min=1e-15))
        weight = weight * (1 - 0.02 * 0.1) - 0.02 * ratio.clamp(-1, 1)
        torch.testing.assert_close(parameter.detach(), weight, rtol=1e-4, atol=1e-5)
        share = (ratio.abs() < 1).float().mean().item()  # no entry is exactly zero
        assert optimizer.unclipped_share() == pytest.approx(share)
    assert 0 < share < 1


def test_entries_without_a_gradient_are_neither_clipped_nor_free():
    parameter = nn.Parameter(torch.zeros(4))
    optimizer = optimizer_of("sophia", [group([parameter])])
    assert optimizer.param_groups
    parameter.grad = torch.tensor([1.0, 0.0, 0.0, -1.0])
    optimizer.estimate = [torch.tensor([1e6, 1e6, 0.0, 0.0])]
    optimizer.step()
    assert optimizer.unclipped_share() == 0.5


def test_rho_follows_the_gradients_where_the_table_scales_eps():
    wide = group([nn.Parameter(torch.zeros(2))], eps=1e-8 / 4)
    scaled, fixed = (
        optimizer_of("sophia", [dict(wide)], rho=0.04, scale_rho=s) for s in (True, False)
    )
    assert scaled.param_groups[0]["p"] == pytest.approx(0.16)
    assert fixed.param_groups[0]["p"] == pytest.approx(0.04)
    for optimizer in (scaled, fixed):  # a clipped entry moves by the learning rate
        one = optimizer.param_groups[0]
        assert one["p"] * one["lr"] == pytest.approx(0.02)
        assert one["weight_decay"] * one["lr"] == pytest.approx(0.02 * 0.1)


class Linear(nn.Module):
    """A linear classifier, whose Gauss–Newton diagonal and Hessian are the same."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(0.5 * drawn((3, 4), 7))

    def forward(self, x):
        return x @ self.weight.T


@pytest.mark.parametrize("estimator", [sophia.gauss_newton, sophia.hutchinson])
def test_estimates_are_right_on_average(estimator):
    model, x = Linear(), drawn((5, 4), 8)
    y = torch.tensor([0, 1, 2, 0, 1])
    whole = torch.func.hessian(lambda w: losses.cross_entropy(x @ w.reshape(3, 4).T, y))(
        model.weight.detach().flatten()
    )
    draws = [
        estimator(model, losses.cross_entropy, x, y, [model.weight], seed)[0].detach()
        for seed in range(3000)
    ]
    found = torch.stack(draws)
    error = found.std(dim=0) / math.sqrt(len(draws))
    away = (found.mean(dim=0) - whole.diagonal().reshape(3, 4)).abs() / error
    assert away.max() < 4.5  # twelve entries, in standard errors


def spec(**changes):
    return complete.run_spec({**SPEC, **changes})


@pytest.mark.parametrize(
    "optimizer",
    [
        "lion",
        {"name": "sophia", "every": 3},
        {"name": "sophia", "estimator": "hutchinson"},
        "muon",
        "scion",
        {"name": "scion", "light": True},
    ],
)
def test_a_training_that_is_interrupted_goes_on_bit_for_bit(optimizer):
    one = spec(optimizer=optimizer)
    table, states = catalogue_lookup.table(one), {}

    def save(state):
        states.setdefault(len(states), state().to_bytes())

    whole = train(one, table, save=save)
    for step in (0, 4):
        again = train(one, table, resume=State.from_bytes(states[step]))
        assert again.history.train_loss == whole.history.train_loss
        assert again.final_loss == whole.final_loss


def test_sophia_tells_its_unclipped_share_and_its_time():
    found = train(spec(optimizer={"name": "sophia", "every": 2}), catalogue_lookup.table(spec()))
    shares = found.history.unclipped_share
    assert all(0 <= share <= 1 for share in shares[1:])
    assert found.curvature_seconds > 0
    assert found.optimizer_seconds > 0
    plain = train(spec(), catalogue_lookup.table(spec()))
    assert all(math.isnan(share) for share in plain.history.unclipped_share)
    assert plain.curvature_seconds == 0


def test_seeds_of_observations_differ_from_step_to_step():
    assert len({curvature_seed(seed, step) for seed in range(3) for step in range(3)}) == 9


PACKAGED = {
    "pytorch_optimizer:AdaBelief": {"gradient_power": 0, "betas": [0.8, 0.9], "eps": 1e-12},
    "torch.optim:NAdam": {"gradient_power": 0, "momentum_decay": 0.01},
}


@pytest.mark.parametrize("name", ["pytorch_optimizer:AdaBelief", "torch.optim:NAdam"])
def test_an_optimizer_of_a_package_trains_by_one_entry(name):
    one = spec(optimizer={"name": name, **PACKAGED[name]})
    assert not list(checks.objections(one))
    found = train(one, catalogue_lookup.table(one))
    assert found.history.train_loss[-1] < found.history.train_loss[0]
    assert run_key(one) != run_key(spec())


def test_a_packages_optimizer_is_given_what_the_table_scales_and_keeps_its_own_defaults():
    one = spec(
        optimizer={
            "name": "pytorch_optimizer:AdaBelief",
            "gradient_power": 0,
            "betas": [0.8, 0.9],
            "rectify": False,
        },
        shape={"width": 16, "depth": 1},
        weight_decay=0.25,
    )
    network, rows = build.drawn_model(one, data_sets.samples(one), catalogue_lookup.table(one))
    made = build.optimizer(one, network, rows)
    hidden = next(row for row in rows if row.name.endswith("up.weight"))
    weight = dict(network.named_parameters())[hidden.name]
    group = next(g for g in made.param_groups if any(p is weight for p in g["params"]))
    assert (group["lr"], group["weight_decay"]) == (0.005, 0.5)  # µP at twice the width
    assert tuple(group["betas"]) == (0.8, 0.9)
    assert group["eps"] == 1e-16  # AdaBelief's own


@pytest.mark.parametrize(
    ("optimizer", "eps"),
    [
        ("sgd", None), ("lion", None), ("torch.optim:SGD", None), ("torch.optim:AdamW", None),
        ({"name": "torch.optim:AdamW", "eps": 1e-8}, 5e-9), ("adamw", 5e-9),
    ],
)  # fmt: skip
def test_only_an_eps_that_the_optimizer_gets_is_shown(optimizer, eps):
    """µP halves the eps of hidden weights at twice the width."""
    one = spec(optimizer=optimizer, shape={"width": 16, "depth": 1})
    network, rows = build.drawn_model(one, data_sets.samples(one), catalogue_lookup.table(one))
    hidden = next(row for row in rows if row.name.endswith("up.weight"))
    assert hidden.eps == eps
    assert hidden.plain()["eps"] == eps
    weight = dict(network.named_parameters())[hidden.name]
    groups = build.optimizer(one, network, rows).param_groups
    group = next(g for g in groups if any(p is weight for p in g["params"]))
    assert group.get("eps") == (1e-8 if optimizer == "torch.optim:AdamW" else eps)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pytorch_optimizer:Nothing", "has no optimizer 'Nothing'"),
        ("torch.optim:lr_scheduler", "has no optimizer 'lr_scheduler'"),
        ("torch.optim:_functional", "no public name"),
        ("subprocess:Popen", "no source of module 'subprocess'"),
    ],
)
def test_nothing_but_optimizers_is_taken_from_packages(name, words):
    with pytest.raises(ValueError, match=words):
        lookup.load("optimizer", name)


def test_weights_on_the_boundary_have_the_size_of_the_optimizers_norms():
    one = spec(
        parameterisation="spectral",
        weights="boundary",
        optimizer={"name": "scion", "radii": {"hidden": 3.0, "output": 10.0}},
    )
    network, rows = build.drawn_model(one, data_sets.samples(one), catalogue_lookup.table(one))
    sizes = {name: p.detach() for name, p in network.named_parameters()}
    spectral = torch.linalg.matrix_norm(sizes["blocks.0.attention.layers.mix.out.weight"], 2)
    assert spectral.item() == pytest.approx(3, rel=1e-4)
    assert sizes["readout.weight"].abs().unique().tolist() == pytest.approx([10 / 8])
    assert sizes["embedding.weight"].square().mean(dim=1).tolist() == pytest.approx([1.0] * 256)
    by_name = {row.name: row for row in rows}
    assert by_name["readout.weight"].init_std == pytest.approx(10 / 8)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"optimizer": {"name": "normalized_sgd", "radii": {"hidden": 2.0}}}, "one norm of all"),
        ({"weights": "boundary"}, "an optimizer with norms of its own: normalized_sgd, lars"),
        ({"optimizer": {"name": "scion", "norms": {"hidden": "nuclear"}}}, "nuclear"),
        ({"optimizer": {"name": "scion", "radii": {"hidden": 0}}}, "0 is not above 0"),
        ({"optimizer": {"name": "sophia", "estimator": "exact"}}, "hutchinson"),
    ],
)
def test_what_no_optimizer_can_do_is_said_while_planning(changes, words):
    assert words in "; ".join(map(str, checks.objections(spec(**changes))))
