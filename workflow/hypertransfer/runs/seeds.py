"""Seeds of random generators, from texts that say what is drawn."""

from __future__ import annotations

import hashlib


def seed_of(text: str) -> int:
    """The 63-bit seed of a text: the first 8 bytes of its SHA-256, without the last bit."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
