"""A text file of the user: its beginning is the training part, and its end the test part."""

from __future__ import annotations

from typing import Any

from hypertransfer.catalogue.cards.datasets import BYTES, DatasetError
from hypertransfer.catalogue.dataset_options import text_file
from hypertransfer.data.samples import Samples
from hypertransfer.data.text import windows
from hypertransfer.data.text.windows import Documents


def load(*, file: str, test_fraction: float, **options: Any) -> Samples:
    """Windows of a file, of which the last `test_fraction` is the test part.

    The other `options` are those of `windows.assemble`.

    Raises:
        DatasetError: the file is missing, cannot be read, holds no text, or is too short.
    """
    path = text_file(file)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{file} cannot be read: {error.strerror or error}") from error
    if b"\0" in content:
        raise DatasetError(
            f"{file} holds bytes of 0, which no text has: unpack it, or convert it to UTF-8"
        )
    place = round(len(content) * (1 - test_fraction))
    if options["tokens"] != BYTES:
        _check_utf8(file, content)
        while place < len(content) and content[place] & 0xC0 == 0x80:  # inside a character
            place += 1
    parts = content[:place], content[place:]
    if options["tokens"] == BYTES and (shortest := min(map(len, parts))) < options["context"]:
        part = "training" if len(parts[0]) == shortest else "test"
        raise DatasetError(
            f"{file} has {len(content)} bytes, of which the {part} part has {shortest}, fewer than "
            f"a window of {options['context']}: use a longer text, another test_fraction, or a "
            "shorter context"
        )
    return windows.assemble(file, Documents(parts[:1], parts[1:]), **options)


def _check_utf8(file: str, content: bytes) -> None:
    """Check that a text can be decoded, without which pairs of bytes cannot be found.

    Raises:
        DatasetError: it is not in UTF-8.
    """
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{file} is not in UTF-8 (at byte {error.start}): convert it, or read it as bytes by "
            "`tokens: bytes`"
        ) from None
