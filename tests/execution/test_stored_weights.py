"""Weights that pass through the store: written by training, removed once every probe has read them.

A process is killed at each point between training and removal; nothing is lost, and the next call
finds or makes what is missing.
"""

from __future__ import annotations

import dataclasses
import logging
import multiprocessing
import os
import signal

import pytest
from tests.execution.test_probe_cell import probe, probed, run, trained, trainings

from hypertransfer.execution import second_training, stored_weights, train_cell
from hypertransfer.execution.errors import NotReproduced
from hypertransfer.planning import keys
from hypertransfer.storage import removal
from hypertransfer.storage.run_store import Store, StoreError

STEPS = (0, 3, 6)


@pytest.fixture(autouse=True)
def logged(caplog):
    caplog.set_level(logging.INFO)


def of(asked, readers, keep=()):
    """A probe, and its run with all probes that read weights with entries of their own."""
    by_key = {reader.key: reader.settings["checkpoints"] for reader in readers}
    return dataclasses.replace(asked, run=dataclasses.replace(run(keep), readers=by_key))


def alone(steps=STEPS, keep=()):
    """A probe that is the only reader of the weights at its steps."""
    asked = probe(run(), steps)
    return of(asked, [asked], keep)


def pair():
    """Two probes that read weights of one run."""
    readers = [probe(run(), [0, 3]), probe(run(), [3, 6])]
    return [of(reader, readers) for reader in readers]


def held(store: Store) -> list[int]:
    """The steps at which the store has weights with entries of their own."""
    return [step for step in range(7) if store.has("weights", keys.weights_key(run().key, step))]


def undisturbed(tmp_path, steps):
    """The table of a probe whose run keeps its weights in its own entry."""
    store = Store(tmp_path / "undisturbed")
    trained(store, run(keep=range(7)))
    return probed(store, probe(run(keep=range(7)), steps))


def killed(store, asked, module, name, after=0):
    """Measure in a process that is killed where a function is called for the time `after`."""

    def work():
        calls, whole = [], getattr(module, name)

        def last(*arguments, **options):
            if len(calls) == after:
                os.kill(os.getpid(), signal.SIGKILL)
            calls.append(arguments)
            return whole(*arguments, **options)

        setattr(module, name, last)
        probed(store, asked)

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def test_training_writes_them_beside_the_run_and_the_only_probe_removes_them(tmp_path, caplog):
    store, asked = Store(tmp_path / "store"), alone()
    trained(store, asked.run)
    entry = store.get("runs", run().key)
    assert entry.record["checkpoints"] == []
    assert stored_weights.CHECKPOINTS not in entry.files
    assert held(store) == [*STEPS]
    caplog.clear()
    assert probed(store, asked).equals(undisturbed(tmp_path, STEPS))
    assert not any("again" in record.message for record in caplog.records)
    assert held(store) == []
    assert not list((store.root / "weights").iterdir())
    assert not list((store.root / "tmp").iterdir())


def test_they_stay_until_the_last_of_two_probes_has_read_them(tmp_path, caplog):
    store, (first, second) = Store(tmp_path / "store"), pair()
    trained(store, first.run)
    assert held(store) == [0, 3, 6]
    caplog.clear()
    probed(store, first)
    assert held(store) == [0, 3, 6]
    assert probed(store, second).equals(undisturbed(tmp_path, [3, 6]))
    assert held(store) == []
    assert trainings(caplog) == 1  # that of `undisturbed`
    assert not any("again" in record.message for record in caplog.records)


def test_checkpoints_of_the_config_stay_in_the_entry_of_the_run(tmp_path):
    store, asked = Store(tmp_path), alone([0, 3], keep=[5])
    trained(store, asked.run)
    assert held(store) == [0, 3]
    probed(store, asked)
    assert held(store) == []
    assert store.get("runs", run().key).record["checkpoints"] == [5]
    assert [*stored_weights.read(store.get("runs", run().key))] == [5]


def test_a_probe_added_after_the_removal_trains_again_bit_equal(tmp_path, caplog):
    store, asked = Store(tmp_path / "store"), alone()
    trained(store, asked.run)
    probed(store, asked)
    added = probe(run(), [3, 5])
    caplog.clear()
    found = probed(store, of(added, [asked, added]))
    assert any(
        f"training {run().key} again for its weights at steps [3, 5]" in record.message
        for record in caplog.records
    )
    assert found.equals(undisturbed(tmp_path, [3, 5]))
    assert held(store) == []


def test_a_result_that_is_there_needs_no_weights(tmp_path, caplog):
    store, asked = Store(tmp_path), alone()
    trained(store, asked.run)
    found = probed(store, asked)
    caplog.clear()
    assert probed(store, asked).equals(found)
    assert trainings(caplog) == 0


def test_a_run_that_is_lost_after_its_probes_writes_no_weights_again(tmp_path):
    store, asked = Store(tmp_path), alone()
    trained(store, asked.run)
    probed(store, asked)
    store.set_aside("runs", run().key)
    trained(store, asked.run)
    assert held(store) == []


@pytest.mark.parametrize(
    ("module", "name", "after", "left"),
    [
        (stored_weights, "remove_if_read", 0, [0, 3, 6]),
        (removal, "take_out", 0, [0, 3, 6]),
        (removal, "take_out", 2, [6]),
        (removal.shutil, "rmtree", 0, [0, 3, 6]),
    ],
    ids=["before the removal", "at its start", "amid the removal", "in the store's own clean-up"],
)
def test_a_killed_removal_is_done_by_the_next_call(tmp_path, caplog, module, name, after, left):
    store, asked = Store(tmp_path / "store"), alone()
    trained(store, asked.run)
    killed(store, asked, module, name, after)
    assert held(store) == left
    caplog.clear()
    assert probed(store, asked).equals(undisturbed(tmp_path, STEPS))
    assert not any("again" in record.message for record in caplog.records)
    assert held(store) == []


def test_a_training_that_is_killed_before_its_entry_writes_its_weights_again(tmp_path):
    store, asked = Store(tmp_path / "store"), alone()
    killed(store, asked, train_cell, "entry_of")
    assert held(store) == [*STEPS]
    assert not store.has("runs", run().key)
    for step in STEPS:  # weights of another training, as on a GPU
        key = keys.weights_key(run().key, step)
        removal.remove_entry(store, "weights", key)
        store.put("weights", key, {"run": run().key, "step": step}, {})
    assert probed(store, asked).equals(undisturbed(tmp_path, STEPS))
    assert held(store) == []


def test_who_else_holds_the_run_keeps_its_weights(tmp_path):
    store, asked = Store(tmp_path), alone()
    trained(store, asked.run)
    probed(store, asked)
    trained(Store(tmp_path / "other"), asked.run)
    (tmp_path / "other/weights").rename(tmp_path / "weights")
    with store.locked("runs", run().key, wait=True):
        stored_weights.remove_if_read(run().key, asked.run.readers, store)
        assert held(store) == [*STEPS]
    stored_weights.remove_if_read(run().key, asked.run.readers, store)
    assert held(store) == []


def test_two_jobs_that_end_at_once_do_not_disturb_each_other(tmp_path):
    store, both = Store(tmp_path), pair()
    trained(store, both[0].run)
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=probed, args=(store, asked)) for asked in both]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert all(store.has("probes", asked.key) for asked in both)
    assert held(store) == []


def test_a_store_that_refuses_the_removal_is_a_warning(tmp_path, monkeypatch, caplog):
    store, asked = Store(tmp_path), alone()
    trained(store, asked.run)

    def refused(*arguments):
        raise StoreError("read-only")

    monkeypatch.setattr(stored_weights, "remove_entry", refused)
    assert probed(store, asked).column("step").to_pylist() == [*STEPS]
    assert "are not removed: read-only" in caplog.text


def test_weights_that_another_project_removed_are_made_again_for_all_missing_probes(
    tmp_path, caplog
):
    store, (first, second) = Store(tmp_path / "store"), pair()
    trained(store, first.run)
    for step in held(store):
        removal.remove_entry(store, "weights", keys.weights_key(run().key, step))
    caplog.clear()
    assert probed(store, first).equals(undisturbed(tmp_path, [0, 3]))
    assert held(store) == [0, 3, 6]
    caplog.clear()
    probed(store, second)
    assert trainings(caplog) == 0
    assert held(store) == []


@pytest.mark.parametrize(("factor", "alike"), [(1 + 1e-5, True), (1.01, False)])
def test_a_second_training_on_a_gpu_may_round_otherwise(
    tmp_path, monkeypatch, caplog, factor, alike
):
    """Bit-equality holds on one kind of GPU only; the difference is in the record of the probe."""
    store = Store(tmp_path)
    trained(store, run())
    train = train_cell.train

    def inexact(*arguments, **options):
        result = train(*arguments, **options)
        result.history.train_loss[-1] *= factor
        return result

    monkeypatch.setattr(train_cell, "train", inexact)
    monkeypatch.setattr(second_training, "_on_gpu", lambda made, device: True)
    asked = probe(run(), [0, 3])
    if not alike:
        with pytest.raises(NotReproduced):
            probed(store, asked)
        return
    probed(store, asked)
    assert store.get("probes", asked.key).record["difference"] == pytest.approx(1e-5, rel=0.01)
    assert "differ by up to 1e-05 from those in the store" in caplog.text
    probed(store, again := probe(run(), [3]))  # from the stored weights
    assert store.get("probes", again.key).record["difference"] == pytest.approx(1e-5, rel=0.01)


def test_equal_trainings_have_no_difference_in_the_record(tmp_path):
    store, asked = Store(tmp_path), probe(run(), [0, 3])
    trained(store, run())
    probed(store, asked)
    assert "difference" not in store.get("probes", asked.key).record
