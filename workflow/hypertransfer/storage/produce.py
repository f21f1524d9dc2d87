"""Read entries of the run store, and make the entries that are missing or damaged."""

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
    """Read each wanted entry; exactly one process makes an entry that is missing or damaged.

    Args:
        store: the run store.
        kind: the kind of the entries, one of `run_store.KINDS`.
        wanted: a value for each key, passed to `make` and `read`.
        make: `make(key, value)` returns the record and the files of an entry.
        read: `read(entry, value)` returns the result for an entry, and raises DamagedEntry if
            the files of the entry do not have the expected form.
        warn: called with a message for each damaged entry.

    Returns:
        The results of `read` by key, in the order of `wanted`. Entries that another process is
        making are waited for last.

    Raises:
        StoreError: the store cannot be read or written.
    """
    results: dict[str, Any] = {}

    def read_into_results(key: str) -> bool:
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
    waiting = [key for key in wanted if not read_into_results(key)]
    if waiting:  # a store with all entries may be read-only
        store.open()
    for wait in (False, True):
        busy = []
        for key in waiting:
            with store.locked(kind, key, wait=wait) as acquired:
                if not acquired:
                    busy.append(key)
                elif not read_into_results(key):
                    store.put(kind, key, *make(key, wanted[key]))
                    if not read_into_results(key):
                        raise StoreError(f"{key} was written to {store.root} but cannot be read")
        waiting = busy
    return {key: results[key] for key in wanted}
