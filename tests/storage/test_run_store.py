"""The run store: whole entries or none, damage is found, errors say what to do."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import tempfile
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.damage import damaged
from tests.support.store import key, python, read_all, snapshot, verified

from hypertransfer.storage.produce import produce
from hypertransfer.storage.run_store import DamagedEntry, Store, StoreError

SEEDED = settings(derandomize=True, deadline=None)  # the same cases on every machine

FILES = {"history.parquet": bytes(range(200)), "weights.safetensors": b"\x00" * 300}
RECORD = {"status": "finished", "loss": 1.5e-07, "steps": [0, 10], "name": "µP", "none": None}


@contextlib.contextmanager
def held(script, *arguments):
    """A process of the store's code, killed at the end whatever happens."""
    process = python(script, *arguments)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_what_is_put_can_be_got(tmp_path):
    store = Store(tmp_path / "store")
    assert store.get("runs", key(1)) is None
    assert not store.has("runs", key(1))
    store.put("runs", key(1), RECORD, FILES)
    assert store.has("runs", key(1))
    assert not store.has("probes", key(1))
    entry = store.get("runs", key(1))
    assert entry.record == RECORD
    assert {name: entry.read(name) for name in entry.files} == FILES
    assert list((tmp_path / "store" / "tmp").iterdir()) == []


def test_the_first_entry_stays(tmp_path):
    store = Store(tmp_path)
    store.put("runs", key(1), {"who": "first"}, FILES)
    store.put("runs", key(1), {"who": "second"}, {"other": b"x"})
    entry = verified(store, key(1))
    assert entry.record == {"who": "first"}
    assert set(entry.files) == set(FILES)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_entries_of_one_identity_lie_side_by_side(tmp_path):
    store = Store(tmp_path)
    first, second = f"{7:024x}-{1:016x}", f"{7:024x}-{2:016x}"
    assert store.contexts("runs", first) == []
    for one in (second, first):
        store.put("runs", one, {}, {})
    assert store.contexts("runs", first) == [first, second]


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "../../etc",
        "a" * 24,
        f"{'a' * 24}-{'b' * 16}\n",
        f"{'A' * 24}-{'b' * 16}",
        f"{'a' * 24}-{'b' * 15}/",
        "../" * 8 + "-" + "b" * 16,
    ],
)
def test_what_is_no_key_is_refused(tmp_path, wrong):
    store = Store(tmp_path / "store")
    calls = [
        lambda: store.path("runs", wrong),
        lambda: store.has("runs", wrong),
        lambda: store.get("runs", wrong),
        lambda: store.put("runs", wrong, {}, {}),
        lambda: store.set_aside("runs", wrong),
        lambda: store.locked("runs", wrong, wait=False).__enter__(),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="not a key"):
            call()
    assert list(tmp_path.iterdir()) == []


WRITER = """
    store, key = Store(sys.argv[1]), int(sys.argv[2])
    while True:
        name = f"{key:024x}-{key:016x}"
        store.put("runs", name, {"number": key}, {f"f{i}": bytes(5000) for i in range(4)})
        print(name, flush=True)
        key += 1
"""


def whole_or_absent(store):
    """The entries that are there, after checking that each is whole and nothing else lies about."""
    kept = [path for path in store.root.glob("runs/*/*/*") if path.is_dir()]
    for path in kept:
        name = f"{path.parent.name}-{path.name}"
        assert store.has("runs", name)
        assert len(verified(store, name).files) == 4
    store.open()
    assert list((store.root / "tmp").iterdir()) == []
    return kept


def test_a_process_killed_at_random_leaves_whole_entries_or_none(tmp_path):
    dice, said = random.Random(0), set()
    for attempt in range(24):
        with held(WRITER, tmp_path, attempt * 10**6) as process:
            said.add(process.stdout.readline().strip())
            time.sleep(dice.uniform(0, 0.02))
            process.send_signal(signal.SIGKILL)
            process.wait()
    store = Store(tmp_path)
    kept = whole_or_absent(store)
    assert said <= {f"{path.parent.name}-{path.name}" for path in kept}


KILLED_AT = """
    import os, signal
    calls = 0
    def counted(call):
        def replacement(*arguments, **options):
            global calls
            calls += 1
            if calls == int(sys.argv[2]):
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)
        return replacement
    os.fsync, Path.rename = counted(os.fsync), counted(Path.rename)
    name = f"{1:024x}-{1:016x}"
    Store(sys.argv[1]).put("runs", name, {}, {f"f{i}": bytes(5000) for i in range(4)})
"""


def test_a_process_killed_at_any_step_leaves_a_whole_entry_or_none(tmp_path):
    found, step = [], 0
    while True:
        step += 1
        root = tmp_path / str(step)
        with held(KILLED_AT, root, step) as process:
            code = process.wait()
        if code == 0:
            break
        assert code == -signal.SIGKILL
        left = any((root / "tmp").iterdir())
        found.append((left, len(whole_or_absent(Store(root)))))
    assert step > 7  # store.json, four files, the record, their folder, the rename, its folder
    assert found[-2:] == [(True, 0), (False, 1)]
    assert all(count == 0 for _, count in found[:-1])


def test_work_of_living_processes_is_not_swept(tmp_path):
    script = """
        from hypertransfer.storage import run_store
        root = Path(sys.argv[1])
        Store(root).open()
        (root / "tmp" / f"{run_store.owner()}x").mkdir()
        print("made", flush=True)
        sys.stdin.read()
    """
    process = python(script, tmp_path, stdin=subprocess.PIPE)
    assert process.stdout.readline() == "made\n"
    Store(tmp_path).open()
    assert len(list((tmp_path / "tmp").iterdir())) == 1
    process.communicate("")
    Store(tmp_path).open()
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    store.put("runs", key(1), RECORD, FILES)
    return store


@SEEDED
@given(st.data())
def test_a_changed_byte_of_a_file_is_found(sound, data):
    path = sound.path("runs", key(1)) / data.draw(st.sampled_from(sorted(FILES)))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with (
        damaged(path, bytes(content)),
        pytest.raises(DamagedEntry, match="differs from what was written"),
    ):
        verified(sound, key(1))


@SEEDED
@given(st.data())
def test_a_changed_byte_of_the_record_is_found_or_says_the_same(sound, data):
    path = sound.path("runs", key(1)) / "entry.json"
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    before = verified(sound, key(1))
    with damaged(path, bytes(content)), contextlib.suppress(DamagedEntry):
        assert verified(sound, key(1)) == before  # such as another kind of white space


def test_every_changed_bit_of_the_values_in_a_record_is_found(sound):
    path = sound.path("runs", key(1)) / "entry.json"
    text = path.read_bytes()
    for place in (text.index(b"finished"), text.index(b"1.5"), text.index(b"\\u00b5") + 5):
        for bit in range(8):
            content = bytearray(text)
            content[place] ^= 1 << bit
            with damaged(path, bytes(content)), pytest.raises(DamagedEntry):
                sound.get("runs", key(1))


@SEEDED
@given(st.integers(0, 400), st.sampled_from(["entry.json", *FILES]))
def test_a_file_cut_short_is_found(sound, length, name):
    path = sound.path("runs", key(1)) / name
    content = path.read_bytes()
    if length < len(content):
        with damaged(path, content[:length]), pytest.raises(DamagedEntry):
            verified(sound, key(1))


@pytest.mark.parametrize("name", ["entry.json", *FILES])
def test_a_missing_file_is_found(tmp_path, name):
    store = Store(tmp_path)
    store.put("runs", key(1), RECORD, FILES)
    (store.path("runs", key(1)) / name).unlink()
    with pytest.raises(DamagedEntry, match=key(1)):
        verified(store, key(1))


def test_an_entry_in_the_place_of_another_is_found(tmp_path):
    store = Store(tmp_path)
    store.put("runs", key(1), RECORD, FILES)
    store.path("runs", key(2)).parent.mkdir(parents=True)
    shutil.copytree(store.path("runs", key(1)), store.path("runs", key(2)))
    with pytest.raises(DamagedEntry, match=key(2)):
        store.get("runs", key(2))


HOLDER = """
    with Store(sys.argv[1]).locked("runs", sys.argv[2], wait=False) as acquired:
        print(acquired, flush=True)
        sys.stdin.read()
"""


def test_a_lock_is_held_by_one_and_dropped_when_its_holder_dies(tmp_path):
    store = Store(tmp_path)
    process = python(HOLDER, tmp_path, key(1), stdin=subprocess.PIPE)
    try:
        assert process.stdout.readline() == "True\n"
        with store.locked("runs", key(1), wait=False) as acquired:
            assert not acquired  # at once: without waiting
        with store.locked("probes", key(1), wait=False) as acquired:
            assert acquired
        with store.locked("runs", key(2), wait=False) as acquired:
            assert acquired
    finally:
        process.kill()
        process.communicate()
    with store.locked("runs", key(1), wait=False) as acquired:
        assert acquired
    with store.locked("runs", key(1), wait=True) as acquired:
        assert acquired


def test_a_lock_is_on_the_file_that_others_see(tmp_path, monkeypatch):
    store, lock = Store(tmp_path), fcntl.flock
    path = tmp_path / "locks" / key(1)[:2] / f"runs-{key(1)}"

    def behind_a_holder_that_ends(*arguments):
        monkeypatch.setattr(fcntl, "flock", lock)
        path.unlink()
        lock(*arguments)

    monkeypatch.setattr(fcntl, "flock", behind_a_holder_that_ends)
    with store.locked("runs", key(1), wait=True) as acquired:
        assert acquired
        with store.locked("runs", key(1), wait=False) as other:
            assert not other
    assert not path.exists()


@pytest.fixture
def mounted(tmp_path):
    """A small file system of its own, with a function that makes it read-only."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small or read-only file system needs root")
    place = tmp_path / "mounted"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(place)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this machine does not let root mount: {done.stderr.strip()}")

    def read_only():
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)

    try:
        yield place, read_only
    finally:
        subprocess.run(["umount", str(place)], check=True)


def says_what_to_do(error, root, reason):
    text = str(error)
    assert str(root) in text
    assert reason in text
    assert "Nothing was lost" in text
    assert "in the main config, key 'store'" in text


def test_a_full_disk(mounted):
    place, _ = mounted
    store = Store(place)
    store.put("runs", key(1), {}, {"small": b"x"})
    before = snapshot(place)
    with pytest.raises(StoreError) as caught:
        store.put("runs", key(2), {}, {"large": bytes(10**6)})
    says_what_to_do(caught.value, place, "No space left on device")
    assert snapshot(place) == before
    assert not store.has("runs", key(2))
    verified(store, key(1))
    store.put("runs", key(2), {}, {"small": b"y"})


def test_a_read_only_store_is_read_but_not_written(mounted):
    place, read_only = mounted
    store = Store(place)
    store.put("runs", key(1), {}, {"file": b"1"})
    read_only()
    before = snapshot(place)
    make = lambda *_: ({}, {})  # noqa: E731
    assert produce(store, "runs", {key(1): 1}, make, read_all, pytest.fail)
    for call in (
        lambda: store.put("runs", key(2), {}, {}),
        lambda: produce(store, "runs", {key(2): 2}, make, read_all, pytest.fail),
        lambda: store.set_aside("runs", key(1)),
        lambda: Store(place / "new").open(),
    ):
        with pytest.raises(StoreError) as caught:
            call()
        says_what_to_do(caught.value, place, "Read-only file system")
    assert snapshot(place) == before


@contextlib.contextmanager
def largest_file(size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 10, 4096])
def test_a_file_that_cannot_be_written_to_its_end(tmp_path, size):
    store = Store(tmp_path)
    store.put("runs", key(1), {}, {"file": b"x"})
    before = snapshot(tmp_path)
    with pytest.raises(StoreError) as caught, largest_file(size):
        store.put("runs", key(2), {}, {"file": bytes(5000)})
    says_what_to_do(caught.value, tmp_path, "File too large")
    assert snapshot(tmp_path) == before
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("stands", ["", "tmp", "runs", "locks"])
def test_a_file_where_a_folder_is_expected(tmp_path, stands):
    root = tmp_path / "store"
    (root / stands).parent.mkdir(exist_ok=True)
    (root / stands).write_text("here I am")
    with pytest.raises(StoreError) as caught:
        produce(Store(root), "runs", {key(1): 1}, lambda *_: ({}, {}), read_all, list)
    says_what_to_do(caught.value, root, "")
    assert (root / stands).read_text() == "here I am"


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        ('{"format": 2}', "is a store of format 2, and this version of hypertransfer reads and"),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ("{}", "cannot be read"),
    ],
)
def test_a_store_of_another_format_is_refused(tmp_path, marker, words):
    (tmp_path / "store.json").write_text(marker)
    store, before = Store(tmp_path), snapshot(tmp_path)
    for call in (
        store.check,
        store.open,
        lambda: store.put("runs", key(1), {}, {}),
        lambda: produce(store, "runs", {key(1): 1}, lambda *_: ({}, {}), read_all, list),
    ):
        with pytest.raises(StoreError, match=words) as caught:
            call()
        assert str(tmp_path) in str(caught.value)
    assert snapshot(tmp_path) == before


def test_a_new_store_says_its_format(tmp_path):
    Store(tmp_path / "a" / "store").open()
    assert json.loads((tmp_path / "a" / "store" / "store.json").read_text()) == {"format": 1}
    Store(tmp_path / "a" / "store").check()
    Store(tmp_path / "nowhere").check()


def test_files_of_the_store_can_be_read_by_colleagues(tmp_path):
    store = Store(tmp_path)
    store.put("runs", key(1), {}, {"file": b"x"})
    path = store.path("runs", key(1))
    assert path.stat().st_mode & 0o755 == 0o755
    assert (tmp_path / "store.json").stat().st_mode & 0o444 == 0o444


def test_two_file_systems_are_not_needed(tmp_path, monkeypatch):
    # Entries are renamed into place, so they are written on the store's own file system.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "not-there"))
    Store(tmp_path / "store").put("runs", key(1), {}, {"file": b"x"})
    assert Store(tmp_path / "store").has("runs", key(1))


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
    with pytest.raises(DamagedEntry, match="differs from what was written"):
        store.state("runs", key)
    with pytest.raises(ValueError, match="not a key"):
        store.keep_state("runs", "../x", b"")
