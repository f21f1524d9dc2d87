"""Data files, whose digests are checked before their content is used."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from pathlib import Path

from hypertransfer.catalogue.cards.datasets import DatasetCard, DatasetError

MOST_BYTES = 2**28  # largest size of an unpacked file, five times that of the largest known file
VENDORED = Path(__file__).parent / "vendored"


def checked(card: DatasetCard, name: str, path: Path) -> bytes:
    """The content of the card's file `name`, read from `path`.

    If the path ends with `.gz` and the name does not, the file is unpacked before its digest is
    compared with the card's.

    Raises:
        DatasetError: the file is missing or damaged, or differs from the card's digest.
    """
    unpack = path.suffix == ".gz" and not name.endswith(".gz")
    return read(path, card.files[name], f"{card.name}: {card.obtain}", unpack=unpack)


def _unpacked(content: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        unpacked = file.read(MOST_BYTES + 1)
    if len(unpacked) > MOST_BYTES:
        raise OSError(f"the file unpacks to more than {MOST_BYTES} bytes")
    return unpacked


def read(path: Path, checksum: str | None, hint: str, *, unpack: bool = False) -> bytes:
    """The content of a file, gunzipped if `unpack`, after comparison with its checksum.

    A checksum is `sha256:…` or `md5:…`; None skips the comparison.

    Raises:
        DatasetError: the file is missing, unreadable, or has another checksum; the message ends
            with `hint`, which says how to obtain the file.
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
