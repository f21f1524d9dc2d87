"""Producing entries: missing and damaged ones are made, each by one process."""

from __future__ import annotations

import subprocess

import pytest
from tests.support.store import key, python, read_all, verified

from hypertransfer.storage.produce import produce
from hypertransfer.storage.run_store import Store


def test_produce_makes_what_is_missing(tmp_path):
    store, made = Store(tmp_path), []

    def make(name, value):
        made.append(name)
        return {"value": value}, {"file": str(value).encode()}

    wanted = {key(n): n for n in (3, 1, 2)}
    store.put("runs", key(1), {"value": 1}, {"file": b"1"})
    found = produce(store, "runs", wanted, make, read_all, pytest.fail)
    assert made == [key(3), key(2)]
    assert list(found) == list(wanted)
    assert found[key(2)] == (2, {"file": b"2"})
    produce(store, "runs", wanted, lambda *_: pytest.fail("made again"), read_all, pytest.fail)
    assert not [path for path in (tmp_path / "locks").rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["entry.json", "file"])
def test_damaged_entries_are_set_aside_and_made_again(tmp_path, name):
    store, warnings = Store(tmp_path), []
    for n in (1, 2):
        store.put("runs", key(n), {}, {"file": b"good"})
    (store.path("runs", key(1)) / name).write_bytes(b"bad!")
    made = []

    def make(one, value):
        made.append(one)
        return {}, {"file": b"good"}

    found = produce(store, "runs", {key(1): 1, key(2): 2}, make, read_all, warnings.append)
    assert made == [key(1)]
    assert found[key(1)] == (1, {"file": b"good"})
    (warning,) = warnings
    (aside,) = (tmp_path / "damaged").iterdir()
    assert key(1) in warning
    assert str(aside) in warning
    assert (aside / name).read_bytes() == b"bad!"
    assert verified(store, key(1))


def test_what_cannot_be_made_leaves_nothing_and_is_free_again(tmp_path):
    store = Store(tmp_path)

    def make(name, value):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        produce(store, "runs", {key(1): 1}, make, read_all, pytest.fail)
    assert not store.has("runs", key(1))
    with store.locked("runs", key(1), wait=False) as acquired:
        assert acquired


PRODUCER = """
    import os, time
    store, log = Store(sys.argv[1]), Path(sys.argv[2])
    def make(key, value):
        with log.open("a") as file:  # appending one short line is atomic
            file.write(key + "\\n")
        time.sleep(0.005)
        return {"value": value}, {"file": os.urandom(64)}
    wanted = {f"{n:024x}-{n:016x}": n for n in range(30)}
    print("ready", flush=True)
    sys.stdin.readline()
    found = produce(store, "runs", wanted, make, lambda e, v: e.read("file").hex(), sys.exit)
    print(",".join(found.values()))
"""


def test_two_processes_make_each_entry_once(tmp_path):
    log = tmp_path / "log"
    both = [python(PRODUCER, tmp_path / "store", log, stdin=subprocess.PIPE) for _ in range(2)]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert sorted(log.read_text().split()) == [key(n) for n in range(30)]
    assert answers[0][0] == answers[1][0]
