"""Probes through the run store: the weights that runs kept, and those that they did not keep."""

from __future__ import annotations

import dataclasses
import logging
import os
import shutil
import signal

import pytest
import torch
from tests.support.interrupted import STEPS
from tests.support.training_cells import table_of

from hypertransfer.catalogue import complete
from hypertransfer.execution import probe_cell, stored_weights, train_cell
from hypertransfer.execution.errors import NotReproduced
from hypertransfer.execution.probe_cell import CellProbe
from hypertransfer.execution.train_cell import CellRun
from hypertransfer.planning import cell_jobs, keys
from hypertransfer.storage.run_store import Store
from hypertransfer.studies.grid import Probe
from hypertransfer.training import loop
from hypertransfer.training.interruption import Interrupted

VALUES = {
    "model": "residual_mlp",
    "data": {"name": "digits", "train": 64, "test": 32},
    "base": {"width": 4, "depth": 1},
    "shape": {"width": 8, "depth": 1},
    "parameterisation": "mup",
    "optimizer": "adam",
    "lr": 0.01,
    "batch_size": 16,
    "steps": 6,
    "log_every": 2,
    "seed": 0,
}


def run(keep=(), **changes) -> CellRun:
    spec = complete.run_spec({**VALUES, **changes, "checkpoints": list(keep)})
    return CellRun(keys.run_key(spec), {"lr": spec.lr}, spec)


def probe(of: CellRun, steps) -> CellProbe:
    written = {"probe": "hessian", "checkpoints": list(steps), "samples": 32, "tolerance": 0.1}
    settings = cell_jobs.probe_settings(Probe.parse(written), of.spec)
    return CellProbe(keys.Contexts().probe_key(of.key, settings), settings, of)


def trained(store: Store, of: CellRun):
    return train_cell.train_cell("grid", [of], store, "cpu", 5)


def probed(store: Store, asked: CellProbe):
    table = probe_cell.measure_cell("grid", "sharpness", [asked], store, "cpu")
    return table.drop_columns(["seconds"])


def trainings(caplog) -> int:
    return sum("training " in record.message for record in caplog.records)


@pytest.fixture(autouse=True)
def logged(caplog):
    caplog.set_level(logging.INFO)


def test_a_probe_at_other_steps_asks_for_the_same_run():
    assert run(keep=[0, 6]).key == run(keep=[0, 3, 6]).key == run().key


def test_weights_that_were_not_kept_are_trained_again_bit_equal(tmp_path, caplog):
    store, fresh = Store(tmp_path / "store"), Store(tmp_path / "fresh")
    trained(store, run(keep=[0, 6]))
    entry = store.get("runs", run().key)
    assert entry.record["checkpoints"] == [0, 6]
    before = {path.name: path.read_bytes() for path in entry.path.iterdir()}
    caplog.clear()

    late = probed(store, probe(run(keep=[0, 3, 5, 6]), [0, 3, 6]))
    assert trainings(caplog) == 2  # "training …" and "training … again for its weights"
    assert late.column("step").to_pylist() == [0, 3, 6]
    assert {path.name: path.read_bytes() for path in entry.path.iterdir()} == before

    trained(fresh, run(keep=[0, 3, 5, 6]))
    assert late.equals(probed(fresh, probe(run(keep=[0, 3, 5, 6]), [0, 3, 6])))
    kept = stored_weights.read(fresh.get("runs", run().key))
    for step in (3, 5):
        found = stored_weights.read(store.get("weights", keys.weights_key(run().key, step)))
        assert found[step].keys() == kept[step].keys()
        assert all(torch.equal(found[step][name], kept[step][name]) for name in kept[step])


def test_further_weights_are_in_the_store_for_the_next_probe(tmp_path, caplog):
    store = Store(tmp_path)
    trained(store, run(keep=[0]))
    probed(store, probe(run(keep=[0, 3, 5]), [0, 3]))
    caplog.clear()
    probed(store, probe(run(keep=[0, 3, 5]), [0, 3, 5]))
    assert trainings(caplog) == 0


def test_a_probe_at_kept_steps_trains_nothing(tmp_path, caplog):
    store = Store(tmp_path)
    trained(store, run(keep=[0, 3, 6]))
    caplog.clear()
    probed(store, probe(run(keep=[0, 3]), [0, 3]))
    assert trainings(caplog) == 0


def test_a_run_that_is_gone_is_trained_once_with_all_that_is_kept(tmp_path, caplog):
    store = Store(tmp_path)
    probed(store, probe(run(keep=[0, 3, 6]), [0, 3]))
    assert trainings(caplog) == 1
    assert store.get("runs", run().key).record["checkpoints"] == [0, 3, 6]


def test_a_diverged_run_has_no_weights_after_its_end(tmp_path, caplog):
    store = Store(tmp_path)
    wild = {"optimizer": "sgd", "lr": 1e6, "log_every": 1}
    trained(store, run(keep=[0], **wild))
    record = store.get("runs", run(**wild).key).record
    assert record["status"] == "diverged"
    last = record["steps_done"]
    assert keys.lacking_weights(range(7), record) == list(range(1, last))
    caplog.clear()
    table = probed(store, probe(run(keep=[0, 6], **wild), [0, 6]))
    assert table.column("step").to_pylist() == [0]
    assert trainings(caplog) == 0


def test_another_result_of_the_second_training_is_an_error_and_stores_nothing(
    tmp_path, monkeypatch
):
    store = Store(tmp_path)
    trained(store, run(keep=[0]))
    train = train_cell.train

    def inexact(*arguments, **options):
        result = train(*arguments, **options)
        result.history.train_loss[-1] += 1e-12
        return result

    monkeypatch.setattr(train_cell, "train", inexact)
    with pytest.raises(NotReproduced, match="its losses differ from those in the store"):
        probed(store, probe(run(keep=[0, 3]), [0, 3]))
    assert not store.has("weights", keys.weights_key(run().key, 3))


def test_a_state_saved_for_other_steps_is_not_gone_on_from(tmp_path, monkeypatch):
    store = Store(tmp_path)
    trained(store, run(keep=[0]))
    asked = probe(run(keep=[0, 2, 6]), [0, 2, 6])
    place = ("weights", keys.weights_key(run().key, 6))
    saved = []

    def save(take):
        if not saved:
            saved.append(take())

    spec = dataclasses.replace(run().spec, checkpoints=(6,))
    table = train_cell.imports.table(spec)
    train_cell.train(spec, table, save=lambda take: save(take) if take().done == 4 else None)
    store.open()
    store.keep_state(*place, saved[0].to_bytes())
    assert probed(store, asked).column("step").to_pylist() == [0, 2, 6]


@pytest.mark.parametrize("fate", ["gone", "damaged"])
def test_a_probe_makes_a_run_again_whose_weights_it_cannot_have(tmp_path, cell, caplog, fate):
    store, run = Store(tmp_path / "store"), cell[0]
    settings = {
        "probe": "hessian",
        "checkpoints": [0, 11, STEPS],
        "samples": 32,
        "eigenvalues": 1,
        "tolerance": 0.05,
        "max_products": 50,
    }
    work = [probe_cell.CellProbe(keys.Contexts().probe_key(run.key, settings), settings, run)]

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


def test_a_second_training_that_is_asked_to_stop_goes_on_from_its_saved_state(
    tmp_path, monkeypatch, caplog
):
    store, asked = Store(tmp_path), probe(run(keep=[0, 6]), [0, 6])
    trained(store, run(keep=[0]))
    batch, former = loop.Loop._batch, signal.getsignal(signal.SIGTERM)

    def stopped_at_the_fourth(self, index):
        if self.done == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return batch(self, index)

    with monkeypatch.context() as patched:
        patched.setattr(loop.Loop, "_batch", stopped_at_the_fourth)
        with pytest.raises(Interrupted):
            probed(store, asked)
    assert signal.getsignal(signal.SIGTERM) is former
    assert probed(store, asked).column("step").to_pylist() == [0, 6]
    assert any("resumed after 4 of 6 steps" in record.message for record in caplog.records)


@pytest.mark.parametrize("record", [{}, {"checkpoints": None}, {"checkpoints": [0]}])
def test_a_record_of_no_run_is_set_aside_and_the_run_is_trained_again(tmp_path, record):
    store = Store(tmp_path)
    store.put("runs", run().key, record, {})
    assert probed(store, probe(run(keep=[0, 6]), [0, 6])).column("step").to_pylist() == [0, 6]
    assert len(list((tmp_path / "damaged").iterdir())) == 1


def test_weights_of_another_step_are_set_aside_and_made_again(tmp_path):
    store, asked = Store(tmp_path), probe(run(keep=[0, 3]), [0, 3])
    trained(store, run(keep=[0]))
    content = store.get("runs", run().key).read("checkpoints.safetensors")
    place = ("weights", keys.weights_key(run().key, 3))
    store.put(*place, {"run": run().key, "step": 3}, {"checkpoints.safetensors": content})
    assert probed(store, asked).column("step").to_pylist() == [0, 3]
    assert len(list((tmp_path / "damaged").iterdir())) == 1
