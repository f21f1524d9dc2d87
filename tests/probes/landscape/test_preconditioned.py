"""Preconditioned sharpness against the full Hessian, and the preconditioner of Adam."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from tests.support.probes import dense, probed, spec
from torch import nn

from hypertransfer.catalogue import lookup
from hypertransfer.curvature.lanczos import top_eigenvalues
from hypertransfer.curvature.operators import HessianOperator
from hypertransfer.probes.checkpoint import View
from hypertransfer.probes.landscape.preconditioned import Probe
from hypertransfer.training import build, data_sets, state
from hypertransfer.training.loop import train

SETTINGS = {"tolerance": 1e-6, "max_products": 200}
TOKENS = 6


def test_preconditioned_sharpness_against_the_full_hessian():
    run = spec(
        optimizer={"name": "adam", "betas": [0.8, 0.9]},
        lr=0.02,
        weights="fan_in",
        base={"width": 3, "depth": 1},
    )
    rows = probed(run, "preconditioned", samples=60, tolerance=1e-4)
    hessian, _, (scale, kept, names) = dense(run, 8, 60)
    p = torch.cat([kept[f"preconditioner/{name}"].reshape(-1) for name in names])
    root = (scale / p).sqrt()
    truth = float(torch.linalg.eigvalsh((root[:, None] * root * hessian).double())[-1])
    assert rows["preconditioned_sharpness"][0] is None
    assert rows["preconditioned_sharpness"][-1] == pytest.approx(truth, rel=1e-3)
    assert rows["stability"][-1] == pytest.approx(0.02 * truth * 0.2 / 3.6, rel=1e-3)


def test_the_preconditioner_is_what_adam_divides_by():
    """One more step from a checkpoint, by hand, is Adam's own."""
    run = spec(
        optimizer={"name": "adam", "betas": [0.0, 0.9], "eps": 1e-3},
        lr=0.02,
        steps=4,
        checkpoints=[3, 4],
    )
    table = lookup.table(run)
    kept = train(run, table).checkpoints
    network, rows = build.drawn_model(run, data_sets.samples(run), table)
    lr = {row.name: row.lr for row in rows}
    # With β₁ = 0 the update is lr·g/P, so |update|·P/lr is |g| ≤ P·√((1 − β₂^t)/(1 − β₂)).
    for name, _ in network.named_parameters():
        update = (kept[3][name] - kept[4][name]) / lr[name]
        p = kept[4][f"preconditioner/{name}"]
        bound = p * math.sqrt((1 - 0.9**4) / (1 - 0.9))
        assert bool(((update * p).abs() <= bound + 1e-6).all())
        assert float((update * p).abs().max()) > 0


def after_training(seen: int, eps: float = 1e-8, updates: int = 3, unused: bool = False) -> View:
    """A view of an embedding with a readout, which Adam has trained on the first `seen` tokens.

    Its samples have all tokens.
    """
    torch.manual_seed(3)
    network = nn.Sequential(nn.Embedding(TOKENS, 3), nn.Tanh(), nn.Linear(3, TOKENS)).double()
    if unused:
        network.register_parameter("unused", nn.Parameter(torch.zeros(2, dtype=torch.float64)))
    loss = nn.functional.cross_entropy

    def adam(other: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(other.parameters(), lr=0.01, eps=eps)

    optimizer = adam(network)
    for step in range(updates):
        x = torch.arange(seen)
        optimizer.zero_grad()
        loss(network(x), (x + step) % TOKENS).backward()
        optimizer.step()
    kept = state.preconditioner(network, optimizer)
    x = torch.arange(20) % TOKENS
    return View(
        network=network,
        loss=loss,
        x=x,
        y=(x + 1) % TOKENS,
        train_x=x,
        train_y=x,
        lr=0.01,
        scales={"0.weight": 0.5, "2.weight": 2.0, "2.bias": 1.0, "unused": 1.0},
        batch_size=4,
        step=updates,
        initial={},
        preconditioner={n.removeprefix(state.PRECONDITIONER): t for n, t in kept.items()},
        make_optimizer=adam,
    )


def roots(view: View) -> torch.Tensor:
    """The square roots of S/P, flat; those of entries without a preconditioner are 1."""
    ones = {name: torch.ones_like(parameter) for name, parameter in view.parameters.items()}
    parts = [
        (view.scales[name] / view.preconditioner.get(name, one)).reshape(-1)
        for name, one in ones.items()
    ]
    return torch.cat(parts).sqrt()


def dense_of(view: View) -> torch.Tensor:
    """The Hessian of a view as a matrix."""
    operator = HessianOperator(view.landscape())
    return torch.stack([operator(row) for row in torch.eye(operator.dimension).double()])


@pytest.mark.parametrize("eps", [1e-8, 1e-3])
def test_entries_that_had_no_gradient_are_left_out(eps):
    """Rows of tokens that did not occur have v = 0, and would rule the eigenvalue."""
    view = after_training(seen=4, eps=eps)
    moved = torch.ones(len(roots(view)), dtype=torch.bool)
    moved[4 * 3 : TOKENS * 3] = False  # the embedding comes first
    assert not dense_of(view)[~moved][:, ~moved].abs().max() < 1e-3
    root = roots(view)[moved]
    restricted = root[:, None] * dense_of(view)[moved][:, moved] * root
    truth = float(torch.linalg.eigvalsh(restricted)[-1])
    row = Probe(SETTINGS, seed=0).at(view)
    assert row["preconditioned_sharpness"] == pytest.approx(truth, rel=1e-5)
    assert row["stability"] == pytest.approx(0.01 * truth * 0.1 / 3.8, rel=1e-5)
    assert row["converged"]


def test_a_parameter_without_any_gradient_is_left_out():
    view = after_training(seen=TOKENS, unused=True)
    assert "unused" not in view.preconditioner
    unused = view.network.unused

    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """One that has the parameter, as that of a part of the network which was not used."""
        return view.loss(outputs, targets) + 1e3 * unused.square().sum()

    row = Probe(SETTINGS, seed=0).at(replace(view, loss=loss))
    alone = Probe(SETTINGS, seed=0).at(after_training(seen=TOKENS))
    assert row["preconditioned_sharpness"] == pytest.approx(
        alone["preconditioned_sharpness"], rel=1e-5
    )


def test_where_all_entries_had_a_gradient_all_are_in_bit_for_bit():
    view = after_training(seen=TOKENS)
    scale = [view.scales[n] / view.preconditioner[n] for n in view.parameters]
    whole = HessianOperator(view.landscape(), scale)
    wanted = top_eigenvalues(whole, **SETTINGS, generator=torch.Generator().manual_seed(0))
    row = Probe(SETTINGS, seed=0).at(view)
    assert row["preconditioned_sharpness"] == float(wanted.values[0])
    assert row["products"] == wanted.products


@pytest.mark.parametrize("updates", [0, 3])
def test_before_there_is_a_gradient_there_is_no_number(updates):
    """At step 0 there are no moments; later all may be 0."""
    view = after_training(seen=TOKENS, updates=updates)
    if updates:
        for name, root in view.preconditioner.items():
            view.preconditioner[name] = torch.full_like(root, 1e-8)
    row = Probe(SETTINGS, seed=0).at(view)
    assert row["preconditioned_sharpness"] is None
    assert row["stability"] is None
    assert math.isnan(row["error"])
    assert row["products"] == 0
