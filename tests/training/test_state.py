"""A run that was interrupted goes on from its saved state and ends as if nothing had happened."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hypertransfer.catalogue import complete, lookup
from hypertransfer.execution import probe_cell, train_cell
from hypertransfer.execution.train_cell import CellRun
from hypertransfer.planning import keys
from hypertransfer.runs.columns import SECONDS
from hypertransfer.storage.run_store import DamagedEntry, Store
from hypertransfer.training.interruption import Interrupted, Saver, signals
from hypertransfer.training.loop import train
from hypertransfer.training.state import State, StateError

STEPS = 30
BASE = {
    "model": {"name": "residual_mlp", "bias": True},
    "data": {"name": "digits", "train": 200, "test": 50},
    "base": {"width": 4, "depth": 1},
    "shape": {"width": 8, "depth": 2},
    "parameterisation": "mup",
    "optimizer": {"name": "sgd", "momentum": 0.9},
    "lr": 0.05,
    "batch_size": 16,
    "steps": STEPS,
    "seed": 3,
    "log_every": 4,
    "eval_every": 7,
    "checkpoints": [0, 11, STEPS],
}
KINDS = {
    "momentum": {},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.1, "lr": 0.01},
    "warm-up": {"schedule": {"warmup": 12}},
    "channels-last": {
        "model": "conv",
        "data": {"name": "fashion_mnist_subset", "train": 100, "test": 20},
        "shape": {"width": 8, "depth": 1},
        "optimizer": "adam",
        "lr": 0.01,
    },
    "diverging": {"lr": 300.0, "divergence": 1e30},
}


class Stop(Exception):
    """Stands for a kill."""


def spec(**values):
    return complete.run_spec({**BASE, **values})


def whole(run):
    return train(run, lookup.table(run))


def interrupted(run, after):
    """The state that a process saved before it was killed after so many updates."""
    taken = []

    def save(take):
        state = take()
        if state.done == after:
            taken.append(state.to_bytes())
            raise Stop

    with pytest.raises(Stop):
        train(run, lookup.table(run), save=save)
    return State.from_bytes(taken[0])


def assert_bit_equal(one, other):
    assert repr(one.history) == repr(other.history)
    assert one.checkpoints.keys() == other.checkpoints.keys()
    for step, tensors in one.checkpoints.items():
        for name, tensor in tensors.items():
            assert torch.equal(tensor, other.checkpoints[step][name]), (step, name)
    for name in ("status", "steps_done", "final_loss", "flops", "parameters"):
        assert getattr(one, name) == getattr(other, name), name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("after", [1, 9, 11, STEPS - 1])
def test_a_resumed_run_is_bit_equal(kind, after):
    run = spec(**KINDS[kind])
    undisturbed = whole(run)
    if after >= undisturbed.steps_done:
        pytest.skip("the run has diverged before")
    resumed = train(run, lookup.table(run), resume=interrupted(run, after))
    assert_bit_equal(resumed, undisturbed)


@settings(derandomize=True, deadline=None, max_examples=12)
@given(st.lists(st.integers(1, STEPS - 1), min_size=1, max_size=4, unique=True).map(sorted))
def test_however_often_it_is_interrupted(moments):
    run, state = spec(optimizer="adamw", lr=0.01), None
    for moment in moments:

        def save(take, moment=moment):
            if (now := take()).done == moment:
                raise Stop(now.to_bytes())

        with pytest.raises(Stop) as stopped:
            train(run, lookup.table(run), resume=state, save=save)
        state = State.from_bytes(stopped.value.args[0])
    assert_bit_equal(train(run, lookup.table(run), resume=state), whole(run))


def test_the_time_before_an_interruption_counts():
    state = interrupted(spec(), 9)
    later = State(state.done, {**state.numbers, "seconds": 1000.0}, state.tensors)
    assert train(spec(), lookup.table(spec()), resume=later).seconds > 1000


def test_saving_changes_nothing():
    run = spec(optimizer="adamw", lr=0.01)
    assert_bit_equal(train(run, lookup.table(run), save=lambda take: take().to_bytes()), whole(run))


@pytest.mark.parametrize(
    "other", [{"shape": {"width": 12, "depth": 2}}, {"shape": {"width": 8, "depth": 3}}]
)
def test_a_state_of_another_network_is_refused(other):
    with pytest.raises(StateError, match="another network"):
        train(spec(**other), lookup.table(spec(**other)), resume=interrupted(spec(), 9))


@given(st.binary(max_size=200))
@settings(derandomize=True, deadline=None)
def test_bytes_that_are_no_state_are_refused(content):
    with pytest.raises(StateError):
        State.from_bytes(content)


def test_a_state_without_its_tensors_is_refused():
    state = interrupted(spec(), 9)
    for name in ("history/step", "loss/total", "generators/cpu"):
        tensors = {k: v for k, v in state.tensors.items() if k != name}
        with pytest.raises(StateError):
            train(spec(), lookup.table(spec()), resume=State(9, state.numbers, tensors))


# In the store -------------------------------------------------------------------------------


@pytest.fixture
def cell():
    return [CellRun(keys.run_key(run), {"seed": run.seed}, run) for run in (spec(), spec(seed=4))]


def table_of(cell, store, minutes=5.0):
    table = train_cell.train_cell("g", cell, store, "cpu", minutes)
    return table.drop_columns([*SECONDS])


def asked_to_end(monkeypatch, number):
    """Every run sends its own process a signal after ten updates."""
    call = Saver.__call__

    def calling(self, take):
        if take().done == 10:
            os.kill(os.getpid(), number)
        call(self, take)

    monkeypatch.setattr(Saver, "__call__", calling)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_asked_to_end_saves_and_the_next_one_goes_on(
    tmp_path, monkeypatch, cell, caplog, number
):
    store = Store(tmp_path / "store")
    with monkeypatch.context() as patch:
        asked_to_end(patch, number)
        with pytest.raises(Interrupted) as stopped:
            table_of(cell, store)
    assert stopped.value.code == 128 + number
    assert store.state("runs", cell[0].key) is not None
    caplog.set_level(logging.INFO)
    made = table_of(cell, store)
    assert f"resumed after 10 of {STEPS} steps" in caplog.text
    assert made == table_of(cell, Store(tmp_path / "undisturbed"))
    assert not [path for path in (tmp_path / "store/states").rglob("*") if path.is_file()]


def test_signals_are_handled_only_while_training():
    before = signal.getsignal(signal.SIGTERM)
    with signals() as request:
        os.kill(os.getpid(), signal.SIGTERM)
        assert request.number == signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) is before, "a second one acts at once"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_long_run_saves_at_an_interval(tmp_path, cell, caplog):
    caplog.set_level(logging.INFO)
    table_of(cell[:1], Store(tmp_path), minutes=1e-9)
    assert caplog.text.count("state saved at step") == STEPS
    caplog.clear()
    table_of(cell[1:], Store(tmp_path), minutes=60)
    assert "state saved" not in caplog.text


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "hostile"])
def test_a_damaged_state_is_named_and_the_run_starts_anew(tmp_path, cell, caplog, damage):
    store = Store(tmp_path / "store")
    store.open()
    key = cell[0].key
    store.keep_state("runs", key, interrupted(cell[0].spec, 9).to_bytes())
    (path,) = (p for p in (tmp_path / "store/states").rglob("*") if p.is_file())
    content = bytearray(path.read_bytes())
    if damage == "hostile":
        store.keep_state("runs", key, json.dumps({"__metadata__": {}}).encode())
    else:
        content[len(content) // 2] ^= 1
        keep = {"flipped": content, "cut": content[:-10], "empty": b""}[damage]
        path.write_bytes(keep)
    made = table_of(cell, store)
    assert "starts anew" in caplog.text
    assert made == table_of(cell, Store(tmp_path / "undisturbed"))


def test_a_state_that_cannot_be_saved_stops_nothing(tmp_path, monkeypatch, cell, caplog):
    store = Store(tmp_path)
    store.open()
    (tmp_path / "states").write_text("in the way")
    table_of(cell[:1], store, minutes=1e-9)
    assert "is not saved" in caplog.text
    assert store.has("runs", cell[0].key)


def test_the_store_keeps_the_last_state_and_checks_it(tmp_path):
    store = Store(tmp_path)
    key = "0" * 24 + "-" + "1" * 16
    assert store.state("runs", key) is None
    store.keep_state("runs", key, b"one")
    store.keep_state("runs", key, b"two")
    assert store.state("runs", key) == b"two"
    store.put("runs", key, {}, {})
    assert store.state("runs", key) is None, "a finished run needs no state"
    store.keep_state("runs", key, b"three")
    (path,) = (p for p in (tmp_path / "states").rglob("*") if p.is_file())
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(DamagedEntry, match="not what was written"):
        store.state("runs", key)
    with pytest.raises(ValueError, match="not a key"):
        store.keep_state("runs", "../x", b"")


@pytest.mark.parametrize("fate", ["gone", "damaged"])
def test_a_probe_makes_a_run_again_whose_weights_it_cannot_have(tmp_path, cell, caplog, fate):
    store, run = Store(tmp_path / "store"), cell[0]
    settings = {"probe": "hessian", "checkpoints": [0, 11, STEPS], "samples": 32, "eigenvalues": 1,
                "tolerance": 0.05, "max_products": 50}  # fmt: skip
    work = [probe_cell.CellProbe(keys.probe_key(run.key, settings), settings, run)]

    def probed(store):
        return probe_cell.measure_cell("g", "p", work, store, "cpu").drop_columns(["seconds"])

    table_of(cell[:1], store)
    weights = store.path("runs", run.key) / train_cell.CHECKPOINTS
    if fate == "gone":
        shutil.rmtree(weights.parent)
    else:
        weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    caplog.set_level(logging.INFO)
    found = probed(store)
    assert f"training {run.key}" in caplog.text
    undisturbed = Store(tmp_path / "undisturbed")
    table_of(cell[:1], undisturbed)
    assert found == probed(undisturbed)
