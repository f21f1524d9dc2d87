"""Cells of runs: states are saved, and an interrupted run goes on."""

from __future__ import annotations

import json
import logging
import os
import signal

import pytest
from tests.support.interrupted import STEPS, interrupted
from tests.support.training_cells import table_of

from hypertransfer.execution import train_cell
from hypertransfer.storage.run_store import Store
from hypertransfer.training.interruption import Interrupted, Saver
from hypertransfer.training.state import StateError


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
    assert "starts from step 0" in caplog.text
    assert made == table_of(cell, Store(tmp_path / "undisturbed"))


def test_a_state_that_cannot_be_saved_stops_nothing(tmp_path, monkeypatch, cell, caplog):
    store = Store(tmp_path)
    store.open()
    (tmp_path / "states").write_text("in the way")
    table_of(cell[:1], store, minutes=1e-9)
    assert "is not saved" in caplog.text
    assert store.has("runs", cell[0].key)


def test_a_run_that_fails_is_named_below_the_traceback(tmp_path, monkeypatch, cell):
    def fails(*args, **kwargs):
        raise ArithmeticError("no such luck")

    monkeypatch.setattr(train_cell, "train", fails)
    with pytest.raises(ArithmeticError) as failed:
        table_of(cell, Store(tmp_path))
    (note,) = failed.value.__notes__
    assert note == f"The run that failed is of g: {dict(cell[0].point)}"


def test_an_error_of_a_new_training_is_not_taken_for_one_of_a_saved_state(
    tmp_path, monkeypatch, cell, caplog
):
    calls = []

    def fails(*args, **kwargs):
        calls.append(kwargs["resume"])
        raise StateError("cannot be saved")

    monkeypatch.setattr(train_cell, "train", fails)
    with pytest.raises(StateError):
        table_of(cell, Store(tmp_path))
    assert calls == [None]
    assert "saved state" not in caplog.text
