"""`hypertransfer verify` finds every damage of the store and of made files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.damage import damaged
from tests.support.peak_memory import PEAK
from tests.support.project import files, output_of
from tests.support.store import key

from hypertransfer.cli import main
from hypertransfer.maintenance import verify
from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store

ROOT = Path(__file__).resolve().parents[2]
SEEDED = settings(derandomize=True, deadline=None)  # the same cases on every machine


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Store:
    store = Store(tmp_path_factory.mktemp("sound"))
    store.put("runs", key(1), {"status": "finished"}, files())
    store.put("probes", key(2), {"run": key(1)}, {})
    return store


def faults(store: Store, **options) -> list[str]:
    return [str(fault) for fault in verify.store_faults(store, **options)]


def test_a_sound_store_has_no_faults(sound):
    shares: list[float] = []
    assert faults(sound, progress=shares.append) == []
    assert faults(sound, quick=True) == []
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@SEEDED
@given(st.data())
def test_any_flipped_byte_of_any_file_is_found(sound, data):
    place = sound.path("runs", key(1))
    path = place / data.draw(st.sampled_from(sorted(files())))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with damaged(path, bytes(content)):
        (fault,) = faults(sound)
    assert f"{path.name} differs from what was written" in fault
    assert str(place) in fault


@SEEDED
@given(st.data())
def test_any_flipped_byte_of_a_record_is_found_or_says_the_same(sound, data):
    path = sound.path("runs", key(1)) / "entry.json"
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    before = sound.get("runs", key(1))
    with damaged(path, bytes(content)):
        found = faults(sound)
        assert found or sound.get("runs", key(1)) == before


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda place: (place / "entry.json").unlink(), "entry.json is missing"),
        (lambda place: (place / "history.parquet").unlink(), "history.parquet cannot be read"),
        (lambda place: (place / "extra").write_text(""), "extra exists, and is not listed"),
        (lambda place: (place / "history.parquet").write_bytes(files()["history.parquet"][:-9]),
         "history.parquet"),
        (lambda place: (place / "checkpoints.safetensors").write_bytes(b"\xff" * 64),
         "checkpoints.safetensors"),
        (lambda place: shutil.move(place, place.with_name(f"{2:016x}")),
         "differs from what was written"),
    ],
)  # fmt: skip
def test_damage_is_named_and_set_aside(project, capsys, damage, words, quick):
    project.fill()
    run = project.plan().runs["sweep"][0].key
    for file in project.plan().made:
        (project.folder / file).unlink()
    place = project.store.path("runs", run)
    damage(place)
    options = ["--quick"] if quick else []
    text = output_of(capsys, "verify", *options, code=1)
    assert words in text
    assert str(place.parent) in text
    assert "1 fault" in text
    text = output_of(capsys, "verify", "--aside", *options, code=1)
    assert "moved to" in text
    assert "all sound" in output_of(capsys, "verify", *options)
    assert len(list((project.store.root / "damaged").iterdir())) == 1
    assert not project.store.has("runs", run)  # so that snakemake makes it again


def test_a_link_in_the_place_of_an_entry_is_set_aside_itself(project, capsys, tmp_path):
    store = project.store
    store.put("runs", key(1), {}, {})
    place = store.path("runs", key(1))
    shutil.move(place, tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    assert "is a link" in output_of(capsys, "verify", "--aside", code=1)
    assert (tmp_path / "elsewhere" / "entry.json").exists()
    assert not place.is_symlink()


def test_strangers_are_said_and_are_no_fault(project, capsys):
    project.store.put("runs", key(1), {}, {})
    (project.store.root / "README").write_text("ours")
    text = output_of(capsys, "verify")
    assert "README: is not part of a store" in text
    assert "all sound" in text


def test_made_files_of_the_plan_are_read(project, capsys):
    project.fill()
    planned = project.plan()
    table = pa.table({"key": ["a"]})
    for file in planned.made:
        path = project.folder / file
        good = {".parquet": parquet.to_bytes(table), ".ipynb": b"{}", ".html": b"<p></p></html>",
                ".png": b"\x89PNG\r\n....IEND....", ".svg": b"<?xml></svg>"}  # fmt: skip
        path.write_bytes(good[path.suffix])
    assert "all sound" in output_of(capsys, "verify")
    for file in planned.made:
        path = project.folder / file
        with damaged(path, path.read_bytes()[:-8]):
            (fault,) = verify.made_faults(project.folder, planned.made)
            assert f"{path}: cannot be read" in str(fault)
    path.unlink()  # what is not there yet is no fault
    (project.folder / planned.made[0]).write_bytes(b"")
    assert "1 fault" in output_of(capsys, "verify", code=1)


def test_a_store_that_cannot_be_written_can_be_verified(project, capsys):
    project.store.put("runs", key(1), {}, files())
    before = {path: path.lstat().st_mtime_ns for path in project.store.root.rglob("*")}
    output_of(capsys, "verify")
    assert {path: path.lstat().st_mtime_ns for path in project.store.root.rglob("*")} == before
    if os.geteuid() == 0:
        mount = ["mount", "--bind", str(project.store.root), str(project.store.root)]
        if subprocess.run(mount, capture_output=True).returncode:
            return
        try:
            remount = ["mount", "-o", "remount,ro,bind", str(project.store.root)]
            subprocess.run(remount, check=True, capture_output=True)
            assert "all sound" in output_of(capsys, "verify")
            assert main.main(["prune", "--yes", "--older-than", "0"]) == 1
            assert "cannot be written" in capsys.readouterr().err
        finally:
            subprocess.run(["umount", str(project.store.root)], check=True)


def test_large_files_are_read_in_pieces(tmp_path):
    """Verifying a file takes far less memory than it has bytes."""
    store = Store(tmp_path)
    store.put("runs", key(1), {}, {"large": bytes(200_000_000)})
    code = (
        f"{PEAK}\n"
        "import sys\n"
        "from hypertransfer.maintenance import verify\n"
        "from hypertransfer.storage.run_store import Store\n"
        "before = peak()\n"
        "assert not list(verify.store_faults(Store(sys.argv[1])))\n"
        "print(peak() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
    )  # fmt: skip
    assert int(done.stdout) < 50_000_000
