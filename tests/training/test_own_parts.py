"""Networks and data sets of users: one key gives one result, and nothing measured changes a run."""

from __future__ import annotations

import logging
import random

import numpy as np
import pytest
import torch
from tests.support.own_parts import Tied
from tests.training.test_state import assert_bit_equal

from hypertransfer.catalogue import complete, lookup
from hypertransfer.catalogue.cards import probes
from hypertransfer.networks.tagged import RoleError
from hypertransfer.probes.checkpoint import initial_view, measure
from hypertransfer.training import build
from hypertransfer.training.loop import train
from hypertransfer.training.state import State

pytestmark = pytest.mark.usefixtures("own")

NETWORKS = [
    "Plain", "Dropped", "NumpyNoise", "RandomVector", "RandomBuffer", "Normed", "FrozenNorm",
    "LateBlock", "Unused", "Frozen", "ZeroReadout", "SharedHidden", "ManyDimensions",
    "ThroughAKernel", "OwnValues",
]  # fmt: skip
STEPS = 12


def spec(model="Plain", **values):
    return complete.run_spec(
        {
            "model": f"mine:{model}", "data": "mine:samples", "base": {"width": 4, "depth": 1},
            "shape": {"width": 8, "depth": 1}, "parameterisation": "mup", "optimizer": "adamw",
            "lr": 0.02, "batch_size": 16, "steps": STEPS, "seed": 5, "log_every": 1,
            "eval_every": 4, "checkpoints": [0, 6, STEPS], **values,
        }
    )  # fmt: skip


def text(**values):
    return spec(**{"data": "mine:tokens", **values})


def trained(run, **options):
    return train(run, lookup.table(run), **options)


def disturb(number: int) -> None:
    """Leave the global generators in a state that depends on the number."""
    torch.manual_seed(number)
    np.random.seed(number)  # noqa: NPY002
    random.seed(number)


def interrupted(run, after: int):
    """The state of the run after so many updates, as its file holds it."""
    states = []

    def save(state):
        states.append(state().to_bytes())
        if len(states) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(run, save=save)
    return State.from_bytes(states[-1])


def probe(run, weights, name="hessian"):
    settings = {n: option["default"] for n, option in probes.PROBES[name].settings.items()}
    settings |= {"probe": name, "checkpoints": list(weights), "samples": 16}
    log, device = logging.getLogger("test"), torch.device("cpu")
    return measure(run, lookup.table(run), weights, settings, device, log)


@pytest.mark.parametrize("model", NETWORKS)
def test_the_state_of_the_process_decides_no_number(model):
    run = spec(model)
    disturb(1)
    first = trained(run)
    disturb(2)
    second = trained(run)
    assert_bit_equal(first, second)
    assert np.isfinite(first.history.train_loss).all()


@pytest.mark.parametrize("model", NETWORKS)
@pytest.mark.parametrize("after", [1, 5])
def test_a_resumed_run_is_bit_equal(model, after):
    run = spec(model)
    state = interrupted(run, after)
    disturb(after)
    assert_bit_equal(trained(run, resume=state), trained(run))


@pytest.mark.parametrize("model", NETWORKS)
def test_a_probe_sees_the_network_of_the_run(model):
    """The same numbers in another process, in any order of checkpoints."""
    run = spec(model)
    kept = trained(run).checkpoints
    disturb(3)
    both = probe(run, kept)
    disturb(4)
    last = probe(run, {STEPS: kept[STEPS]})
    assert last["loss"][-1] == both["loss"][-1]
    view = initial_view(run, lookup.table(run), {"samples": 8}, torch.device("cpu"))
    assert all(torch.equal(view.initial[n], kept[0][n]) for n in kept[0])


def test_seeds_differ_in_what_the_network_draws_by_itself():
    views = [
        initial_view(spec("RandomBuffer", seed=seed), lookup.table(spec()), {}, torch.device("cpu"))
        for seed in (0, 1)
    ]
    assert not torch.equal(views[0].initial["omega"], views[1].initial["omega"])


def test_a_data_set_drawn_from_global_generators_is_one_data_set():
    found = []
    for number in (1, 2):
        build._data.cache_clear()
        disturb(number)
        found.append(build.data(spec(data="mine:unseeded", seed=number)).train_x)
    assert torch.equal(*found)


def test_counting_and_evaluating_leave_buffers_as_training_left_them():
    """Twelve training passes, and no more, are seen by the network."""
    kept = trained(spec("LateBlock")).checkpoints[STEPS]
    assert int(kept["seen"]) == STEPS
    assert int(trained(spec("Normed")).checkpoints[STEPS]["norm.num_batches_tracked"]) == STEPS


def test_a_mode_that_the_author_sets_stays():
    kept = trained(spec("FrozenNorm")).checkpoints
    assert torch.equal(kept[STEPS]["norm.running_mean"], kept[0]["norm.running_mean"])


def test_an_unused_parameter_stays_and_is_probed():
    for optimizer in ("adamw", "sophia", "lion", "scion"):
        run = spec("Unused", optimizer=optimizer)
        kept = trained(run).checkpoints
        assert torch.equal(kept[STEPS]["spare.weight"], kept[0]["spare.weight"])
    run = spec("Unused")
    kept = trained(run).checkpoints
    without = spec("Plain")
    assert probe(run, kept)["scaled_sharpness"][0] == pytest.approx(
        probe(without, trained(without).checkpoints)["scaled_sharpness"][0], rel=0.02
    )
    rows = probe(run, kept, "preconditioned")["preconditioned_sharpness"]
    assert rows[-1] > 0


def test_a_frozen_parameter_does_not_move_and_its_row_says_so():
    result = trained(spec("Frozen"))
    kept = result.checkpoints
    assert torch.equal(kept[STEPS]["inp.weight"], kept[0]["inp.weight"])
    assert not torch.equal(kept[STEPS]["out.weight"], kept[0]["out.weight"])
    rates = {row["name"]: row["lr"] for row in result.parameters}
    assert rates["inp.weight"] == 0 < rates["out.weight"]
    with pytest.raises(RoleError, match="AllFrozen has no parameter to train"):
        trained(spec("AllFrozen"))


@pytest.mark.parametrize("weights", ["fan_in", "unit"])
def test_values_of_the_author_stay(weights):
    """All but those of weights, and of biases of layers, which begin at zero."""
    kept = trained(spec("OwnValues", weights=weights)).checkpoints
    assert torch.equal(kept[0]["bias"], torch.linspace(-1, 1, 8))
    assert torch.equal(kept[0]["norm.bias"], torch.full((8,), 0.5))
    assert torch.equal(kept[0]["mid.bias"], torch.zeros(8))
    for step in (0, STEPS):
        assert torch.equal(kept[step]["inp.weight"], torch.eye(8, 6))


def test_the_row_of_a_frozen_parameter_is_that_of_one_that_keeps_its_values():
    rows = trained(spec("OwnValues", weights="unit")).parameters
    (row,) = (row for row in rows if row["name"] == "inp.weight")
    values = {name: row[name] for name in ("init_std", "multiplier", "lr", "weight_decay")}
    assert values == {"init_std": 0, "multiplier": 1, "lr": 0, "weight_decay": 0}


@pytest.mark.parametrize("optimizer", ["adamw", "muon", "sgd"])
def test_the_row_of_padding_is_zero_and_untrained(optimizer):
    table = "mup_muon" if optimizer == "muon" else "mup"
    run = text(model="Padded", optimizer=optimizer, parameterisation=table, weight_decay=0.1)
    kept = trained(run).checkpoints
    for step in (0, STEPS):
        assert not kept[step]["inp.weight"][0].any()
        assert kept[step]["inp.weight"][1:].any(dim=1).all()
    assert not torch.equal(kept[0]["inp.weight"], kept[STEPS]["inp.weight"])


@pytest.mark.parametrize("weights", ["fan_in", "unit"])
@pytest.mark.parametrize("width", [4, 8, 32])
def test_a_readout_of_gain_0_begins_at_zero_and_is_trained(weights, width):
    run = spec("ZeroReadout", weights=weights, shape={"width": width, "depth": 1})
    result = trained(run)
    assert not result.checkpoints[0]["out.weight"].any()
    assert result.checkpoints[STEPS]["out.weight"].any()
    assert result.history.train_loss[0] == pytest.approx(np.log(2), rel=1e-5)
    assert result.history.train_loss[-1] < 0.95 * result.history.train_loss[0]


@pytest.mark.parametrize("model", ["Tied", "TiedBackwards"])
def test_a_tied_tensor_is_one_parameter(model):
    run = text(model=model, optimizer="sgd", lr=0.5)
    result = trained(run)
    [row] = result.parameters
    assert row["role"] == "input"
    state = interrupted(run, 3)
    assert_bit_equal(trained(run, resume=state), result)
    assert result.history.train_loss[-1] < result.history.train_loss[0]


def test_a_tied_readout_has_the_multiplier_of_outputs():
    """As `TiedLinear`: 1/m_N under µP, at a width of 2 × the base."""
    run = text(model="Tied")
    network, _ = build.drawn_model(run, build.data(run), lookup.table(run))
    assert isinstance(network, Tied)
    assert network.out.multiplier / network.inp.multiplier == pytest.approx(0.5)
    with pytest.raises(RoleError, match="scales outputs otherwise than inputs"):
        trained(text(model="Tied", parameterisation="completed_p"))


def test_tensors_that_a_table_treats_differently_are_refused():
    with pytest.raises(RoleError, match=r"first\.weight .* and .*layers\.0\.weight .*share one"):
        trained(spec("SharedAcross"))
    assert len(trained(spec("SharedHidden")).parameters) == 3


def test_a_parameter_without_a_shape_is_refused_by_name():
    with pytest.raises(RoleError, match=r"lazy\.weight of LazyNet has no shape before the first"):
        trained(spec("LazyNet"))


def test_weights_of_convolutions_alone_are_stored_channels_last():
    def network(model):
        run = spec(model)
        return build.drawn_model(run, build.data(run), lookup.table(run))[0]

    weight = network("ThroughAKernel").conv.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert not weight.is_contiguous()
    own = network("ManyDimensions")
    assert all(t.is_contiguous() for t in (own.gate, own.table, own.volume))


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("DoubleComplex", "phases is of the type complex128, .* use complex64"),
        ("Sparse", "graph is a sparse tensor, .* make it dense"),
    ],
)
def test_tensors_that_no_file_can_hold_are_refused_by_name(model, text):
    with pytest.raises(ValueError, match=text):
        trained(spec(model))
