"""What fingerprints read from the sources of modules, kept on disk by the content of the sources.

A process reads 240 modules to plan all studies, and parsing takes most of the time. The file is a
cache: it can be deleted at any time. Entries are found by a digest of the source and of the code
that reads it, so that no entry is ever out of date.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from hypertransfer.runs.canonical import canonical, digest, parse_json
from hypertransfer.storage.atomic import open_file, replace_atomically

Read = tuple[str, frozenset[str]]  # the hash of a module, and the modules that it imports
FOLDER = Path(".snakemake")  # of the working directory; without it, nothing is written
MOST = 2000  # entries of the file


class KnownModules:
    """The entries of one file; one that is missing, damaged or cannot be read has no entries."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._stored = _entries(file)
        self._used: dict[str, list] = {}

    def read(self, key: str, read: Callable[[], Read]) -> Read:
        """The entry of a key, which `read` makes if there is none."""
        if key not in self._used:
            found = self._stored.get(key)
            if found is None:
                code, imported = read()
                found = [code, sorted(imported)]
            self._used[key] = found
        code, imported = self._used[key]
        return code, frozenset(imported)

    def save(self) -> None:
        """Write the entries if there are new ones; the latest stay if there are too many.

        Processes that write at the same time lose entries of each other, which costs time only.
        """
        if self._used.keys() <= self._stored.keys() or not self.file.parent.is_dir():
            return
        others = {key: found for key, found in self._stored.items() if key not in self._used}
        entries = dict([*others.items(), *self._used.items()][-MOST:])
        content = {"entries": list(entries.items()), "digest": digest(list(entries.items()))}
        with contextlib.suppress(OSError):  # a folder without the right to write, a full disk
            replace_atomically(self.file, canonical(content).encode())
        self._stored = entries


def _entries(file: Path) -> dict[str, list]:
    """The entries of a file whose digest is right; none of another file."""
    try:
        with open_file(file) as opened:
            content = parse_json(opened.read())
        whole = content["digest"] == digest(content["entries"])
        return dict(content["entries"]) if whole else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


@lru_cache(maxsize=8)
def known_modules(folder: Path) -> KnownModules:
    """The entries that this version of Python has read for a project's folder."""
    return KnownModules(folder / FOLDER / f"modules-{sys.implementation.cache_tag}.json")


def key_of(*parts: str) -> str:
    """The key of an entry, from all texts on which it depends."""
    return hashlib.sha256(json.dumps([sys.version, *parts]).encode()).hexdigest()
