"""The run store: one directory for each entry, named by the entry's key.

    <root>/store.json                                  format of the store
    <root>/<kind>/<aa>/<identity>/<context>/entry.json  record, and digests of all files
                                           …/<files>
    <root>/states/<aa>/<kind>-<key>                     saved state of an unfinished entry
    <root>/locks/<aa>/<kind>-<key>                      lock of the process that makes an entry

An entry is written to the folder `tmp` and moved to its place by one atomic rename, after its
files are flushed: a process that is killed at any moment leaves no partial entry. Each read of a
file verifies the file's digest; a damaged entry is moved aside and reported, never used. The
content of a store is untrusted: no code in it is executed, no link is followed out of it, and an
entry whose record has another form than `parse_record` expects counts as damaged.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from hypertransfer.runs import canonical as runs_canonical
from hypertransfer.runs.canonical import canonical, parse_json
from hypertransfer.storage.atomic import (
    fsync_directory,
    open_file,
    replace_atomically,
    write_durably,
)

FORMAT = 1
ENTRY = "entry.json"
KEY = re.compile(r"[0-9a-f]{24}-[0-9a-f]{16}")
KINDS = ("runs", "probes", "weights")
FOLDERS = (*KINDS, "states", "tmp", "locks", "damaged")
FORMER_FOLDERS = ("claims",)  # of earlier versions: `hypertransfer prune` removes them
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # of a file in an entry


class StoreError(RuntimeError):
    """The store cannot be used; the message says where, why, and what to do."""


class DamagedEntry(StoreError):
    """The files of an entry cannot be read, or differ from what was written."""


@dataclass(frozen=True)
class Entry:
    """An entry of the store, whose record was verified."""

    key: str
    record: Mapping[str, Any]
    path: Path  # folder of the entry
    files: Mapping[str, str]  # SHA-256 digest of each file, by file name

    def read(self, name: str) -> bytes:
        """The bytes of one file, verified with the digest in the record.

        Raises:
            DamagedEntry: the file cannot be read, or its content does not match its digest.
        """
        try:
            with open_file(self.path / name) as file:
                content = file.read()
        except OSError as error:
            raise DamagedEntry(f"{self.key}: {name} cannot be read: {error}") from error
        if hashlib.sha256(content).hexdigest() != self.files.get(name):
            raise DamagedEntry(f"{self.key}: {name} differs from what was written")
        return content


def parse_record(key: str, content: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    """Record and digests of the files of an entry, from the content of its entry.json.

    Raises:
        DamagedEntry: the content does not match its digest, or is not a record.
    """
    try:
        parsed = parse_json(content)
        written = parsed.pop("digest")
        sound = written == _digest(parsed) and parsed["key"] == key
        record, files = parsed["record"], parsed["files"]
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        sound = False
    if not sound:
        raise DamagedEntry(f"{key}: {ENTRY} differs from what was written")
    if not isinstance(record, dict) or not _are_files(files):
        raise DamagedEntry(f"{key}: {ENTRY} does not have the form of a record")
    return record, files


def _are_files(files: object) -> bool:
    return isinstance(files, dict) and all(
        NAME.fullmatch(name) and name != ENTRY and isinstance(digest, str)
        for name, digest in files.items()
    )


class Store:
    """A store of finished entries by key, which several processes and hosts can share."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def path(self, kind: str, key: str) -> Path:
        """The folder of an entry, which need not exist; ValueError if `key` is not a key."""
        return Path(self._where(kind, key))

    def _where(self, kind: str, key: str) -> str:
        if not KEY.fullmatch(key):
            raise ValueError(f"{key!r} is not a key of an entry")
        identity, _, context = key.partition("-")
        return f"{self.root}/{kind}/{identity[:2]}/{identity}/{context}"

    def has(self, kind: str, key: str) -> bool:
        """Whether the entry exists; `get` and `Entry.read` check its content."""
        return os.path.isfile(f"{self._where(kind, key)}/{ENTRY}")  # noqa: PTH113 (10⁵ times)

    def contexts(self, kind: str, key: str) -> list[str]:
        """Keys of all entries with the same identity, made by any version of code and data."""
        parent = self.path(kind, key).parent
        if not parent.is_dir():
            return []
        return sorted(f"{parent.name}-{child.name}" for child in parent.iterdir())

    def get(self, kind: str, key: str) -> Entry | None:
        """The entry, or None if it does not exist.

        Raises:
            DamagedEntry: see `parse_record`; or the folder of the entry is a symbolic link.
        """
        path = self.path(kind, key)
        if path.is_symlink():
            raise DamagedEntry(f"{key}: its folder is a symbolic link")
        try:
            with open_file(path / ENTRY) as file:
                content = file.read(runs_canonical.MOST_JSON + 1)
        except FileNotFoundError:
            if path.exists():
                raise DamagedEntry(f"{key}: {ENTRY} is missing") from None
            return None
        except OSError as error:
            raise DamagedEntry(f"{key}: {ENTRY} cannot be read: {error}") from error
        record, files = parse_record(key, content)
        return Entry(key, record, path, files)

    def put(
        self, kind: str, key: str, record: Mapping[str, Any], files: Mapping[str, bytes]
    ) -> None:
        """Write an entry, unless another process has written the entry in the meantime.

        Raises:
            StoreError: the store cannot be written; no file is left behind.
        """
        target = self.path(kind, key)
        try:
            self.open()
            temporary = Path(tempfile.mkdtemp(dir=self.root / "tmp", prefix=owner()))
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            for name, content in files.items():
                write_durably(temporary / name, content)
            digests = {name: hashlib.sha256(text).hexdigest() for name, text in files.items()}
            content = {"key": key, "record": dict(record), "files": digests}
            content["digest"] = _digest(content)
            write_durably(temporary / ENTRY, json.dumps(content, indent=1).encode())
            fsync_directory(temporary)
            temporary.chmod(0o755)
            self._place(temporary, target)
            fsync_directory(target.parent)
            self.drop_state(kind, key)
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def keep_state(self, kind: str, key: str, content: bytes) -> None:
        """Save the state of an unfinished entry, replacing the state that was saved before.

        Only the process that holds the lock of the entry may call this; `put` removes the state.

        Raises:
            StoreError: the store cannot be written.
        """
        try:
            digest = hashlib.sha256(content).hexdigest().encode()
            replace_atomically(self.named("states", kind, key), digest + content)
        except OSError as error:
            raise self._unwritable(error) from error

    def state(self, kind: str, key: str) -> bytes | None:
        """The state that was saved last, or None if no state was saved.

        Raises:
            DamagedEntry: the file cannot be read, or its content does not match its digest.
        """
        try:
            with open_file(self.named("states", kind, key)) as file:
                content = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DamagedEntry(f"{key}: its saved state cannot be read: {error}") from error
        if hashlib.sha256(content[64:]).hexdigest().encode() != content[:64]:
            raise DamagedEntry(f"{key}: its saved state differs from what was written")
        return content[64:]

    def drop_state(self, kind: str, key: str) -> None:
        """Remove the saved state of an entry, if there is one."""
        with contextlib.suppress(OSError):
            self.named("states", kind, key).unlink(missing_ok=True)

    def named(self, folder: str, kind: str, key: str) -> Path:
        """The file of an entry in the folder `states` or `locks`; ValueError if `key` is no key."""
        self._where(kind, key)  # raises ValueError if `key` is not a key
        return self.root / folder / key[:2] / f"{kind}-{key}"

    def _place(self, temporary: Path, target: Path) -> None:
        """Move a complete entry to its place, unless an entry is there already."""
        for attempt in range(10):
            try:
                self._stay_inside(target.parent)
                target.parent.mkdir(parents=True, exist_ok=True)
                self._stay_inside(target.parent)
                with contextlib.suppress(FileExistsError):
                    _rename(temporary, target)
                return
            except FileNotFoundError:  # another process has just removed the empty folder
                if attempt == 9 or not temporary.exists():
                    raise

    def _stay_inside(self, folder: Path) -> None:
        """Check that no link in the path of a folder leads out of the store.

        Raises:
            StoreError: a link leads out of the store.
        """
        wanted = Path(os.path.realpath(self.root)) / folder.relative_to(self.root)
        if Path(os.path.realpath(folder)) != wanted:
            raise StoreError(
                f"{folder} leads out of the store by a symbolic link: remove the link, or set the "
                "key 'store' of the main config to the folder that the link leads to"
            )

    def open(self) -> None:
        """Create the store if it does not exist, otherwise check its format.

        Raises:
            StoreError: the store was written by another version, or cannot be written.
        """
        self.check()
        try:
            (self.root / "tmp").mkdir(parents=True, exist_ok=True)
            if not (self.root / "store.json").exists():
                replace_atomically(self.root / "store.json", canonical({"format": FORMAT}).encode())
        except OSError as error:
            raise self._unwritable(error) from error
        self._sweep()

    def check(self) -> None:
        """Check the format of the store, and that none of its folders is a link out of it.

        Raises:
            StoreError: the store has another format, or a link leads out of the store.
        """
        for name in FOLDERS:
            if (self.root / name).is_symlink():
                self._stay_inside(self.root / name)
        marker = self.root / "store.json"
        try:
            with open_file(marker) as file:
                written = parse_json(file.read(10_000))["format"]
        except (FileNotFoundError, NotADirectoryError):
            return
        except (ValueError, KeyError, TypeError, OSError) as error:
            advice = "restore it, or move the store away"
            raise StoreError(f"{marker} cannot be read ({error}): {advice}") from error
        if written != FORMAT:
            raise StoreError(
                f"{self.root} is a store of format {written}, and this version of hypertransfer "
                f"reads and writes format {FORMAT}: set the key 'store' of the main config to "
                "another folder, or use the version that wrote this store"
            )

    def set_aside(self, kind: str, key: str) -> Path:
        """Move a damaged entry to the folder `damaged`, and return its new path.

        Raises:
            StoreError: the store cannot be written.
        """
        path = self.path(kind, key)
        target = self.root / "damaged" / f"{kind}-{key}-{time.time_ns()}"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # another process has moved it
                path.rename(target)
        except OSError as error:
            raise self._unwritable(error) from error
        return target

    @contextlib.contextmanager
    def locked(self, kind: str, key: str, *, wait: bool) -> Iterator[bool]:
        """Hold the lock of an entry in a `with` block; yields False if another process holds it.

        With `wait`, the call blocks until the lock is free. The lock is an advisory lock on a
        file, which the operating system releases when the process that holds it ends.

        Raises:
            StoreError: the store cannot be written.
        """
        path = self.named("locks", kind, key)
        while True:
            with self._lock_file(path) as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
                except BlockingIOError:
                    yield False
                    return
                if not _same_file(file.fileno(), path):
                    continue  # the previous holder removed the file: take the new one
                try:
                    yield True
                finally:
                    path.unlink(missing_ok=True)
                return

    def _lock_file(self, path: Path) -> IO[str]:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return path.open("a", encoding="utf-8")
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> StoreError:
        return StoreError(
            f"the store {self.root} cannot be written: {error.strerror or error}. Nothing was "
            "lost: finished runs are in the store. Make room or permission there, or name "
            "another folder in the main config, key 'store', and call snakemake again"
        )

    def _sweep(self) -> None:
        """Remove unfinished entries of processes of this host that have ended."""
        host = f"{socket.gethostname()}~"
        for left in (self.root / "tmp").glob(f"{host}*"):
            pid = left.name.removeprefix(host).partition("~")[0]
            if re.fullmatch("[0-9]{1,9}", pid) and not is_running(int(pid)):
                shutil.rmtree(left, ignore_errors=True)


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def owner() -> str:
    """The prefix of the names of this process's files in the folder `tmp`."""
    return f"{socket.gethostname()}~{os.getpid()}~"


def is_running(pid: int) -> bool:
    """Whether a process of this host is running."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _rename(source: Path, target: Path) -> None:
    # rename(2) fails if the target is a directory with files: the first entry stays.
    try:
        source.rename(target)
    except OSError as error:
        if target.is_dir():
            raise FileExistsError(target) from error
        raise


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
