"""Damage for a while, for tests that share what they damage."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def damaged(path: Path, content: bytes) -> Iterator[None]:
    """The file with other content, and as it was afterwards."""
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)
