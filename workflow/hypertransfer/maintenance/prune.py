"""Find and remove entries, saved states, made files and leftovers to which no study refers.

The search itself reads no record of an entry that stays. `remove` takes the lock of an entry, or of
the run of weights, before the entry is taken out of the store (see `storage.removal`): a reader
sees the whole entry or none.
"""

from __future__ import annotations

import fcntl
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hypertransfer.maintenance.references import References
from hypertransfer.maintenance.scan import (
    MARKER_LEFTOVER,
    NOT_OF_A_STORE,
    Progress,
    ScannedPath,
    directory_entries,
    part_of,
    scan_kind,
    scan_top,
    size_of,
)
from hypertransfer.planning.jobs import RESULTS
from hypertransfer.storage.atomic import open_file
from hypertransfer.storage.removal import take_out
from hypertransfer.storage.run_store import KEY, KINDS, DamagedEntry, Store, is_running

DAY = 86400.0
DIGEST = re.compile(r"(?:.*-)?[0-9a-f]{12}")
FILE_LEFTOVER = re.compile(r"\..+\.[a-z0-9_]{8}")  # temporary file of `atomic.replacing`
IN_USE = "a process holds its lock"
KILLED = "was left by a process that was killed"


@dataclass(frozen=True)
class Item:
    """A path that can be removed, or that does not belong to the store.

    Attributes:
        what: a kind of entry, `states`, `made`, `damaged`, `leftover`, or `foreign` for a path that
            does not belong to the store and is never removed.
        study: the study to which the path belongs; empty if unknown.
        why: the reason to remove the path.
        path: the path.
        size: the size in bytes.
        key: the key of the entry; empty for other paths.
        keep: the reason why the path stays nevertheless; empty if the path can be removed.
        run: the key of the run of weights, whose lock is theirs; empty for other paths.
    """

    what: str
    study: str
    why: str
    path: Path
    size: int
    key: str = ""
    keep: str = ""
    run: str = ""

    @property
    def name(self) -> str:
        """The name of the item in lists: the key of an entry, or the path."""
        return self.key or str(self.path)


def items(
    store: Store,
    references: References,
    older: float,
    progress: Progress = lambda share: None,
) -> Iterator[Item]:
    """The removable and the foreign paths in the store and in the results of the first project.

    Paths younger than `older` days are yielded as well, with the reason why they stay.
    """
    before = time.time() - older * DAY
    for item in _all_items(store, references, progress):
        young = item.what != "foreign" and not item.keep and _time_of(item) > before
        yield replace(item, keep=f"younger than {older:g} days") if young else item


def _all_items(store: Store, references: References, progress: Progress) -> Iterator[Item]:
    for index, kind in enumerate(KINDS):
        for scanned in scan_kind(store.root, kind, part_of(progress, index)):
            if not scanned.is_entry:
                yield _foreign(scanned.path, scanned.why)
            elif not references.has(kind, scanned.key):
                yield _unreferenced(store, references, scanned)
    for scanned in scan_top(store.root):
        former = scanned.kind == "former"
        yield _former_locks(store, scanned) if former else _foreign(scanned.path, scanned.why)
    yield from _set_aside(store)
    yield from _leftovers(store)
    yield from _locks(store)
    yield from _states(store, references)
    for project, files in list(references.made.items())[:1]:
        yield from _made(project, files)


def _foreign(path: Path, why: str = NOT_OF_A_STORE) -> Item:
    return Item("foreign", "", why, path, size_of(path))


def _former_locks(store: Store, scanned: ScannedPath) -> Item:
    """The folder of locks of an earlier version; foreign if it contains other files than locks."""
    files = list(_named_by_key(store, scanned.path.name))
    folders = directory_entries(scanned.path)
    known = all(folder.is_dir(follow_symlinks=False) for folder in folders)
    if not known or not all(key for _, _, key in files):
        return _foreign(scanned.path, f"{scanned.why}, and holds other files")
    keep = IN_USE if any(_is_held(path) for path, _, _ in files) else ""
    return Item("leftover", "", scanned.why, scanned.path, size_of(scanned.path), keep=keep)


def _unreferenced(store: Store, references: References, scanned: ScannedPath) -> Item:
    run, why = scanned.key, "no study asks for it"
    if scanned.kind != "runs":
        try:
            entry = store.get(scanned.kind, scanned.key)
            run = str(entry.record.get("run")) if entry else ""
        except DamagedEntry:
            run, why = "", "damaged, and no study asks for it"
    study = references.study_of(run) if KEY.fullmatch(run) else ""
    if study and scanned.kind == "runs":
        why = "made by other code, data or table"
    elif study:
        reasons = {
            "probes": "a probe of other code or settings",
            "weights": "weights that no missing probe reads",
        }
        why = reasons[scanned.kind]
    of = run if scanned.kind == "weights" and KEY.fullmatch(run) else ""
    lock = ("runs", of) if of else (scanned.kind, scanned.key)
    keep = IN_USE if _is_locked(store, *lock) else ""
    size = size_of(scanned.path)
    return Item(scanned.kind, study, why, scanned.path, size, scanned.key, keep, of)


def _set_aside(store: Store) -> Iterator[Item]:
    for child in directory_entries(store.root / "damaged"):
        path = store.root / "damaged" / child.name
        if re.fullmatch(rf"({'|'.join(KINDS)})-.+-[0-9]+", child.name):
            yield Item("damaged", "", "was set aside as damaged", path, size_of(path))
        else:
            yield _foreign(path)


def _leftovers(store: Store) -> Iterator[Item]:
    """Unfinished files of processes that ended; files of other hosts only after one day."""
    for child in directory_entries(store.root / "tmp"):
        path = store.root / "tmp" / child.name
        host, _, rest = child.name.partition("~")
        pid = rest.partition("~")[0]
        if not re.fullmatch("[0-9]{1,9}", pid):
            yield _foreign(path)
            continue
        here = host == socket.gethostname()
        may_run = is_running(int(pid)) if here else time.time() - path.lstat().st_mtime < DAY
        keep = "its process may still be running" if may_run else ""
        yield Item("leftover", "", KILLED, path, size_of(path), keep=keep)
    for child in directory_entries(store.root):
        if MARKER_LEFTOVER.fullmatch(child.name):
            path = store.root / child.name
            yield Item("leftover", "", KILLED, path, size_of(path))


def _locks(store: Store) -> Iterator[Item]:
    for path, _, key in _named_by_key(store, "locks"):
        if key:
            keep = IN_USE if _is_held(path) else ""
            yield Item("leftover", "", "a lock that no process holds", path, 0, keep=keep)
        else:
            yield _foreign(path)


def _states(store: Store, references: References) -> Iterator[Item]:
    """Saved states of runs that no study asks for, or that are finished."""
    for path, kind, key in _named_by_key(store, "states"):
        if key and (store.has(kind, key) or not references.has(kind, key)):
            why = "its run is finished" if store.has(kind, key) else "no study asks for its run"
            keep = IN_USE if _is_locked(store, kind, key) else ""
            study = references.study_of(key)
            yield Item("states", study, why, path, size_of(path), key, keep)
        elif not key and FILE_LEFTOVER.fullmatch(path.name):
            yield Item("leftover", "", KILLED, path, size_of(path))
        elif not key:
            yield _foreign(path)


def _named_by_key(store: Store, folder: str) -> Iterator[tuple[Path, str, str]]:
    """The files `<folder>/<aa>/<kind>-<key>` with kind and key; other files have an empty key."""
    for outer in directory_entries(store.root / folder):
        if not outer.is_dir(follow_symlinks=False):
            continue
        for child in directory_entries(store.root / folder / outer.name):
            kind, _, key = child.name.partition("-")
            fits = kind in KINDS and KEY.fullmatch(key) and key.startswith(outer.name)
            path = store.root / folder / outer.name / child.name
            yield path, kind, key if fits else ""


def _is_locked(store: Store, kind: str, key: str) -> bool:
    """Whether a running process holds the lock of an entry."""
    return _is_held(store.named("locks", kind, key))


def _is_held(path: Path) -> bool:
    """Whether a running process holds the lock of a file; the check does not change the file."""
    try:
        with open_file(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _made(project: Path, referenced: set[str]) -> Iterator[Item]:
    """The files in a project's results that no plan has; links are not followed."""
    results = project / RESULTS
    for study in directory_entries(results):
        folder = results / "made" if study.name == "made" else results / study.name / "made"
        if study.is_dir(follow_symlinks=False) and folder.is_dir() and not folder.is_symlink():
            name = "" if study.name == "made" else study.name
            for path in _files(folder):
                if str(path.relative_to(project)) not in referenced:
                    yield from _made_item(folder, path, name)


def _files(folder: Path) -> Iterator[Path]:
    for child in directory_entries(folder):
        if child.is_dir(follow_symlinks=False):
            yield from _files(folder / child.name)
        else:
            yield folder / child.name


def _made_item(folder: Path, path: Path, study: str) -> Iterator[Item]:
    inner = path.relative_to(folder).parts
    if inner[0] == "published":  # markers, which the next publication removes
        return
    named = path.stem if inner[0] not in ("tables", "index") else path.parent.name
    if FILE_LEFTOVER.fullmatch(path.name):
        yield Item("leftover", study, KILLED, path, size_of(path))
    elif DIGEST.fullmatch(named) and not path.is_symlink():
        yield Item("made", study, "no plan has it", path, size_of(path))
    else:
        yield Item("foreign", study, "is not named by a digest", path, size_of(path))


def _time_of(item: Item) -> float:
    """The time of a path in seconds since the epoch; infinite if the path does not exist."""
    if item.what == "damaged":
        stamp = item.path.name.rpartition("-")[2]
        return int(stamp) / 1e9
    try:
        return item.path.lstat().st_mtime
    except OSError:
        return float("inf")


def remove(store: Store, item: Item) -> str:
    """Remove an item; returns the reason why the item stays, empty if the item was removed."""
    if item.keep or item.what == "foreign":
        return item.keep or item.why
    try:
        return _removed(store, item)
    except FileNotFoundError:  # another process has removed it
        return ""
    except (OSError, RecursionError) as error:
        return f"cannot be removed: {error}"


def _removed(store: Store, item: Item) -> str:
    is_lock = item.path.is_relative_to(store.root / "locks")
    by_name = is_lock or item.what == "states"
    kind, _, key = item.path.name.partition("-") if by_name else (item.what, "", item.key)
    if item.run:  # who writes, reads or removes weights holds the lock of their run
        kind, key = "runs", item.run
    if key:
        with store.locked(kind, key, wait=False) as acquired:
            if not acquired:
                return IN_USE
            if not is_lock:  # `locked` removes a lock file by itself
                take_out(store.root, item.path)
    elif item.path.is_relative_to(store.root):
        take_out(store.root, item.path)
    else:
        item.path.unlink()
    _tidy(item)
    return ""


def _tidy(item: Item) -> None:
    """Remove the folders above a removed item that have become empty."""
    levels = {**dict.fromkeys(KINDS, 2), "made": len(item.path.parts)}.get(item.what, 0)
    for folder in list(item.path.parents)[:levels]:
        if folder.name == "made":
            return
        try:
            folder.rmdir()
        except OSError:
            return
