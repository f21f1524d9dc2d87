"""Every probe on real, short runs: closed forms, dense matrices, other packages, invariances."""

from __future__ import annotations

import dataclasses
import logging
import math

import pytest
import torch
from torch import nn

from hypertransfer.catalogue import complete
from hypertransfer.catalogue import lookup as catalogue_parameterisation
from hypertransfer.catalogue.cards import probes
from hypertransfer.probes import checkpoint
from hypertransfer.probes.activations.linearisation import Probe as Linearisation
from hypertransfer.probes.checkpoint import View, load_weights
from hypertransfer.probes.tasks.linear_theory import Quantities, Theory
from hypertransfer.runs.spec import RunSpec
from hypertransfer.training import build, losses
from hypertransfer.training.loop import train

LOG = logging.getLogger(__name__)


def spec(**values) -> RunSpec:
    return complete.run_spec({
        "model": "residual_mlp", "data": {"name": "digits", "train": 200, "test": 50},
        "base": {"width": 1, "depth": 1}, "shape": {"width": 6, "depth": 2}, "weights": "unit",
        "parameterisation": "mup", "optimizer": "sgd", "lr": 0.3, "batch_size": 50, "steps": 8,
        "seed": 1, "log_every": 4, "checkpoints": [0, 4, 8], **values,
    })  # fmt: skip


def probed(run: RunSpec, probe: str, **settings) -> dict[str, list]:
    card = probes.PROBES[probe]
    full = {name: schema["default"] for name, schema in card.settings.items()}
    full |= {"probe": probe, "checkpoints": list(run.checkpoints), **settings}
    kept = train(run, catalogue_parameterisation.table(run)).checkpoints
    return checkpoint.measure(
        run, catalogue_parameterisation.table(run), kept, full, torch.device("cpu"), LOG
    )


ADAM = spec(optimizer="adam", lr=0.01)
SMALL = {name: {"samples": 60} if "samples" in card.settings else {}
         for name, card in probes.PROBES.items() if not list(card.needs(ADAM))}  # fmt: skip


@pytest.mark.parametrize("probe", SMALL)
@pytest.mark.parametrize("trained", ["all", "readout"])
def test_every_probe_fills_its_columns(probe, trained):
    run = dataclasses.replace(ADAM, trained=trained)
    rows = probed(run, probe, **SMALL[probe])
    card = probes.PROBES[probe]
    assert rows["step"] == [0, 4, 8]
    assert set(rows) == {"step", "seconds", *card.columns, *probes.PROBED}
    for name, kind in card.columns.items():
        last = rows[name][-1]
        assert last is None or isinstance(last, {"number": float, "list": list}[kind]), name
    assert all(rows["converged"])


def test_names_of_columns_are_of_one_probe_each():
    names = [name for card in probes.PROBES.values() for name in card.columns]
    assert len(names) == len(set(names))


def dense(run: RunSpec, step: int, samples: int) -> tuple[torch.Tensor, torch.Tensor, list]:
    """The full Hessian at a checkpoint, the gradient, and each parameter's size with its lr."""
    table = catalogue_parameterisation.table(run)
    kept = train(run, table).checkpoints[step]
    data = build.data(run)
    network, rows = build.drawn_model(run, data, table)
    names = [name for name, _ in network.named_parameters()]
    sizes = [kept[name].shape for name in names]

    def loss(flat):
        pieces = flat.split([s.numel() for s in sizes])
        named = {n: p.view(s) for n, p, s in zip(names, pieces, sizes, strict=True)}
        output = torch.func.functional_call(network.eval(), named, (data.train_x[:samples],))
        return nn.functional.cross_entropy(output, data.train_y[:samples])

    flat = torch.cat([kept[name].reshape(-1) for name in names])
    lr = {row.name: row.lr / run.lr for row in rows}
    scale = torch.cat([torch.full((s.numel(),), lr[n]) for n, s in zip(names, sizes, strict=True)])
    return torch.func.hessian(loss)(flat), torch.func.grad(loss)(flat), [scale, kept, names]


def test_curvature_along_the_gradient_against_the_full_hessian():
    run = spec()
    rows = probed(run, "alignment", samples=60, batches=0)
    hessian, gradient, (scale, _, _) = dense(run, 8, 60)
    g = scale.sqrt() * gradient
    hg = scale.sqrt() * (hessian @ (scale.sqrt() * g))
    assert rows["directional_sharpness"][-1] == pytest.approx(float(g @ hg / (g @ g)), rel=1e-3)
    cosine = float(g @ hg / (g.norm() * hg.norm()))
    assert rows["alignment"][-1] == pytest.approx(cosine, rel=1e-3)
    top = probed(run, "hessian", samples=60)["scaled_sharpness"][-1]
    assert rows["directional_sharpness"][-1] <= top * 1.01


def test_batch_sharpness_of_the_whole_set_is_the_directional_one():
    run = spec(batch_size=200)
    rows = probed(run, "alignment", samples=200)
    assert rows["batch_sharpness"] == pytest.approx(rows["directional_sharpness"], rel=1e-4)
    assert rows["batch_edge"] == pytest.approx([0.3 * b for b in rows["batch_sharpness"]])
    assert rows["error"] == [0.0, 0.0, 0.0]


def test_preconditioned_sharpness_against_the_full_hessian():
    run = spec(optimizer={"name": "adam", "betas": [0.8, 0.9]}, lr=0.02, weights="fan_in",
               base={"width": 3, "depth": 1})  # fmt: skip
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
    run = spec(optimizer={"name": "adam", "betas": [0.0, 0.9], "eps": 1e-3}, lr=0.02, steps=4,
               checkpoints=[3, 4])  # fmt: skip
    table = catalogue_parameterisation.table(run)
    kept = train(run, table).checkpoints
    network, rows = build.drawn_model(run, build.data(run), table)
    lr = {row.name: row.lr for row in rows}
    # With β₁ = 0 the update is lr·g/P, so |update|·P/lr is |g| ≤ P·√((1 − β₂^t)/(1 − β₂)).
    for name, _ in network.named_parameters():
        update = (kept[3][name] - kept[4][name]) / lr[name]
        p = kept[4][f"preconditioner/{name}"]
        bound = p * math.sqrt((1 - 0.9**4) / (1 - 0.9))
        assert bool(((update * p).abs() <= bound + 1e-6).all())
        assert float((update * p).abs().max()) > 0


def test_features_start_at_no_distance_and_random_features_stay_there():
    rows = probed(spec(), "features", samples=60)
    assert rows["feature_distance"][0] == rows["weight_distance"][0] == 0
    assert rows["feature_distance"][-1] > 0.01
    assert 0 < rows["kernel_distance"][-1] < 1
    frozen = probed(spec(trained="readout"), "features", samples=60)
    assert frozen["feature_distance"] == [0, 0, 0]
    assert frozen["weight_distance"][-1] > 0


# The linear network's theory -------------------------------------------------------------------


def linear(width: int, parameterisation: str, **values) -> RunSpec:
    return spec(**{
        "model": "linear", "data": "gaussian_regression", "loss": "mse", "batch_size": 64,
        "shape": {"width": width, "depth": 1}, "lr": 0.06, "steps": 60,
        "parameterisation": parameterisation, "checkpoints": [0, 20, 60], **values,
    })  # fmt: skip


@pytest.mark.parametrize("parameterisation", ["mup", "ntp"])
@pytest.mark.parametrize("width", [8, 300])
def test_the_network_follows_the_recursion_to_rounding(parameterisation, width):
    run = linear(width, parameterisation)
    theory = probed(run, "linear_theory")
    assert max(theory["theory_error"]) < 2e-6  # float32 against float64
    measured = probed(run, "gauss_newton", samples=64, tolerance=1e-4)
    assert theory["theory_gauss_newton"] == pytest.approx(measured["gauss_newton"], rel=2e-3)
    assert theory["theory_residual"] == pytest.approx(measured["residual"], rel=2e-3)
    assert theory["theory_residual"] == pytest.approx(
        [-x for x in measured["residual_low"]], rel=2e-3
    )


def test_the_width_enters_the_recursion_through_gamma_squared_over_n_alone():
    x, y = torch.randn(30, 5).double(), torch.randn(30).double()
    start = Quantities(torch.randn(5).double(), torch.eye(5).double(), torch.tensor(1.0).double())

    def after(width: int, gamma2: float) -> Quantities:
        theory, now = Theory(x, y, width, gamma2, 0.01), start
        for _ in range(30):
            now = theory.step(now)
        return now

    assert after(10, 20.0).distance(after(1000, 2000.0)) == 0
    assert after(10, 20.0).distance(after(1000, 20.0)) > 1e-3


@pytest.mark.parametrize(
    ("change", "key"),
    [({"optimizer": "adam"}, "optimizer"), ({"model": "residual_mlp"}, "model"),
     ({"batch_size": 32}, "batch_size"), ({"weights": "fan_in"}, "weights")],
)  # fmt: skip
def test_what_the_theory_is_not_about_is_refused_at_planning(change, key):
    needs = probes.PROBES["linear_theory"].needs
    assert not list(needs(linear(8, "mup")))
    assert key in [problem.key for problem in needs(linear(8, "mup", **change))]


def test_the_preconditioned_probe_wants_adam():
    assert [problem.key for problem in probes.PROBES["preconditioned"].needs(spec())] == [
        "optimizer"
    ]


def test_a_view_puts_the_network_back():
    run = spec()
    data = build.data(run)
    network, _ = build.drawn_model(run, data, catalogue_parameterisation.table(run))
    start = {name: p.detach().clone() for name, p in network.named_parameters()}
    view = View(network, losses.LOSSES[run.loss], data.train_x, data.train_y, data.train_x,
                data.train_y, run.lr, {}, 50, 0, start, {})  # fmt: skip
    with torch.no_grad():
        network.readout.weight.zero_()
    with view.at_start():
        assert torch.equal(network.readout.weight, start["readout.weight"])
    assert not network.readout.weight.any()


# Streams and linear blocks -------------------------------------------------------------------


def test_coordinates_are_means_of_the_last_stream_and_its_change():
    run = spec(lr=0.1)
    found = probed(run, "coordinates", samples=60)
    assert found["stream_change"][0] == found["logit_change"][0] == 0.0
    kept, data = train(run, catalogue_parameterisation.table(run)).checkpoints, build.data(run)
    network, _ = build.drawn_model(run, data, catalogue_parameterisation.table(run))
    x, streams, outputs = data.train_x[:60], [], []
    for step in run.checkpoints:
        load_weights(network, kept[step])
        with torch.no_grad():
            h = network.blocks(network.input(x.flatten(1))).relu()
            streams.append(h)
            outputs.append(network.readout(h))
    for index in range(3):
        assert found["stream"][index] == pytest.approx(float(streams[index].abs().mean()), rel=1e-5)
        moved = float((streams[index] - streams[0]).abs().mean())
        assert found["stream_change"][index] == pytest.approx(moved, rel=1e-4)
        moved = float((outputs[index] - outputs[0]).abs().mean())
        assert found["logit_change"][index] == pytest.approx(moved, rel=1e-4)
    assert found["stream_change"][2] > 1e-3


def two_layers(scale):
    """A view of a residual MLP with two layers in its only block, moved by `scale` times a draw."""
    run = spec(model={"name": "residual_mlp", "layers_per_block": 2}, weights="fan_in",
               base={"width": 6, "depth": 1}, shape={"width": 6, "depth": 1})  # fmt: skip
    data = build.data(run)
    network, _ = build.drawn_model(run, data, catalogue_parameterisation.table(run))
    network.double()
    start = {name: p.detach().clone() for name, p in network.named_parameters()}
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in network.parameters():
            p += scale * torch.randn(p.shape, generator=generator)
    x = data.train_x[:20].double()
    return View(network, losses.LOSSES[run.loss], x, data.train_y[:20], x, data.train_y[:20],
                run.lr, {}, 50, 8, start, {})  # fmt: skip


def linearised(scale):
    return Linearisation({}, seed=0).at(two_layers(scale))


def test_a_block_beyond_its_expansion_is_as_written_out_for_two_layers():
    """W₂ relu(W₁ relu(h)): with D the mask of the inner layer, exact − value − linear."""
    view = two_layers(1e-3)
    (block,) = view.network.blocks
    names = ("blocks.0.layers.1.weight", "blocks.0.layers.3.weight")
    first, second = (view.initial[name] for name in names)
    moved = [dict(view.network.named_parameters())[n].detach() - view.initial[n] for n in names]
    g = view.network.input(view.x.flatten(1)).relu().detach()
    inner = g @ first.T
    mask = (inner > 0).double()
    tangent = (inner * mask) @ moved[1].T + ((g @ moved[0].T) * mask) @ second.T
    after = (g @ (first + moved[0]).T).relu() @ (second + moved[1]).T
    beyond = after - (inner * mask) @ second.T - tangent
    found = linearised(1e-3)["block_nonlinearity"]
    assert found == pytest.approx(float(beyond.abs().mean() / tangent.abs().mean()), rel=1e-9)
    assert block.forward.__func__ is type(block).forward  # the network is as it was


def test_what_is_beyond_linear_falls_with_the_step_and_is_nothing_without_one():
    far, near = (linearised(scale) for scale in (1e-3, 1e-4))
    assert near["block_nonlinearity"] == pytest.approx(far["block_nonlinearity"] / 10, rel=0.2)
    assert near["linearisation_distance"] < far["linearisation_distance"] / 50
    none = linearised(0.0)
    assert none["block_nonlinearity"] is None
    assert none["linearisation_distance"] == 0.0
