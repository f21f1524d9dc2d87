"""Canonical JSON of a mapping from the canonical texts of its values, which others may share."""

from __future__ import annotations

from collections.abc import Mapping

from hypertransfer.runs.canonical import canonical


def object_text(texts: Mapping[str, str]) -> str:
    """The text that `canonical` gives for a mapping with values of these canonical texts."""
    return "{" + ",".join(f"{canonical(name)}:{texts[name]}" for name in sorted(texts)) + "}"
