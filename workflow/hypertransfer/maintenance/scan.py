"""What lies in a store, read off its folders: no link is followed, and no record is read."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hypertransfer.storage.run_store import FOLDERS, KINDS

PLACES = ("[0-9a-f]{2}", "[0-9a-f]{24}", "[0-9a-f]{16}")  # of the folders above an entry
LEFT_OF_MARKER = re.compile(r"\.store\.json\..{8}")


@dataclass(frozen=True)
class Place:
    """Something in a store: an entry where its key says, or, without a key, what is none."""

    kind: str
    path: Path
    key: str = ""
    why: str = ""  # why it is no entry

    @property
    def is_entry(self) -> bool:
        """Whether it is a folder in the place of an entry, whatever is in it."""
        return bool(self.key) and not self.why


Step = Callable[[float], object]  # is told which share of the work is done


def part(step: Step, index: int, count: int = len(KINDS)) -> Step:
    """Tells `step` of the share that is done of one of several pieces of work."""
    return lambda share: step((index + share) / count)


def listed(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds, in order; nothing where it is missing.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []


def entries(root: Path, kind: str, step: Step = lambda share: None) -> Iterator[Place]:
    """Every place of a kind of entry, and what stands there and is none."""
    for place in _below(root / kind, kind, "", 0):
        if place.is_entry:
            step(int(place.key[:4], 16) / 16**4)
        yield place


def _below(folder: Path, kind: str, name: str, level: int) -> Iterator[Place]:
    try:
        found = listed(folder)
    except OSError as error:
        yield Place(kind, folder, why=f"cannot be read: {error.strerror}")
        return
    for one in found:
        path, entry = folder / one.name, level == len(PLACES) - 1
        fits = re.fullmatch(PLACES[level], one.name) and (level != 1 or one.name[:2] == name)
        key = f"{name}-{one.name}" if entry and fits else ""
        if not fits:
            yield Place(kind, path, why="is not part of a store")
        elif one.is_symlink() or not one.is_dir(follow_symlinks=False):
            what = "a link" if one.is_symlink() else "a file"
            yield Place(kind, path, key, f"is {what}, where a folder should be")
        elif entry:
            yield Place(kind, path, key)
        else:
            yield from _below(path, kind, one.name, level + 1)


def beside(root: Path) -> Iterator[Place]:
    """What stands at the top of a store and is no part of one."""
    for one in listed(root):
        if one.name in FOLDERS:
            if one.is_symlink() or not one.is_dir():
                yield Place("top", root / one.name, why="is no folder of the store's own")
        elif one.name != "store.json" and not LEFT_OF_MARKER.fullmatch(one.name):
            yield Place("top", root / one.name, why="is not part of a store")


def everything(root: Path, step: Step = lambda share: None) -> Iterator[Place]:
    """All entries of all kinds, and all that stands in their way."""
    yield from beside(root)
    for index, kind in enumerate(KINDS):
        yield from entries(root, kind, part(step, index))
    step(1.0)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    total, waiting = 0, [path]
    while waiting:
        one = waiting.pop()
        with contextlib.suppress(OSError):
            if one.is_dir() and not one.is_symlink():
                waiting += [one / inner.name for inner in listed(one)]
            else:
                total += one.lstat().st_size
    return total
