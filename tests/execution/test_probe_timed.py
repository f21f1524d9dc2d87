"""Timed probes through the run store: sets of rivals are valid only as results of one occasion."""

from __future__ import annotations

import logging

import pytest
from tests.execution.test_probe_cell import VALUES

from hypertransfer.catalogue import complete
from hypertransfer.execution import probe_cell, probe_timed
from hypertransfer.execution.probe_cell import CellProbe
from hypertransfer.execution.train_cell import CellRun
from hypertransfer.planning import cell_jobs, keys
from hypertransfer.probes import turns
from hypertransfer.storage.run_store import Store
from hypertransfer.studies.grid import Probe

WRITTEN = {"probe": "step_time", "checkpoints": [0], "steps": 1, "repeats": 2}


def probes_of(optimizers, seeds=(0,), kept=(0,)) -> list[CellProbe]:
    runs = []
    for seed in seeds:
        for name in optimizers:
            spec = complete.run_spec(
                {**VALUES, "optimizer": name, "seed": seed, "checkpoints": list(kept)}
            )
            runs.append(CellRun(keys.run_key(spec), {"optimizer": name, "seed": seed}, spec))
    settings = [cell_jobs.probe_settings(Probe.parse(WRITTEN), run.spec) for run in runs]
    found = keys.Contexts().probe_keys([(run.key, run.spec) for run in runs], settings)
    return [CellProbe(*row) for row in zip(found, settings, runs, strict=True)]


@pytest.fixture
def occasions(monkeypatch):
    """The runs that each measurement had, by optimizer and seed."""
    found = []
    true = turns.measure

    def measure(rivals, log):
        found.append([(r.spec.optimizer.name, r.spec.seed) for r in rivals])
        return true(rivals, log)

    monkeypatch.setattr(turns, "measure", measure)
    return found


def measured(work, store):
    return probe_timed.measure_timed("grid", "time", work, store, "cpu")


def test_the_runs_of_a_seed_are_measured_together_and_read_afterwards(tmp_path, occasions):
    store, work = Store(tmp_path), probes_of(["sgd", "adam"], seeds=[0, 1])
    table = measured(work, store)
    assert occasions == [[("sgd", 0), ("adam", 0)], [("sgd", 1), ("adam", 1)]]
    assert table.column("key").to_pylist() == [item.run.key for item in work]
    assert all(seconds > 0 for seconds in table.column("step_seconds").to_pylist())
    assert measured(work, store).equals(table)
    assert len(occasions) == 2
    records = [store.get("probes", item.key).record for item in work]
    assert [r["run"] for r in records] == [item.run.key for item in work]
    names = [record[probe_timed.OCCASION] for record in records]
    assert names[0] == names[1] != names[2] == names[3]


def test_an_added_rival_measures_its_set_anew(tmp_path, occasions):
    store = Store(tmp_path)
    measured(probes_of(["sgd", "adam"]), store)
    measured(probes_of(["sgd", "adam", "adamw"]), store)
    assert occasions == [
        [("sgd", 0), ("adam", 0)],
        [("sgd", 0), ("adam", 0), ("adamw", 0)],
    ]


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_job_that_was_killed_between_results_measures_the_set_again(
    tmp_path, occasions, monkeypatch, written
):
    """No result of the occasion that was cut short is used; sets that were complete are."""
    store, work = Store(tmp_path), probes_of(["sgd", "adam", "adamw"], seeds=[0, 1])
    done = measured(work[:3], store)
    put, calls = Store.put, []

    def dying(self, kind, key, *content):
        if kind == "probes":
            if len(calls) == written:
                raise Killed
            calls.append(key)
        put(self, kind, key, *content)

    monkeypatch.setattr(Store, "put", dying)
    with pytest.raises(Killed):
        measured(work, store)
    assert sum(store.has("probes", item.key) for item in work) == 3 + written
    monkeypatch.setattr(Store, "put", put)
    table = measured(work, store)
    assert [len(names) for names in occasions] == [3, 3, 3]
    assert [{seed for _, seed in names} for names in occasions] == [{0}, {1}, {1}]
    assert table.slice(0, 3).equals(done)
    records = [store.get("probes", item.key).record for item in work[3:]]
    assert len({record[probe_timed.OCCASION] for record in records}) == 1


def test_a_damaged_result_measures_the_set_again(tmp_path, occasions, caplog):
    caplog.set_level(logging.INFO)
    store, work = Store(tmp_path), probes_of(["sgd", "adam"])
    measured(work, store)
    (store.path("probes", work[0].key) / "probe.parquet").write_bytes(b"PAR1")
    table = measured(work, store)
    assert len(occasions) == 2
    assert "it is measured again with its rivals" in caplog.text
    assert measured(work, store).equals(table)


def test_results_of_two_occasions_are_not_a_set(tmp_path, occasions):
    """Two stores were merged by hand: each result is sound, and the pair is not."""
    first, second, work = Store(tmp_path / "a"), Store(tmp_path / "b"), probes_of(["sgd", "adam"])
    measured(work, first)
    measured(work, second)
    place = first.path("probes", work[1].key)
    first.set_aside("probes", work[1].key)
    second.path("probes", work[1].key).rename(place)
    measured(work, first)
    assert len(occasions) == 3


def test_weights_that_runs_do_not_keep_are_trained_again_and_not_written(tmp_path, occasions):
    store, work = Store(tmp_path), probes_of(["sgd", "adam"], kept=())
    table = measured(work, store)
    assert table.column("step").to_pylist() == [0, 0]
    assert all(not store.get("runs", item.run.key).record["checkpoints"] for item in work)
    assert not [path for path in (tmp_path / "weights").rglob("*") if path.is_file()]
    assert not [path for path in (tmp_path / "states").rglob("*") if path.is_file()]
    assert measured(work, store).equals(table)


def test_sets_of_two_machines_are_all_measured_again(tmp_path, occasions, monkeypatch, caplog):
    """A seed that is added on another machine would be read beside times of the first."""
    store, work = Store(tmp_path), probes_of(["sgd", "adam"], seeds=[0, 1])
    measured(work[:2], store)
    own = probe_cell.provenance
    other = lambda device: {**own(device), "host": "another", "device": "cuda: a"}  # noqa: E731
    monkeypatch.setattr(probe_cell, "provenance", other)
    monkeypatch.setattr(probe_timed, "provenance", other)
    assert measured(work[:2], store).num_rows == 2  # all of one machine
    assert len(occasions) == 1
    table = measured(work, store)
    assert [names[0][1] for names in occasions] == [0, 0, 1]
    assert "times of 2 machines" in caplog.text
    hosts = {store.get("probes", item.key).record["provenance"]["host"] for item in work}
    assert hosts == {"another"}
    monkeypatch.setattr(probe_cell, "provenance", own)
    monkeypatch.setattr(probe_timed, "provenance", own)
    assert measured(work, store).equals(table)
    assert len(occasions) == 3
    assert "the times in the store are of cuda: a, and not of this device, cpu" in caplog.text


def test_points_of_one_run_are_measured_once(tmp_path, occasions):
    store, work = Store(tmp_path), probes_of(["sgd", "sgd", "adam"])
    table = measured(work, store)
    assert occasions == [[("sgd", 0), ("adam", 0)]]
    assert table.num_rows == 3
    assert measured(work, store).equals(table)
    assert len(occasions) == 1


def test_a_store_that_has_everything_is_only_read(tmp_path, occasions, monkeypatch):
    store, work = Store(tmp_path), probes_of(["sgd", "adam"])
    table = measured(work, store)

    def refuse(*arguments, **options):
        raise AssertionError("the store may be read-only")

    for name in ("open", "put", "locked", "set_aside"):
        monkeypatch.setattr(Store, name, refuse)
    assert measured(work, store).equals(table)
