"""Reading data files, each checked against its digest before anything is made of it."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

from hypertransfer.datasets import DatasetCard, DatasetError

VENDORED = Path(__file__).parent / "vendored"


def checked(card: DatasetCard, name: str, path: Path) -> bytes:
    """The bytes of a data set's file, unpacked if it is gzipped and its digest is of the content.

    Raises:
        DatasetError: the file is missing or is not the one that the card names.
    """
    kind, _, wanted = card.files[name].partition(":")
    try:
        content = path.read_bytes()
        if path.suffix == ".gz" and not name.endswith(".gz"):
            content = gzip.decompress(content)
    except FileNotFoundError:
        raise DatasetError(f"{card.name}: {path} is missing; {card.obtain}") from None
    except (OSError, EOFError) as error:
        raise DatasetError(
            f"{card.name}: {path} cannot be read ({error}); {card.obtain}"
        ) from error
    found = hashlib.new(kind, content).hexdigest()
    if found != wanted:
        raise DatasetError(
            f"{card.name}: {path} is damaged or another file: expected {kind} {wanted}, found "
            f"{found} in {len(content)} bytes; {card.obtain}"
        )
    return content
