"""Signals that ask a process to end, and states that are saved or cannot be."""

from __future__ import annotations

import logging
import os
import signal

import pytest

from hypertransfer.training.interruption import Interrupted, Saver, StopRequest, signals
from hypertransfer.training.state import StateError


def test_signals_are_handled_only_while_training():
    before = signal.getsignal(signal.SIGTERM)
    with signals() as request:
        os.kill(os.getpid(), signal.SIGTERM)
        assert request.number == signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) is before, "a second one acts at once"
    assert signal.getsignal(signal.SIGTERM) is before


def unsavable():
    raise StateError("Net.counter holds an object of itertools.count, which cannot be saved")


def test_a_state_is_saved_once_the_interval_has_passed():
    kept = []
    Saver(kept.append, 3600, StopRequest())(lambda: "early")
    saver = Saver(kept.append, 0, StopRequest())
    saver(lambda: "first")
    saver(lambda: "second")
    assert kept == ["first", "second"]


def test_a_run_whose_state_cannot_be_saved_goes_on_with_a_warning(caplog):
    kept = []
    saver = Saver(kept.append, 0, StopRequest())
    saver(unsavable)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "cannot be saved: Net.counter holds an object of itertools.count" in caplog.text
    saver(lambda: "later")
    assert kept == ["later"]


@pytest.mark.parametrize("fails_in", ["state", "file"])
def test_a_state_that_cannot_be_saved_is_tried_again_after_the_interval_alone(fails_in, caplog):
    taken = []

    def state():
        taken.append(1)
        return unsavable() if fails_in == "state" else "state"

    saver = Saver(lambda _: unsavable(), 3600, StopRequest())
    saver.due = 0.0  # long ago
    saver(state)
    saver(state)
    assert len(taken) == len(caplog.records) == 1


@pytest.mark.parametrize(
    ("state", "kept", "text"),
    [(lambda: "state", ["state"], "the state is saved"), (unsavable, [], "will start anew")],
)
def test_a_stop_signal_ends_the_run_whether_or_not_its_state_can_be_saved(
    state, kept, text, caplog
):
    caplog.set_level(logging.INFO)
    found, request = [], StopRequest()
    saver = Saver(found.append, 3600, request)
    saver(state)
    assert not found
    request.number = signal.SIGTERM
    with pytest.raises(Interrupted) as stopped:
        saver(state)
    assert stopped.value.code == 128 + signal.SIGTERM
    assert found == kept
    assert text in caplog.records[-1].message
