"""A run that was interrupted goes on from its saved state and ends as if nothing had happened."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from tests.support.interrupted import STEPS, Stop, interrupted, spec

from hypertransfer.catalogue import lookup
from hypertransfer.training import state
from hypertransfer.training.interruption import Saver, StopRequest
from hypertransfer.training.loop import train
from hypertransfer.training.state import DTYPES, State, StateError, why_no_file

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


def whole(run):
    return train(run, lookup.table(run))


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
    for name in ("history/step", "loss/total", "model/readout.weight"):
        tensors = {k: v for k, v in state.tensors.items() if k != name}
        with pytest.raises(StateError):
            train(spec(), lookup.table(spec()), resume=State(9, state.numbers, tensors))


@pytest.mark.filterwarnings("ignore:ComplexHalf")
def test_the_types_of_tensors_are_those_that_a_file_gives_back():
    """The types that safetensors writes and reads, found by trying all of torch's."""
    kinds = {kind for kind in vars(torch).values() if isinstance(kind, torch.dtype)}
    plain = {kind for kind in kinds if "quint" not in str(kind) and "qint" not in str(kind)}
    kept = set()
    for kind in plain:
        try:
            content = save({"x": torch.empty(2, dtype=kind)})
            kept.add(load(content)["x"].dtype)
        except (KeyError, NotImplementedError):
            continue
    assert set(DTYPES) == kept


@pytest.mark.parametrize("megabytes", [64, 101])  # the reader takes 64, safetensors writes 100
def test_numbers_that_are_too_many_for_a_header_are_refused(megabytes):
    numbers = {"text": "a" * (megabytes * 2**20)}
    with pytest.raises(StateError, match=r"header.*; keep long lists of numbers as tensors"):
        State(1, numbers, {}).to_bytes()
    assert State.from_bytes(State(1, {"text": "a" * 10**6}, {}).to_bytes()).done == 1


def test_a_run_whose_state_is_too_long_for_a_file_goes_on_unsaved(monkeypatch, caplog):
    run = spec(optimizer="adamw", lr=0.01)
    monkeypatch.setattr(state, "MOST_JSON", 1000)
    save = Saver(lambda taken: taken.to_bytes(), 0, StopRequest())
    assert_bit_equal(train(run, lookup.table(run), save=save), whole(run))
    assert caplog.text.count("the state of the run cannot be saved: its header has") == STEPS


def test_a_tensor_that_no_file_can_hold_is_named():
    state = State(1, {}, {"model/wave": torch.zeros(2, dtype=torch.complex128)})
    with pytest.raises(StateError, match=r"^model/wave is of the type complex128"):
        state.to_bytes()
    assert why_no_file(torch.zeros(2)) is None
