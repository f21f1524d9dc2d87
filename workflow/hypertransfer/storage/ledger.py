"""What was made, as it was when it was made: a damaged result is made again, not passed on.

Snakemake takes a file that is there for what it should be. Each job therefore adds a line to
the ledger: size, time and digest of every file that it made. Before jobs are planned, files that
differ from their line are removed, and so are files without one, whose job never ended. What
they hold comes from the run store, so that making them again is quick.
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
class Made:
    """A file as it was made: bytes, time of change in ns, and digest of its content."""

    size: int
    changed: int
    digest: str

    @classmethod
    def of(cls, path: Path) -> Made:
        """The file as it is now."""
        stat = path.stat()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(stat.st_size, stat.st_mtime_ns, digest)


class Taken(RuntimeError):
    """This folder's results cannot be made now: the message says why."""


def add(paths: Iterable[str], file: Path = FILE) -> None:
    """Note what a job has made, in one line that is written whole or is no line."""
    _note({str(path): Made.of(Path(path)) for path in paths}, file)


def _note(made: Mapping[str, Made], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({path: vars(one) for path, one in made.items()})
    with file.open("ab") as ledger:
        fcntl.flock(ledger, fcntl.LOCK_EX)
        # The newline before it ends what a killed process may have left without one.
        ledger.write(f"\n{line}\n".encode())
        ledger.flush()
        os.fsync(ledger.fileno())


def read(file: Path = FILE) -> dict[str, Made]:
    """The last note of each file; lines that cannot be read are as good as none."""
    found: dict[str, Made] = {}
    try:
        lines = file.read_bytes().splitlines()
    except OSError:
        return found
    for line in filter(None, lines):
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            found |= {path: Made(**values) for path, values in parse_json(line).items()}
    return found


def false(paths: Iterable[str], file: Path = FILE) -> list[str]:
    """Which of the files that are there are not what a job has made.

    Files that have another time and the same content, such as copies, are noted anew.
    """
    notes, out, again = read(file), [], {}
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            stat, note = Path(path).stat(), notes.get(path)
            if note is None or stat.st_size != note.size:
                out.append(path)
            elif stat.st_mtime_ns != note.changed:
                now = Made.of(Path(path))
                if now.digest == note.digest:
                    again[path] = now
                else:
                    out.append(path)
    if again:
        _note(again, file)
    return out


def damaged(paths: Iterable[str], file: Path = FILE) -> Iterator[str]:
    """Which of the files hold other bytes than were made, whatever their size and time say."""
    notes = read(file)
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            if path in notes and Made.of(Path(path)).digest != notes[path].digest:
                yield path


def remove(paths: Iterable[str]) -> list[str]:
    """Remove files, so that they are made again; returns which."""
    removed = list(paths)
    for path in removed:
        Path(path).unlink(missing_ok=True)
    return removed


def hold_soon(seconds: float, file: Path = LOCK) -> IO[str]:
    """The right to make results in this folder, for which it waits some seconds.

    Raises:
        Taken: another process holds it, or the folder cannot be written.
    """
    until = time.monotonic() + seconds
    try:
        while (handle := hold(file)) is None:
            if time.monotonic() > until:
                raise Taken(
                    f"another snakemake makes results in {file.parent.resolve()}: wait until it "
                    "has ended, or work in another folder (the store may be shared)"
                )
            time.sleep(0.2)
    except OSError as error:
        raise Taken(f"{file.parent.resolve()} cannot be written: {error.strerror}") from error
    return handle


def hold(file: Path = LOCK) -> IO[str] | None:
    """The right to make results in this folder, until the handle is closed; None if it is taken.

    The system takes it back from a process that dies, however it dies.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = file.open("a")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    return handle
