"""Reading data files, each checked against its digest before anything is made of it."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from pathlib import Path

from hypertransfer.catalogue.cards.datasets import DatasetCard, DatasetError

MOST_BYTES = 2**28  # of a file unpacked; the largest that is known has a fifth of that
VENDORED = Path(__file__).parent / "vendored"


def checked(card: DatasetCard, name: str, path: Path) -> bytes:
    """The bytes of the card's file `name`, which lies at `path`.

    The card's digest is of the file as it is named there: a `.gz` around it is taken off first.

    Raises:
        DatasetError: the file is missing or is not the one that the card names.
    """
    unpack = path.suffix == ".gz" and not name.endswith(".gz")
    return read(path, card.files[name], f"{card.name}: {card.obtain}", unpack=unpack)


def _unpacked(content: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        unpacked = file.read(MOST_BYTES + 1)
    if len(unpacked) > MOST_BYTES:
        raise OSError(f"it unpacks to more than {MOST_BYTES} bytes")
    return unpacked


def read(path: Path, checksum: str | None, hint: str, *, unpack: bool = False) -> bytes:
    """The bytes of a file, gunzipped if `unpack`, that agree with `checksum` (`sha256:…`, `md5:…`).

    Raises:
        DatasetError: missing, unreadable or another file; ends with the hint how to get it.
    """
    expected = f"expected {checksum or 'a readable file'}"
    try:
        content = path.read_bytes()
        content = _unpacked(content) if unpack else content
    except FileNotFoundError:
        raise DatasetError(f"{path} is missing; {expected}; {hint}") from None
    except (OSError, EOFError, zlib.error) as error:
        found = f"cannot be read: {error}"
        raise DatasetError(
            f"{path} is truncated or damaged ({found}); {expected}; {hint}"
        ) from error
    if checksum is not None:
        kind, _, wanted = checksum.partition(":")
        found = hashlib.new(kind, content, usedforsecurity=False).hexdigest()
        if found != wanted:
            raise DatasetError(
                f"{path} is truncated, damaged or another file; {expected}, "
                f"found {kind}:{found} in {len(content)} bytes; {hint}"
            )
    return content
