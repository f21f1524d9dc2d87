"""The ledger: size, time and digest of every file that a job has made.

Snakemake trusts any output file that exists. Each job therefore adds a line to the ledger with
the files that it has made. Before jobs are planned, files that differ from their line are
removed, and so are files without a line, whose job did not finish. Snakemake then makes the
files again; the runs are not trained again, because the run store has them.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hypertransfer.runs.canonical import parse_json

FILE = Path("results/ledger.jsonl")
LOCK = Path("results/.lock")


@dataclass(frozen=True)
class MadeFile:
    """Size in bytes, modification time in ns, and SHA-256 digest of a made file."""

    size: int
    changed: int
    digest: str

    @classmethod
    def of(cls, path: Path) -> MadeFile:
        """The present size, time and digest of a file."""
        stat = path.stat()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(stat.st_size, stat.st_mtime_ns, digest)


class FolderLockError(RuntimeError):
    """The lock of the results cannot be acquired; the message says why."""


def add(paths: Iterable[str], file: Path = FILE) -> None:
    """Add a line with the files that a job has made.

    Raises:
        OSError: a file does not exist, or the ledger cannot be written.
    """
    _write_line({str(path): MadeFile.of(Path(path)) for path in paths}, file)


def _write_line(made: Mapping[str, MadeFile], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({path: vars(made_file) for path, made_file in made.items()})
    with file.open("ab") as ledger:
        fcntl.flock(ledger, fcntl.LOCK_EX)
        # The first newline ends the unfinished line of a process that was killed, if there is one.
        ledger.write(f"\n{line}\n".encode())
        ledger.flush()
        os.fsync(ledger.fileno())


def read(file: Path = FILE) -> dict[str, MadeFile]:
    """The last entry of each file in the ledger; lines that cannot be parsed are skipped."""
    recorded: dict[str, MadeFile] = {}
    try:
        lines = file.read_bytes().splitlines()
    except OSError:
        return recorded
    for line in filter(None, lines):
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            recorded |= {path: MadeFile(**values) for path, values in parse_json(line).items()}
    return recorded


def changed(paths: Iterable[str], file: Path = FILE) -> list[str]:
    """Existing files that differ from their line in the ledger, or have no line.

    A file whose time differs and whose content is the same, such as a copy, is not returned; its
    new time is added to the ledger.
    """
    recorded, differing, touched = read(file), [], {}
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            stat, made = Path(path).stat(), recorded.get(path)
            if made is None or stat.st_size != made.size:
                differing.append(path)
            elif stat.st_mtime_ns != made.changed:
                now = MadeFile.of(Path(path))
                if now.digest == made.digest:
                    touched[path] = now
                else:
                    differing.append(path)
    if touched:
        _write_line(touched, file)
    return differing


def damaged(paths: Iterable[str], file: Path = FILE) -> Iterator[str]:
    """Files whose digest differs from their line in the ledger; every file is read."""
    recorded = read(file)
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            if path in recorded and MadeFile.of(Path(path)).digest != recorded[path].digest:
                yield path


def remove(paths: Iterable[str]) -> list[str]:
    """Remove files, so that Snakemake makes them again; returns their paths."""
    removed = list(paths)
    for path in removed:
        Path(path).unlink(missing_ok=True)
    return removed


def wait_for_lock(seconds: float, file: Path = LOCK) -> IO[str]:
    """Acquire the lock of the results in this folder, waiting at most `seconds`.

    Raises:
        FolderLockError: another process still holds the lock, or the folder cannot be written.
    """
    until = time.monotonic() + seconds
    try:
        while (handle := acquire_lock(file)) is None:
            if time.monotonic() > until:
                raise FolderLockError(
                    f"another Snakemake process writes to {file.parent.resolve()}: wait until that "
                    "process has ended, or work in another folder (both can use one store)"
                )
            time.sleep(0.2)
    except OSError as error:
        text = f"{file.parent.resolve()} cannot be written: {error.strerror}"
        raise FolderLockError(text) from error
    return handle


def acquire_lock(file: Path = LOCK) -> IO[str] | None:
    """Acquire the lock of the results; None if another process holds the lock.

    The lock is released when the handle is closed, or when the process ends in any way.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = file.open("a", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    return handle
