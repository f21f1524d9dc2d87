"""Canonical JSON of plain values, its digest, and JSON read from untrusted files."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

MOST_JSON = 64 * 2**20  # bytes of JSON from untrusted files; a run's record has some 10 kB
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical(value: object) -> str:
    """The canonical JSON text of a plain value: sorted keys, no spaces, shortest float digits."""
    return _CANONICAL.encode(value)


def parse_json(content: bytes) -> Any:
    """The value of JSON from an untrusted file.

    Raises:
        ValueError: the content is not JSON in UTF-8, contains NaN or infinities, or has a size or
            depth that could exhaust memory or stack.
    """
    if len(content) > MOST_JSON:
        raise ValueError(f"more than {MOST_JSON} bytes")

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is not a number in JSON")

    try:
        return json.loads(content.decode(), parse_constant=refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def digest(value: object, length: int = 24) -> str:
    """The first `length` hex digits of the SHA-256 of a plain value's canonical text."""
    return text_digest(canonical(value), length)


def text_digest(text: str, length: int = 24) -> str:
    """The first `length` hex digits of the SHA-256 of a text that is canonical already."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def is_plain(value: object) -> bool:
    """Whether a value has a canonical text: dates, NaN and infinities have none."""
    if value is None or type(value) in (str, int, bool):
        return True
    if type(value) is float:
        return math.isfinite(value)
    try:
        canonical(value)
    except (TypeError, ValueError):
        return False
    return True
