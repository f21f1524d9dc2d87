"""The ledger: what was made is told from what it has become, and one process holds a folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypertransfer.storage import ledger


@pytest.fixture
def book(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("ledger.jsonl")


def made(book: Path, name: str, content: bytes = b"content") -> str:
    Path(name).write_bytes(content)
    ledger.add([name], book)
    return name


def test_what_was_made_stands(book):
    files = [made(book, name) for name in ("a", "b")]
    assert ledger.changed([*files, "never made"], book) == []


def test_a_file_that_no_job_ended_is_false(book):
    Path("torn").write_bytes(b"half")
    assert ledger.changed(["torn"], book) == ["torn"]


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.binary(min_size=1, max_size=50), st.data())
def test_any_flipped_bit_is_seen_where_the_time_has_changed(tmp_path_factory, content, data):
    folder = tmp_path_factory.mktemp("flip")
    file, book = folder / "f", folder / "ledger.jsonl"
    file.write_bytes(content)
    ledger.add([str(file)], book)
    changed = bytearray(content)
    changed[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    before = file.stat()
    file.write_bytes(changed)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert ledger.changed([str(file)], book) == [str(file)]
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert list(ledger.damaged([str(file)], book)) == [str(file)], "reading finds it in any case"


def test_a_copy_with_another_time_stands_and_is_read_once(book, monkeypatch):
    file = made(book, "a")
    os.utime(file, (1, 1))
    assert ledger.changed([file], book) == []
    monkeypatch.setattr(ledger.MadeFile, "of", None)
    assert ledger.changed([file], book) == []


@pytest.mark.parametrize(
    "junk", [b"{", b"[1]", b"null", b'{"a": 3}', b'{"a": {"size": 1}}', b"[" * 10**5, b"\xff"]
)
def test_lines_that_cannot_be_read_are_none(book, junk):
    file = made(book, "a")
    with book.open("ab") as out:
        out.write(junk)  # without a newline, as a kill leaves it
    other = made(book, "b")
    assert ledger.changed([file, other], book) == []


def test_the_last_line_counts(book):
    made(book, "a", b"one")
    made(book, "a", b"two")
    assert ledger.changed(["a"], book) == []
    Path("a").write_bytes(b"one")
    os.utime("a", (1, 1))
    assert ledger.changed(["a"], book) == ["a"]


def test_one_holds_a_folder_until_it_dies(tmp_path):
    lock = tmp_path / "results/.lock"
    program = (
        "import sys, time; from pathlib import Path; from hypertransfer.storage import ledger\n"
        "held = ledger.acquire_lock(Path(sys.argv[1])); "
        "print(held is not None, flush=True); time.sleep(60)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(lock)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2] / "workflow",
    )
    assert other.stdout.readline() == "True\n"
    assert ledger.acquire_lock(lock) is None
    with pytest.raises(ledger.FolderLockError, match="another Snakemake process writes to"):
        ledger.wait_for_lock(0.3, lock)
    other.send_signal(signal.SIGKILL)
    other.wait()
    other.stdout.close()
    held = ledger.wait_for_lock(5, lock)
    held.close()


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ledger.FolderLockError, match="cannot be written"):
        ledger.wait_for_lock(0, tmp_path / "file" / "results" / ".lock")
