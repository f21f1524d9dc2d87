"""Networks and data sets of users: one key gives one result, and nothing measured changes a run."""

from __future__ import annotations

import itertools
import math
import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.support import own_parts
from tests.support.own_parts import Tied
from tests.support.probes import measured
from tests.training.test_state import assert_bit_equal
from torch.nn import functional as F

from hypertransfer.catalogue import complete, lookup
from hypertransfer.catalogue.cards.datasets import DatasetError
from hypertransfer.data.samples import batches
from hypertransfer.networks import growth
from hypertransfer.networks.tagged import RoleError
from hypertransfer.probes.checkpoint import initial_view
from hypertransfer.training import build, class_values, data_sets, evaluation
from hypertransfer.training.interruption import Saver, StopRequest
from hypertransfer.training.loop import train
from hypertransfer.training.state import State, StateError

pytestmark = pytest.mark.usefixtures("own")

NETWORKS = [
    "Plain", "Dropped", "NumpyNoise", "RandomVector", "RandomBuffer", "Normed", "FrozenNorm",
    "LateBlock", "Unused", "Frozen", "ZeroReadout", "SharedHidden", "ManyDimensions",
    "ThroughAKernel", "OwnValues", "ShiftedInPlace",
    "OwnGenerator", "Counting", "Averaging", "CountingAll", "LowRank", "Balanced", "Freezing",
    "SharedBuffer", "BatchMoments", "DoublePrecision", "EndingDropout", "NeverPickled",
]  # fmt: skip
STEPS = 12


def spec(model="Plain", **values):
    if isinstance(model, str) and model != "residual_mlp" and ":" not in model:
        model = f"mine:{model}"
    return complete.run_spec(
        {
            "model": model, "data": "mine:samples", "base": {"width": 4, "depth": 1},
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
    return measured(run, name, weights, samples=16)


@pytest.mark.parametrize("model", [*NETWORKS, "Compiled"])
def test_the_state_of_the_process_decides_no_number(model):
    run = spec(model)
    disturb(1)
    first = trained(run)
    disturb(2)
    second = trained(run)
    assert_bit_equal(first, second)
    assert np.isfinite(first.history.train_loss).all()


@pytest.mark.parametrize("model", [*NETWORKS, "CountingNetwork"])
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
    settings = {"probe": "hessian", "samples": 8}
    view = initial_view(run, lookup.table(run), settings, torch.device("cpu"))
    assert all(torch.equal(view.initial[n], kept[0][n]) for n in kept[0])


def test_seeds_differ_in_what_the_network_draws_by_itself():
    table, settings, device = lookup.table(spec()), {"probe": "hessian"}, torch.device("cpu")
    views = [
        initial_view(spec("RandomBuffer", seed=seed), table, settings, device) for seed in (0, 1)
    ]
    assert not torch.equal(views[0].initial["omega"], views[1].initial["omega"])


def test_a_data_set_drawn_from_global_generators_is_one_data_set():
    found = []
    for number in (1, 2):
        data_sets._data.cache_clear()
        disturb(number)
        found.append(data_sets.samples(spec(data="mine:unseeded", seed=number)).train_x)
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


def test_the_row_of_padding_of_a_tied_embedding_is_trained_as_the_readouts():
    kept = trained(text(model="TiedPadded")).checkpoints
    assert not kept[0]["inp.weight"][0].any()
    assert kept[STEPS]["inp.weight"][0].any()


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
    network, _ = build.drawn_model(run, data_sets.samples(run), lookup.table(run))
    assert isinstance(network, Tied)
    assert network.out.multiplier / network.inp.multiplier == pytest.approx(0.5)
    with pytest.raises(RoleError, match="scales outputs otherwise than inputs"):
        trained(text(model="Tied", parameterisation="completed_p"))


@pytest.mark.parametrize(
    ("model", "values", "name"),
    [
        ("RawReadout", {}, "out"),
        ("TiedInAMethod", {"data": "mine:tokens"}, "inp"),
        ("RawBehindZero", {"weights": "unit"}, "out"),
        ("RawReadout", {"weights": "unit", "parameterisation": "sp"}, "out"),
    ],
)
def test_a_weight_that_is_used_without_its_multiplier_is_refused(model, values, name):
    with pytest.raises(RoleError, match=rf"{model} computes with {name}\.weight outside .*Tied"):
        trained(spec(model, **values))


@pytest.mark.parametrize("model", ["Positioned", "Remembering"])
@pytest.mark.parametrize(
    ("data", "rows"),
    [("tokens", 0), ("tokens", 1), ("tokens", 9), ("square_tokens", 0), ("pairs", 0), ("pairs", 3)],
)
def test_a_table_whose_rows_are_not_those_of_outputs_is_no_readout(model, data, rows):
    """Its multiplier is 1 under µP, whether it has more or fewer rows than there are outputs."""
    own = {"name": f"mine:{model}", "rows": rows}
    assert trained(spec(own, data=f"mine:{data}")).status == "finished"


TIED = [
    {}, {"rows": 0}, {"first": 1}, {"first": 2}, {"form": "capped"}, {"form": "raw"},
    {"form": "log"},
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "options"),
    [*itertools.product(["tokens", "square_tokens"], TIED), *(("pairs", o) for o in TIED[:-1])],
)
def test_a_readout_by_rows_of_a_table_needs_its_multiplier(data, options):
    run = spec({"name": "mine:TiedToRows", **options}, data=f"mine:{data}")
    with pytest.raises(RoleError, match=r"TiedToRows computes with inp\.weight outside .*Tied"):
        trained(run)


def test_weights_that_are_used_with_their_multiplier_are_those_of_layers():
    """Under µP at twice the base width a tied readout has half the embedding; SP scales nothing."""
    assert_bit_equal(trained(spec("ScaledReadout")), trained(spec("Plain")))
    assert_bit_equal(
        trained(spec("RawReadout", parameterisation="sp")), trained(spec(parameterisation="sp"))
    )
    run = text(model="TiedByALayer")
    result = trained(run)
    data, weight = data_sets.samples(run), result.checkpoints[0]["inp.weight"]
    index = next(iter(batches(len(data.train_y), run.batch_size, run.seed)))
    logits = 0.5 * weight[data.train_x[index]] @ weight.T
    expected = F.cross_entropy(logits.flatten(0, 1), data.train_y[index].flatten()).item()
    assert result.history.train_loss[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("model", "names"),
    [("WithoutGradients", "mid.weight, mid.bias"), ("Unused", "spare.weight, spare.bias")],
)
def test_parameters_without_a_gradient_are_named(model, names, caplog):
    trained(spec(model))
    assert f"no gradient reaches {names} of {model}" in caplog.text
    caplog.clear()
    trained(spec("Frozen"))
    assert "no gradient" not in caplog.text


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
        return build.drawn_model(run, data_sets.samples(run), lookup.table(run))[0]

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


# Measurements ------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [*NETWORKS, "Compiled"])
def test_evaluating_more_often_does_not_change_the_run(model):
    seldom, often = trained(spec(model)), trained(spec(model, eval_every=1))
    for step, kept in seldom.checkpoints.items():
        assert all(torch.equal(kept[n], often.checkpoints[step][n]) for n in kept)
    assert repr(seldom.history.train_loss) == repr(often.history.train_loss)
    assert repr(seldom.history.router_entropy) == repr(often.history.router_entropy)


def test_a_network_that_changes_its_input_does_not_change_the_data():
    run, twin = spec("ShiftedInPlace"), spec("Shifted")
    result, expected = trained(run), trained(twin)
    assert repr(result.history) == repr(expected.history)
    data, fresh = data_sets.samples(run), own_parts.samples()
    assert torch.equal(data.train_x, fresh.train_x)
    assert torch.equal(data.test_x, fresh.test_x)
    for name in ("hessian", "gauss_newton", "trace"):
        rows, those = (probe(s, r.checkpoints, name) for s, r in ((run, result), (twin, expected)))
        assert {**rows, "seconds": 0} == {**those, "seconds": 0}


def first_batch(run):
    data = data_sets.samples(run)
    index = next(iter(batches(len(data.train_y), run.batch_size, run.seed)))
    return data.train_x[index].flatten(1), data.train_y[index]


def test_counting_operations_is_no_training_pass():
    """The first loss by hand, after one pass; half the output is the multiplier of µP."""
    run = spec("Counting")
    result = trained(run)
    x, y = first_batch(run)
    w = result.checkpoints[0]
    h = F.relu(x @ w["inp.weight"].T) * (1 + 0.1)
    expected = F.cross_entropy(0.5 * h @ w["out.weight"].T, y).item()
    assert result.history.train_loss[0] == pytest.approx(expected, rel=1e-5)


def test_passes_that_a_container_counts_are_those_of_training():
    """As `Counting`, which counts its training passes alone."""
    counted = trained(spec("Counting"))
    for every in (1, 4):
        result = trained(spec("Tallying", eval_every=every))
        assert repr(result.history.train_loss) == repr(counted.history.train_loss)


def test_a_network_that_cannot_be_copied_is_trained(caplog):
    result = trained(spec("Locked"))
    assert "Locked cannot be copied" in caplog.text
    assert_bit_equal(result, trained(spec("Plain")))


def test_hooks_and_statistics_are_of_the_training_pass():
    run = spec("Balanced", checkpoints=[0, 1])
    result = trained(run)
    x, _ = first_batch(run)
    mean = F.relu(x @ result.checkpoints[0]["inp.weight"].T).mean(0)
    torch.testing.assert_close(result.checkpoints[1]["shift"], 0.1 * mean)
    assert result.history.router_entropy[0] == pytest.approx(mean.mean().item(), rel=1e-5)


def test_weights_that_an_evaluation_merges_are_trained_and_probed_apart():
    run = spec("LowRank")
    kept = trained(run).checkpoints
    data = data_sets.samples(run)
    x, y = data.train_x[:16].flatten(1), data.train_y[:16]

    def loss(w):
        """µP at twice the base width: half of the readout's output."""
        h = F.relu(x @ w["inp.weight"].T)
        h = h @ w["a.weight"].T + h @ w["b.weight"].T
        return F.cross_entropy(0.5 * h @ w["out.weight"].T, y).item()

    losses = probe(run, kept)["loss"]
    assert losses == pytest.approx([loss(w) for w in kept.values()], rel=1e-5)
    settings = {"probe": "hessian", "samples": 16}
    view = initial_view(run, lookup.table(run), settings, torch.device("cpu"))
    before = view.network(view.x)
    with view.at_start():
        assert view.landscape().loss(view.network(view.x), slice(16)).item() == pytest.approx(
            loss(kept[0]), rel=1e-5
        )
    assert torch.equal(view.network(view.x), before)


def test_an_evaluation_batch_never_has_a_single_sample(monkeypatch):
    """32 test samples; batch norm with the moments of the batch cannot normalise a single one."""
    monkeypatch.setattr(evaluation, "EVAL_BATCH", 31)
    assert math.isfinite(trained(spec("BatchMoments")).history.eval_loss[-1])
    for n, size in itertools.product(range(1, 30), range(1, 9)):
        parts = evaluation._parts(n, size)
        assert sum(parts) == n
        assert n == 1 or size == 1 or min(parts) > 1
        assert n % size == 1 or parts == [len(part) for part in torch.arange(n).split(size)]


# What a run may depend on ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"model": "mine:DrawnByTheModule"}, ValueError, "other values of gate each time it is bu"),
        ({"model": "mine:NoiseOfTheModule"}, ValueError, "other outputs each time from one seed"),
        ({"data": "mine:drawn_by_the_module"}, DatasetError, "other values of train_x each time"),
    ],
)
def test_draws_that_depend_on_what_ran_before_are_refused(values, error, message):
    with pytest.raises(error, match=message):
        trained(spec(**values))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("cached", "cached returns the same .*norm.weight.* each time it is called, .*without a c"),
        ("WithCachedLayer", "WithCachedLayer returns the same mid.weight each time it is called"),
    ],
)
def test_a_builder_that_returns_what_it_returned_before_is_refused(model, message):
    with pytest.raises(ValueError, match=message):
        trained(spec(model))


def test_each_run_finds_the_classes_of_an_optimizer_as_at_their_import():
    run = own_optimizer("CountingInClass")
    first, cls = trained(run), own_parts.CountingInClass
    assert (cls.steps, len(cls.noted["steps"])) == (STEPS, STEPS)
    assert_bit_equal(trained(run), first)
    assert (cls.steps, len(cls.noted["steps"])) == (STEPS, STEPS)
    trained(own_optimizer("Descent"))
    assert (cls.steps, cls.noted, hasattr(cls, "late")) == (0, {"steps": []}, False)


@pytest.mark.parametrize("after", [1, 5])
def test_attributes_of_the_class_of_an_optimizer_go_on_in_another_process(after):
    run = own_optimizer("CountingInClass")
    state = interrupted(run, after)
    class_values.restore()
    assert_bit_equal(trained(run, resume=state), trained(run))


def test_each_run_finds_the_classes_of_a_network_as_at_their_import():
    first = trained(spec("CountingNetwork"))
    assert own_parts.CountingNetwork.updates == STEPS
    assert_bit_equal(trained(spec("CountingNetwork")), first)
    assert own_parts.CountingNetwork.updates == STEPS


@pytest.fixture
def written(monkeypatch):
    """Writes modules into the working directory; they are unloaded after the test."""
    names = []

    def write(name: str, *lines: str) -> None:
        Path(f"{name}.py").write_text("\n".join(lines) + "\n")
        names.append(name)

    monkeypatch.syspath_prepend(str(Path.cwd()))
    yield write
    for name in names:
        sys.modules.pop(name, None)


NET = ("from tests.support import own_parts", "class Net(own_parts.Plain):")
DATA = ("from tests.support import own_parts", "class Kept:", "    held = {}")


def test_classes_of_all_modules_of_the_project_are_as_at_their_import(written):
    """A counter in a module that the network's module imports."""
    written("helper_parts", "class Act:", "    calls = 0")
    written(
        "net_of_helper",
        "import helper_parts",
        *NET,
        "    def middle(self, h):",
        "        return h * (1 + 0.1 * helper_parts.Act.calls)",
        "    def after_update(self):",
        "        helper_parts.Act.calls += 1",
    )
    run = spec("net_of_helper:Net")
    first = trained(run)
    assert_bit_equal(trained(run), first)
    state = interrupted(run, 5)
    class_values.restore()
    assert_bit_equal(trained(run, resume=state), first)


def test_what_a_data_set_leaves_in_classes_is_there_in_each_run(written):
    """The second run takes the data set from memory; loading it twice, to compare, counts once."""
    written(
        "data_that_keeps",
        *DATA,
        "def load():",
        "    Kept.held['times'] = Kept.held.get('times', 0) + 1",
        "    return own_parts.samples()",
    )
    written(
        "net_of_data",
        "import data_that_keeps",
        *NET,
        "    def middle(self, h):",
        "        return h * data_that_keeps.Kept.held['times']",
    )
    run = spec("net_of_data:Net", data="data_that_keeps:load")
    first = trained(run)
    assert sys.modules["data_that_keeps"].Kept.held == {"times": 1}
    assert_bit_equal(first, trained(spec("Plain")))
    assert_bit_equal(trained(run), first)


@pytest.mark.parametrize("changes", [False, True])
def test_objects_that_cannot_be_saved_in_classes_that_training_leaves_alone(written, changes):
    written(
        "data_with_lock",
        "import threading",
        *DATA,
        "    locks = {'file': [threading.Lock()]}",
        "def load():",
        "    return own_parts.samples()",
    )
    change = "data_with_lock.Kept.locks['steps'] = 1" if changes else "pass"
    written(
        "net_of_lock",
        "import data_with_lock",
        *NET,
        "    def after_update(self):",
        f"        {change}",
    )
    run = spec("net_of_lock:Net", data="data_with_lock:load")
    if changes:
        with pytest.raises(StateError, match=r"Kept\.locks"):
            interrupted(run, 5)
    else:
        assert_bit_equal(trained(run, resume=interrupted(run, 5)), trained(run))


def test_draws_at_an_import_are_the_same_in_every_process(monkeypatch, tmp_path):
    (tmp_path / "drawing_parts.py").write_text(
        "import random, numpy, torch\n"
        "from tests.support import own_parts\n"
        "X = torch.randn(6) + float(numpy.random.rand()) + random.random()\n"
        "class Net(own_parts.Plain):\n"
        "    def forward(self, x):\n"
        "        return super().forward(x * X)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    run = spec("drawing_parts:Net")
    results = []
    for number in (1, 2):
        monkeypatch.delitem(sys.modules, "drawing_parts", raising=False)
        disturb(number)
        results.append(trained(run))
    monkeypatch.delitem(sys.modules, "drawing_parts")
    assert_bit_equal(*results)


def test_settings_that_a_data_set_changes_are_gone_after_loading():
    """The first run of a process loads the data; the second has them in memory."""
    first = trained(spec(data="mine:restless"))
    second = trained(spec(data="mine:restless"))
    assert_bit_equal(first, second)
    assert_bit_equal(first, trained(spec()))


# State -------------------------------------------------------------------------------------


def test_an_attribute_that_no_file_can_hold_is_named():
    with pytest.raises(
        StateError, match=r"^Iterating\.counter holds an object of itertools\.count, which ca"
    ):
        interrupted(spec("Iterating"), 2)


def test_a_run_that_cannot_be_saved_goes_on_as_one_that_is_not(caplog):
    run, kept = spec("Iterating"), []
    result = trained(run, save=Saver(kept.append, 0, StopRequest()))
    assert not kept
    assert caplog.text.count("cannot be saved: Iterating.counter holds") == STEPS
    assert_bit_equal(result, trained(run))


def test_a_mode_that_a_network_sets_in_training_stays_after_an_interruption():
    """Without its dropout a network has equal outputs in training and in evaluation."""
    kept = interrupted(spec("EndingDropout"), 5)
    assert kept.numbers["modules"]["evaluating"] == ["drop"]
    assert interrupted(spec("EndingDropout"), 3).numbers["modules"]["evaluating"] == []


@pytest.mark.parametrize("model", ["ReplacingDropout", "WithLateHook"])
def test_modules_and_hooks_that_change_in_training_cannot_be_saved(model):
    assert interrupted(spec(model), 3).done == 3
    text = f"^{model} has changed modules or hooks in training, which cannot be saved: drop$"
    with pytest.raises(StateError, match=text):
        interrupted(spec(model), 4)


def test_a_frozen_layer_stays_frozen_after_an_interruption():
    run = spec("Freezing", checkpoints=[4, 8, STEPS])
    kept = trained(run, resume=interrupted(run, 5)).checkpoints
    assert torch.equal(kept[4]["inp.weight"], kept[8]["inp.weight"])
    assert not torch.equal(kept[8]["inp.weight"], kept[STEPS]["inp.weight"])


def test_all_names_of_a_shared_buffer_are_kept():
    kept = trained(spec("SharedBuffer")).checkpoints[STEPS]
    assert kept["first.mask"].eq(1).all()
    assert kept["second.mask"].mean().item() == pytest.approx(1.05**STEPS, rel=1e-5)


# What is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("Column", r"outputs of shape \(16, 1, 2\)"),
        ("Pair", "a tuple"),
        ("Maps", r"outputs of shape \(16, 2, 1, 1\)"),
        ("Mean", r"outputs of shape \(\)"),
        ("Fewer", r"outputs of shape \(16, 1\)"),
        ("More", r"outputs of shape \(16, 5\)"),
    ],
)
def test_outputs_that_do_not_fit_the_targets_are_refused(model, found, loss):
    with pytest.raises(ValueError, match=rf"{model} returns {found}; .*floats of shape \(16, 2\)"):
        trained(spec(model, loss=loss))


def test_outputs_for_numbers_have_a_column():
    trained(spec(data="mine:numbers", loss="mse"))
    with pytest.raises(ValueError, match=r"shape \(16,\); .*floats of shape \(16, 1\)"):
        trained(spec("Flat", data="mine:numbers", loss="mse"))


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        ("Late", RoleError, r"Late makes parameters in forward: extra\.weight; make them in __in"),
        ("Thawing", RoleError, r"inp\.weight of Thawing would be trained after 1 updates"),
        ("UnknownStatistics", ValueError, r"returns feature_mean, .*columns for load_imbalance, r"),
        ("PenaltyNumber", TypeError, r"PenaltyNumber\.penalty is 0\.1, but .*rename the attribut"),
        ("PenaltyOfNothing", TypeError, r"OfNothing\.penalty\(\) returns None, but it must return"),
        ("PenaltyVector", TypeError, r"penalty\(\) returns shape \(8,\), but it must return one n"),
        ("RoleByName", RoleError, r"mid\.weight has the role 'hidden', which is .*Role\.HIDDEN"),
        (
            "UntaggedNorms",
            RoleError,
            r"bn\.weight, bn\.bias, ln\.weight, ln\.bias of .*"
            r"self\.bn\.roles = \{'weight': Role\.VECTOR, 'bias': Role\.VECTOR\} of BatchNorm1d",
        ),
        ("NoNetwork", TypeError, r"mine:NoNetwork returns a NoNetwork, and not a torch\.nn\.Modul"),
    ],
)
def test_a_network_that_cannot_be_trained_is_refused(model, error, message):
    with pytest.raises(error, match=message):
        trained(spec(model))


def test_one_hot_targets_are_told_to_be_classes():
    with pytest.raises(DatasetError, match=r"shape \(96, 2\): .*for classes use \.argmax\(1\)"):
        trained(spec(data="mine:one_hot"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            "short_augment",
            r"augment returns shape \(16, 1, 1, 5\) .*batch of shape \(16, 1, 1, 6\)",
        ),
        ("augment_without_seed", r"augment is called as augment\(x, seed\), but takes \(x\)"),
    ],
)
def test_an_augmentation_that_does_not_fit_is_refused(data, message):
    with pytest.raises(DatasetError, match=rf"mine:{data}: {message}"):
        trained(spec(data=f"mine:{data}"))


def own_optimizer(name, **values):
    return spec(optimizer={"name": f"mine:{name}", "gradient_power": 1}, **values)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("UnannouncedClosure", TypeError, r"step takes arguments, .*set needs_closure = True"),
        ("ModeOfModules", TypeError, r"ModeOfModules\.train takes \(mode\), .* train\(\): ma"),
        (
            "IteratingWithModes",
            TypeError,
            r"\.counter holds .*\.count, .* has eval\(\) and train\(\)",
        ),
        ("IteratingLate", TypeError, r"\.counter holds .*\.count, .* has eval\(\) and train\(\)"),
        ("ModesThatAreValues", TypeError, r"Values\.eval is True, but .* calls eval\(\): make"),
        ("ShareThatIsAValue", TypeError, r"unclipped_share is 0\.5, but .*unclipped_share\(\)"),
        ("ObservingTooLittle", TypeError, r"takes \(step, x, y\), .*\(step, model, loss_fn, x, y"),
        ("one_rate", ValueError, r"inp\.weight has 0\.5, and 0\.\d+ was handed over; pass the gr"),
        ("output_alone", ValueError, r"inp\.weight has none, and 0\.\d+ was handed over"),
        ("doubled_rates", ValueError, r"does not train each parameter once with the learning ra"),
        ("without_rates", ValueError, r"inp\.weight has nan, and 0\.\d+ was handed over"),
        ("list_of_optimizers", TypeError, r"returns a list, and not a torch\.optim\.Optimizer"),
        ("GrowingGroups", ValueError, r"GrowingGroups has \d parameter groups after 1 updates, bu"),
    ],
)
def test_an_optimizer_that_cannot_be_called_is_refused(name, error, message):
    with pytest.raises(error, match=message):
        trained(own_optimizer(name))


@pytest.mark.parametrize(("name", "updates"), [("IteratingWithModes", 0), ("IteratingLate", 3)])
def test_a_state_that_evaluations_need_is_tried_before_training(name, updates):
    """Weights are evaluated first in the fourth step, before its state is offered."""
    done = []
    with pytest.raises(TypeError):
        trained(own_optimizer(name), save=lambda _: done.append(1))
    assert len(done) == updates


@pytest.mark.parametrize("width", [4, 8])
def test_a_hidden_matrix_that_stops_growing_is_refused_at_every_width(width):
    """The base width is 4; beyond the width 8 one side of the matrix is constant."""
    with pytest.raises(RoleError, match=r"fan_out of up\.weight is 4, 8, 8, . at the widths 4, 16"):
        trained(spec("Clipped", shape={"width": width, "depth": 1}))


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        ("FixedWidth", {"width": 8, "depth": 1}, "the same at the widths 4, 16, 64, 8, so that"),
        ("FixedDepth", {"width": 8, "depth": 3}, "FixedDepth is the same at the depths 1 and 3"),
        ("FixedWithObjects", {"width": 8, "depth": 3}, "is the same at the depths 1 and 3"),
    ],
)
def test_a_network_that_ignores_its_shape_is_refused(model, shape, message):
    """Its runs of all sizes would be equal, and all hyperparameters would seem to transfer."""
    with pytest.raises(RoleError, match=message):
        trained(spec(model, shape=shape))
    assert trained(spec(model, shape={"width": 4, "depth": 1})).parameters


@pytest.mark.parametrize("holder", own_parts.HOLDERS)
def test_any_object_may_hold_the_depth(holder):
    own = {"name": "mine:Holding", "holder": holder}
    run = spec(own, shape={"width": 8, "depth": 3}, base={"width": 8, "depth": 1})
    assert build.drawn_model(run, data_sets.samples(run), lookup.table(run))


def test_an_attribute_may_have_no_text():
    run = spec("DeepWithoutText", shape={"width": 8, "depth": 3})
    assert build.drawn_model(run, data_sets.samples(run), lookup.table(run))


def test_an_object_may_hold_the_depth():
    run = spec("LoopedByAnObject", shape={"width": 8, "depth": 3})
    assert_bit_equal(trained(run), trained(spec("Looped", shape={"width": 8, "depth": 3})))


@pytest.mark.parametrize("model", ["Deep", "Looped"])
@pytest.mark.parametrize("depth", [1, 3])
def test_a_table_for_depth_needs_branches(model, depth, caplog):
    values = {"shape": {"width": 8, "depth": depth}, "parameterisation": "completed_p"}
    trained(spec(model, **values))
    assert ("mine:Deep has no residual branch" in caplog.text) == (model == "Deep" and depth == 3)
    caplog.clear()
    trained(spec(model, **{**values, "parameterisation": "mup"}))
    assert "no residual branch" not in caplog.text


def test_a_network_that_larger_widths_lack_is_trained_with_a_warning(caplog):
    result = trained(spec("LargerWidthsRefused"))
    assert "LargerWidthsRefused cannot be built at the widths 4, 16, 64 " in caplog.text
    assert_bit_equal(result, trained(spec("Plain")))
    assert trained(spec("LargerWidthsRefused", shape={"width": 4, "depth": 1})).parameters


@pytest.mark.parametrize(
    ("model", "values", "again"),
    [
        ("Plain", {"lr": 0.1, "shape": {"width": 16, "depth": 1}}, False),
        ("Plain", {"seed": 6}, True),  # sizes of the user may be drawn
        ("Deep", {"shape": {"width": 8, "depth": 2}}, True),
        ("Plain", {"base": {"width": 2, "depth": 1}}, True),
        ("Plain", {"data": "mine:numbers", "loss": "mse"}, True),
        ("residual_mlp", {"seed": 6}, False),
        ("residual_mlp", {"model": {"name": "residual_mlp", "bias": True}}, True),
    ],
)
def test_networks_are_compared_once_for_all_runs_of_equal_sizes(monkeypatch, model, values, again):
    built = []
    without_memory = growth._without_memory

    def counting(make, width):
        built.append(width)
        return without_memory(make, width)

    monkeypatch.setattr(growth, "_without_memory", counting)
    growth._at_larger_widths.cache_clear()
    for run in (spec(model), spec(**{"model": model, **values})):
        build.drawn_model(run, data_sets.samples(run), lookup.table(run))
    assert len(built) == (6 if again else 3)


def test_an_optimizer_may_fold_groups_of_one_rate():
    assert trained(own_optimizer("folded")).status == "finished"


def test_an_optimizer_gets_eps_and_betas_in_the_groups_alone():
    """At the base width, where the table scales nothing."""
    options = {"eps": 1e-6, "betas": [0.8, 0.9]}
    optimizer = {"name": "mine:noting_eps", "gradient_power": 0, **options}
    run = spec(optimizer=optimizer, shape={"width": 4, "depth": 1})
    network, rows = build.drawn_model(run, data_sets.samples(run), lookup.table(run))
    made = build.optimizer(run, network, rows)
    assert {eps for _, eps, _ in made.noted} == {1e-6}
    assert {betas for _, _, betas in made.noted} == {(0.8, 0.9)}
    assert all(options == {} for options, _, _ in made.noted)


def test_an_optimizer_may_have_a_plain_zero_grad():
    assert_bit_equal(trained(own_optimizer("PlainZeroGrad")), trained(own_optimizer("Descent")))


def test_a_closure_returns_the_loss_with_the_penalty():
    own_parts.Reevaluating.noted.clear()
    result = trained(own_optimizer("Reevaluating", model="Penalised", checkpoints=[0]))
    penalty = 10 * result.checkpoints[0]["out.weight"].square().sum().item()
    expected = result.history.train_loss[0] + penalty
    assert own_parts.Reevaluating.noted[0] == pytest.approx(expected, rel=1e-5)


def test_an_optimizer_of_the_library_may_be_named_by_its_import_path():
    """It takes eps, by name and in its groups, as it does under its own name."""
    options = {"eps": 0.01, "betas": [0.9, 0.99], "fused": False}
    path = {"name": "hypertransfer.optimizers.adam:make", "gradient_power": 0, **options}
    named = trained(spec(optimizer={"name": "adamw", **options}))
    assert_bit_equal(trained(spec(optimizer=path)), named)


# Divergence --------------------------------------------------------------------------------


def test_a_penalty_may_be_a_number_of_numpy():
    """A constant has no gradient."""
    assert_bit_equal(trained(spec("PenaltyOfNumpy")), trained(spec("Plain")))


@pytest.mark.parametrize("eval_every", [4, STEPS])
def test_a_first_loss_of_0_decides_nothing(eval_every):
    """Outputs and the targets of the first minibatch are 0, so that its loss is 0."""
    values = {"data": "mine:rare", "loss": "mse", "batch_size": 2, "eval_every": eval_every}
    result = trained(spec("ZeroReadout", **values))
    assert result.history.train_loss[0] == 0 < result.history.eval_loss[0]
    assert result.status == "finished"
    diverged = trained(spec("ZeroReadout", **values, optimizer="sgd", lr=1e4))
    assert diverged.status == "diverged"
    assert diverged.history.train_loss[-1] > 100 * diverged.history.eval_loss[0]
