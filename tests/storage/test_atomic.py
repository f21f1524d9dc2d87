"""Files are replaced in one step, and only regular files are opened."""

from __future__ import annotations

import contextlib
import os

import pytest

from hypertransfer.storage import atomic


def test_a_file_is_replaced_when_its_block_ends(tmp_path):
    path = tmp_path / "new" / "file"
    with atomic.replacing(path) as file:
        file.write(b"first")
        assert not path.exists()
    assert path.read_bytes() == b"first"
    atomic.replace_atomically(path, b"second")
    assert path.read_bytes() == b"second"
    assert [child.name for child in path.parent.iterdir()] == ["file"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_an_error_leaves_the_former_file_and_no_other(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"former")
    with contextlib.suppress(ZeroDivisionError), atomic.replacing(path) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert path.read_bytes() == b"former"
    assert [child.name for child in tmp_path.iterdir()] == ["file"]


def test_a_new_file_takes_no_other_files_place(tmp_path):
    atomic.write_durably(tmp_path / "file", b"first")
    with pytest.raises(FileExistsError):
        atomic.write_durably(tmp_path / "file", b"second")
    assert (tmp_path / "file").read_bytes() == b"first"


def test_only_regular_files_are_opened(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    with atomic.open_file(tmp_path / "file") as file:
        assert file.read() == b"content"
    with atomic.open_file(tmp_path / "link", links=True) as file:
        assert file.read() == b"content"
    with pytest.raises(OSError, match="link"):
        atomic.open_file(tmp_path / "link")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(OSError, match="is not a regular file"):
            atomic.open_file(path)
