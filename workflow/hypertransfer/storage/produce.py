"""Entries of the run store read, or made where they are missing or damaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hypertransfer.storage.run_store import DamagedEntry, Entry, Store, StoreError


def produce(
    store: Store,
    kind: str,
    wanted: Mapping[str, Any],
    make: Callable[[str, Any], tuple[Mapping[str, Any], Mapping[str, bytes]]],
    read: Callable[[Entry, Any], Any],
    warn: Callable[[str], None],
) -> dict[str, Any]:
    """Read each wanted entry, making those that are missing or damaged, each by one process.

    `make(key, value)` gives the record and files of an entry; `read(entry, value)` turns a
    verified entry into what the caller wants and raises DamagedEntry if it cannot. Entries
    that another process is making are left for last, and then waited for.
    """
    results: dict[str, Any] = {}

    def look(key: str) -> bool:
        try:
            entry = store.get(kind, key)
            if entry is None:
                return False
            results[key] = read(entry, wanted[key])
        except DamagedEntry as error:
            aside = store.set_aside(kind, key)
            warn(f"damaged entry {error}; moved to {aside} and made again")
            return False
        return True

    store.check()
    waiting = [key for key in wanted if not look(key)]
    if waiting:  # a store that has everything need not be writable
        store.open()
    for wait in (False, True):
        busy = []
        for key in waiting:
            with store.claimed(kind, key, wait=wait) as mine:
                if not mine:
                    busy.append(key)
                elif not look(key):
                    store.put(kind, key, *make(key, wanted[key]))
                    if not look(key):
                        raise StoreError(f"{key} was written to {store.root} but cannot be read")
        waiting = busy
    return {key: results[key] for key in wanted}
