"""List the contents of a store by the names of its folders.

Links are not followed, and records are not read.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hypertransfer.storage.run_store import FOLDERS, FORMER_FOLDERS, KINDS

LEVELS = ("[0-9a-f]{2}", "[0-9a-f]{24}", "[0-9a-f]{16}")  # names of the folders down to an entry
MARKER_LEFTOVER = re.compile(r"\.store\.json\..{8}")  # temporary file of a writer that was killed
NOT_OF_A_STORE = "is not part of a store"


@dataclass(frozen=True)
class ScannedPath:
    """A path in a store: the folder of an entry, or another path.

    Attributes:
        kind: the kind of the entry. A path outside the folders of entries has the kind `top`, or
            `former` if an earlier version of the store left the path.
        path: the path.
        key: the key of the entry that belongs at this path; empty if none does.
        why: the reason why the path is not an entry; empty for an entry.
    """

    kind: str
    path: Path
    key: str = ""
    why: str = ""

    @property
    def is_entry(self) -> bool:
        """Whether the path is the folder of an entry; the content of the folder is not checked."""
        return bool(self.key) and not self.why


Progress = Callable[[float], object]  # called with the share of the work that is done


def part_of(progress: Progress, index: int, count: int = len(KINDS)) -> Progress:
    """A function that reports the progress of part `index` of `count` equal parts."""
    return lambda share: progress((index + share) / count)


def directory_entries(folder: Path) -> list[os.DirEntry[str]]:
    """The contents of a folder sorted by name; empty if there is no such folder.

    Raises:
        OSError: the folder cannot be read.
    """
    try:
        with os.scandir(folder) as contents:
            return sorted(contents, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []


def scan_kind(
    root: Path, kind: str, progress: Progress = lambda share: None
) -> Iterator[ScannedPath]:
    """Every entry of a kind, and every other path below the kind's folder."""
    for scanned in _scan_below(root / kind, kind, "", 0):
        if scanned.is_entry:
            progress(int(scanned.key[:4], 16) / 16**4)
        yield scanned


def _scan_below(folder: Path, kind: str, parent: str, level: int) -> Iterator[ScannedPath]:
    try:
        contents = directory_entries(folder)
    except OSError as error:
        yield ScannedPath(kind, folder, why=f"cannot be read: {error.strerror}")
        return
    for child in contents:
        path, is_last = folder / child.name, level == len(LEVELS) - 1
        fits = re.fullmatch(LEVELS[level], child.name) and (level != 1 or child.name[:2] == parent)
        key = f"{parent}-{child.name}" if is_last and fits else ""
        if not fits:
            yield ScannedPath(kind, path, why=NOT_OF_A_STORE)
        elif child.is_symlink() or not child.is_dir(follow_symlinks=False):
            form = "a link" if child.is_symlink() else "a file"
            yield ScannedPath(kind, path, key, f"is {form}, where a folder should be")
        elif is_last:
            yield ScannedPath(kind, path, key)
        else:
            yield from _scan_below(path, kind, child.name, level + 1)


def scan_top(root: Path) -> Iterator[ScannedPath]:
    """The paths at the top of a store that do not belong to this version of the store."""
    for child in directory_entries(root):
        path, is_folder = root / child.name, child.is_dir(follow_symlinks=False)
        if child.name in FORMER_FOLDERS and is_folder:
            why = "was left by an earlier version of hypertransfer"
            yield ScannedPath("former", path, why=why)
        elif child.name in FOLDERS:
            if child.is_symlink() or not is_folder:
                yield ScannedPath("top", path, why="is not a folder of the store itself")
        elif child.name != "store.json" and not MARKER_LEFTOVER.fullmatch(child.name):
            yield ScannedPath("top", path, why=NOT_OF_A_STORE)


def scan_store(root: Path, progress: Progress = lambda share: None) -> Iterator[ScannedPath]:
    """All entries of all kinds, and every other path that does not belong to the store."""
    yield from scan_top(root)
    for index, kind in enumerate(KINDS):
        yield from scan_kind(root, kind, part_of(progress, index))
    progress(1.0)


def size_of(path: Path) -> int:
    """The size in bytes of a file, or of all files below a folder; links are not followed."""
    total, waiting = 0, [path]
    while waiting:
        current = waiting.pop()
        with contextlib.suppress(OSError):
            if current.is_dir() and not current.is_symlink():
                waiting += [current / child.name for child in directory_entries(current)]
            else:
                total += current.lstat().st_size
    return total
