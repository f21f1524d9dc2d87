"""Remove an entry of the run store, or another path in it.

The path is moved to the folder `tmp` by one rename, and deleted there: a reader sees the whole
entry or none. Folders are opened one below the other without following links, so that no path
outside the store can be removed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from hypertransfer.storage import run_store


def remove_entry(store: run_store.Store, kind: str, key: str) -> None:
    """Remove an entry, and the folders above it that become empty; no error if it is missing.

    The caller holds a lock that readers of the entry wait for.

    Raises:
        StoreError: the store has another format.
        OSError: the entry cannot be removed.
    """
    path = store.path(kind, key)
    if not os.path.lexists(path):
        return
    store.open()
    with contextlib.suppress(FileNotFoundError):  # another process has removed it
        take_out(store.root, path)
    with contextlib.suppress(OSError):  # others use the folders
        path.parent.rmdir()
        path.parent.parent.rmdir()


def take_out(root: Path, path: Path) -> None:
    """Move a path of a store into its folder `tmp` by one rename, and delete it there.

    Raises:
        OSError: the path does not exist, a folder above it is a link, or it cannot be removed.
    """
    name = f"{run_store.owner()}{path.name}-{time.time_ns()}"
    inner = path.parent.relative_to(root).parts
    with _opened(root, inner) as home, _opened(root, ("tmp",)) as tmp:
        os.rename(path.name, name, src_dir_fd=home, dst_dir_fd=tmp)
        if stat.S_ISDIR(os.stat(name, dir_fd=tmp, follow_symlinks=False).st_mode):
            shutil.rmtree(name, dir_fd=tmp)
        else:
            os.unlink(name, dir_fd=tmp)


@contextlib.contextmanager
def _opened(root: Path, inner: tuple[str, ...]) -> Iterator[int]:
    """The descriptor of a folder below the root, opened without following links."""
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
