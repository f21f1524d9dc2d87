"""Values that a process has computed once, kept in a file for the processes after it.

The key of a value is a digest of everything on which the value depends, so that no value is ever
out of date. The file is a cache: it can be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from hypertransfer.runs.canonical import canonical, digest, parse_json
from hypertransfer.storage.atomic import open_file, replace_atomically

FOLDER = Path(".snakemake")  # of the working directory; without it, nothing is written
MOST = 2000  # values of a file


class KnownValues:
    """The plain values of one file; one that is missing, damaged or cannot be read has none."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._stored = _values(file)
        self._used: dict[str, Any] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._used or key in self._stored

    def get(self, key: str, compute: Callable[[], Any]) -> Any:
        """The value of a key, which `compute` returns if there is none."""
        if key not in self._used:
            self._used[key] = self._stored[key] if key in self._stored else compute()
        return self._used[key]

    def save(self) -> None:
        """Write the values if there are new ones; the latest stay if there are too many.

        Processes that write at the same time lose values of each other, which costs time only.
        """
        if self._used.keys() <= self._stored.keys() or not self.file.parent.is_dir():
            return
        others = {key: value for key, value in self._stored.items() if key not in self._used}
        values = dict([*others.items(), *self._used.items()][-MOST:])
        content = {"entries": list(values.items()), "digest": digest(list(values.items()))}
        with contextlib.suppress(OSError):  # a folder without the right to write, a full disk
            replace_atomically(self.file, canonical(content).encode())
        self._stored = values


def _values(file: Path) -> dict[str, Any]:
    """The values of a file whose digest is right; none of another file."""
    try:
        with open_file(file) as opened:
            content = parse_json(opened.read())
        whole = content["digest"] == digest(content["entries"])
        return dict(content["entries"]) if whole else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


@lru_cache(maxsize=16)
def known_values(folder: Path, name: str) -> KnownValues:
    """The values that this version of Python has computed for a project's folder."""
    return KnownValues(folder / FOLDER / f"{name}-{sys.implementation.cache_tag}.json")


def key_of(*parts: str) -> str:
    """The key of a value, from all texts on which the value depends."""
    return hashlib.sha256(json.dumps([sys.version, *parts]).encode()).hexdigest()
