"""The State of the Union messages of the presidents of the United States, 1790 to 2026."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hypertransfer.catalogue.cards.datasets import BYTES, STATE_OF_THE_UNION, DatasetError
from hypertransfer.data.samples import Samples
from hypertransfer.data.text import windows as text_windows
from hypertransfer.data.text.windows import Documents


def load(**options: Any) -> Samples:
    """Windows of the messages, each of which is in one part.

    Of every ten messages, in the order of their names, the first eight are in the training part
    and the tenth is in the test part. The ninth is left out, for decisions that must not depend on
    the test messages. `options` are those of `windows.assemble`.

    Raises:
        DatasetError: the package is missing, or its files differ from the card's digest.
    """
    messages = [*_messages().values()]
    documents = Documents(
        [m for index, m in enumerate(messages) if index % 10 < 8], messages[9::10]
    )
    return text_windows.assemble(STATE_OF_THE_UNION.name, documents, **options)


def left_out(context: int, windows: int) -> tuple[Tensor, Tensor]:
    """Windows of bytes of the messages that `load` leaves out: x and y of shape (windows, context).

    y holds the byte after each byte of x.

    Raises:
        DatasetError: the package is missing, or its files differ from the card's digest.
    """
    messages = [*_messages().values()][8::10]
    documents = Documents(messages, messages)
    found = text_windows.assemble(
        STATE_OF_THE_UNION.name,
        documents,
        context=context,
        tokens=BYTES,
        vocabulary=None,
        train=1,
        test=windows,
    )
    return found.test_x, found.test_y


@dataclass(frozen=True)
class Messages:
    """All messages: `windows` of bytes (messages, number, context), and labels, (messages,)."""

    windows: Tensor
    parties: np.ndarray
    deliveries: np.ndarray
    presidents: np.ndarray


def labelled(context: int, number: int) -> Messages:
    """`number` evenly spaced windows of each message, with its party, delivery and president.

    The delivery is `spoken` or `written`. Windows have `context` bytes.

    Raises:
        DatasetError: the package is missing, or its files differ from the card's digest.
    """
    messages = _messages()
    rows = {row["fileid"]: row for row in _metadata()}
    if missing := sorted({*messages} - {*rows}):
        raise DatasetError(f"{STATE_OF_THE_UNION.name}: metadata.csv has no row of {missing[0]}")
    windows = []
    for message in messages.values():
        tokens = text_windows.ByteTokens()([message])
        last = len(tokens) - context
        starts = np.linspace(0, last, number).astype(int)
        windows.append(torch.stack([tokens[start : start + context] for start in starts]))
    ordered = [rows[name] for name in messages]

    def column(name: str) -> np.ndarray:
        return np.array([row[name] for row in ordered])

    return Messages(
        torch.stack(windows), column("party"), column("sotu_type"), column("president_id")
    )


def _folder() -> Path:
    card = STATE_OF_THE_UNION
    return text_windows.package(card, "sotu", card.versions["sotu"]) / "data"


def _metadata() -> list[dict[str, str]]:
    with (_folder() / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _messages() -> dict[str, bytes]:
    """All messages by name, in the order of names, checked against the card's digest."""
    paths = sorted((_folder() / "speeches").glob("*.txt"))
    messages = {path.stem: path.read_bytes() for path in paths}
    text_windows.check(STATE_OF_THE_UNION, [*messages.values()])
    return messages
