"""What nobody means any more: found without reading what stays, and removed whole or not at all.

An entry vanishes by one rename out of its place, under the claim that its maker would hold, and
is deleted after that: a reader finds it whole or finds none. Folders are opened one below the
other without following links, so that nothing outside the store can be hit.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hypertransfer.maintenance.references import Meaning
from hypertransfer.maintenance.scan import (
    LEFT_OF_MARKER,
    Place,
    Step,
    beside,
    entries,
    listed,
    part,
    size_of,
)
from hypertransfer.planning.jobs import RESULTS
from hypertransfer.storage.atomic import open_file
from hypertransfer.storage.run_store import KEY, KINDS, DamagedEntry, Store, is_running, owner

DAY = 86400.0
DIGEST = re.compile(r"(?:.*-)?[0-9a-f]{12}")
LEFT_OF_FILE = re.compile(r"\..+\.[a-z0-9_]{8}")  # of a file that was being put in place
IN_USE = "a process holds its claim"


@dataclass(frozen=True)
class Item:
    """Something that prune found: what it is, whose, why it may go, and why it stays."""

    what: str  # runs, probes, states, made, damaged, leftover; or foreign, which stays
    study: str
    why: str
    path: Path
    size: int
    key: str = ""
    keep: str = ""

    @property
    def name(self) -> str:
        """What it is called in a list: the key of an entry, or the path."""
        return self.key or str(self.path)


def items(
    store: Store, meaning: Meaning, older: float, step: Step = lambda share: None
) -> Iterator[Item]:
    """Everything in the store, and in the first project's results, that may go or is foreign.

    What is younger than `older` days is found too, but stays.
    """
    before = time.time() - older * DAY
    for item in _all(store, meaning, step):
        young = item.what != "foreign" and not item.keep and _changed(item) > before
        yield replace(item, keep=f"younger than {older:g} days") if young else item


def _all(store: Store, meaning: Meaning, step: Step) -> Iterator[Item]:
    for index, kind in enumerate(KINDS):
        for place in entries(store.root, kind, part(step, index)):
            if not place.is_entry:
                yield _foreign(place)
            elif not meaning.has(kind, place.key):
                yield _unmeant(store, meaning, place)
    yield from map(_foreign, beside(store.root))
    yield from _set_aside(store)
    yield from _leftovers(store)
    yield from _claims(store)
    yield from _states(store, meaning)
    for project, meant in list(meaning.made.items())[:1]:
        yield from _made(project, meant)


def _foreign(place: Place) -> Item:
    return Item("foreign", "", place.why, place.path, size_of(place.path))


def _unmeant(store: Store, meaning: Meaning, place: Place) -> Item:
    run, why = place.key, "no study asks for it"
    if place.kind == "probes":
        try:
            entry = store.get("probes", place.key)
            run = str(entry.record.get("run")) if entry else ""
        except DamagedEntry:
            run, why = "", "damaged, and no study asks for it"
    study = meaning.study_of(run) if KEY.fullmatch(run) else ""
    if study and place.kind == "runs":
        why = "made by other code, data or table"
    elif study:
        why = "a probe of other code or settings"
    keep = IN_USE if _is_claimed(store, place.kind, place.key) else ""
    return Item(place.kind, study, why, place.path, size_of(place.path), place.key, keep)


def _set_aside(store: Store) -> Iterator[Item]:
    for one in listed(store.root / "damaged"):
        path = store.root / "damaged" / one.name
        if re.fullmatch(rf"({'|'.join(KINDS)})-.+-[0-9]+", one.name):
            yield Item("damaged", "", "was set aside as damaged", path, size_of(path))
        else:
            yield Item("foreign", "", "is not part of a store", path, size_of(path))


def _leftovers(store: Store) -> Iterator[Item]:
    """What dead processes left half written; of other hosts, what is a day old at least."""
    for one in listed(store.root / "tmp"):
        path = store.root / "tmp" / one.name
        host, _, rest = one.name.partition("~")
        pid = rest.partition("~")[0]
        if not re.fullmatch("[0-9]{1,9}", pid):
            yield Item("foreign", "", "is not part of a store", path, size_of(path))
            continue
        here = host == socket.gethostname()
        lives = is_running(int(pid)) if here else time.time() - path.lstat().st_mtime < DAY
        keep = "its process may be alive" if lives else ""
        yield Item("leftover", "", "a process died over it", path, size_of(path), keep=keep)
    for one in listed(store.root):
        if LEFT_OF_MARKER.fullmatch(one.name):
            path = store.root / one.name
            yield Item("leftover", "", "a process died over it", path, size_of(path))


def _claims(store: Store) -> Iterator[Item]:
    for path, kind, key in _named_by_key(store, "claims"):
        if key:
            keep = IN_USE if _is_claimed(store, kind, key) else ""
            yield Item("leftover", "", "a claim that nobody holds", path, 0, keep=keep)
        else:
            yield Item("foreign", "", "is not part of a store", path, size_of(path))


def _states(store: Store, meaning: Meaning) -> Iterator[Item]:
    """Saved states of runs that no study asks for, or that are finished."""
    for path, kind, key in _named_by_key(store, "states"):
        if key and (store.has(kind, key) or not meaning.has(kind, key)):
            why = "its run is finished" if store.has(kind, key) else "no study asks for its run"
            keep = IN_USE if _is_claimed(store, kind, key) else ""
            study = meaning.study_of(key)
            yield Item("states", study, why, path, size_of(path), key, keep)
        elif not key and LEFT_OF_FILE.fullmatch(path.name):
            yield Item("leftover", "", "a process died over it", path, size_of(path))
        elif not key:
            yield Item("foreign", "", "is not part of a store", path, size_of(path))


def _named_by_key(store: Store, folder: str) -> Iterator[tuple[Path, str, str]]:
    """Files `<aa>/<kind>-<key>` of a folder, each with its kind and key, if it is named so."""
    for outer in listed(store.root / folder):
        if not outer.is_dir(follow_symlinks=False):
            continue
        for one in listed(store.root / folder / outer.name):
            kind, _, key = one.name.partition("-")
            fits = kind in KINDS and KEY.fullmatch(key) and key.startswith(outer.name)
            path = store.root / folder / outer.name / one.name
            yield path, kind, key if fits else ""


def _is_claimed(store: Store, kind: str, key: str) -> bool:
    """Whether a living process holds the claim; asking leaves no trace."""
    try:
        with open_file(store.named("claims", kind, key)) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _made(project: Path, meant: set[str]) -> Iterator[Item]:
    """Files under a digest's name in the project's results; links are not followed."""
    results = project / RESULTS
    for study in listed(results):
        folder = results / "made" if study.name == "made" else results / study.name / "made"
        if study.is_dir(follow_symlinks=False) and folder.is_dir() and not folder.is_symlink():
            name = "" if study.name == "made" else study.name
            for path in _files(folder):
                if str(path.relative_to(project)) not in meant:
                    yield from _made_item(folder, path, name)


def _files(folder: Path) -> Iterator[Path]:
    for one in listed(folder):
        if one.is_dir(follow_symlinks=False):
            yield from _files(folder / one.name)
        else:
            yield folder / one.name


def _made_item(folder: Path, path: Path, study: str) -> Iterator[Item]:
    inner = path.relative_to(folder).parts
    if inner[0] == "published":  # which a publication looks after itself
        return
    named = path.stem if inner[0] not in ("tables", "index") else path.parent.name
    if LEFT_OF_FILE.fullmatch(path.name):
        yield Item("leftover", study, "a process died over it", path, size_of(path))
    elif DIGEST.fullmatch(named) and not path.is_symlink():
        yield Item("made", study, "no plan means it", path, size_of(path))
    else:
        yield Item("foreign", study, "is not named by a digest", path, size_of(path))


def _changed(item: Item) -> float:
    """When it came to be; what is gone by now is young."""
    if item.what == "damaged":
        stamp = item.path.name.rpartition("-")[2]
        return int(stamp) / 1e9
    try:
        return item.path.lstat().st_mtime
    except OSError:
        return float("inf")


def remove(store: Store, item: Item) -> str:
    """Remove what was found, unless it may not go; returns why it stays, or nothing."""
    if item.keep or item.what == "foreign":
        return item.keep or item.why
    try:
        return _removed(store, item)
    except FileNotFoundError:  # another process was first
        return ""
    except (OSError, RecursionError) as error:
        return f"cannot be removed: {error}"


def _removed(store: Store, item: Item) -> str:
    claim = item.path.is_relative_to(store.root / "claims")
    by_name = claim or item.what == "states"
    kind, _, key = item.path.name.partition("-") if by_name else (item.what, "", item.key)
    if key:
        with store.claimed(kind, key, wait=False) as mine:
            if not mine:
                return IN_USE
            if not claim:  # a claim's file goes as its holder lets it go
                _take_out(store.root, item.path)
    elif item.path.is_relative_to(store.root):
        _take_out(store.root, item.path)
    else:
        item.path.unlink()
    _tidy(item)
    return ""


def _take_out(root: Path, path: Path) -> None:
    """Rename out of its place, and delete what is out of it."""
    name = f"{owner()}{path.name}-{time.time_ns()}"
    inner = path.parent.relative_to(root).parts
    with _opened(root, inner) as home, _opened(root, ("tmp",)) as tmp:
        os.rename(path.name, name, src_dir_fd=home, dst_dir_fd=tmp)
        if stat.S_ISDIR(os.stat(name, dir_fd=tmp, follow_symlinks=False).st_mode):
            shutil.rmtree(name, dir_fd=tmp)
        else:
            os.unlink(name, dir_fd=tmp)


@contextlib.contextmanager
def _opened(root: Path, inner: tuple[str, ...]) -> Iterator[int]:
    """A folder below the root, by its descriptor; no link leads there."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    descriptor = os.open(root, flags)
    try:
        for name in inner:
            below = os.open(name, flags | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def _tidy(item: Item) -> None:
    """Remove the folders above it as far as they are empty now."""
    levels = {"runs": 2, "probes": 2, "made": len(item.path.parts)}.get(item.what, 0)
    for folder in list(item.path.parents)[:levels]:
        if folder.name == "made":
            return
        try:
            folder.rmdir()
        except OSError:
            return
