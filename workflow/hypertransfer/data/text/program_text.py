"""Program text: the Python sources of three pure-Python packages that torch depends on."""

from __future__ import annotations

import hashlib
from typing import Any

from hypertransfer.catalogue.cards.datasets import PROGRAM_TEXT
from hypertransfer.data.samples import Samples
from hypertransfer.data.text import windows
from hypertransfer.data.text.windows import Documents

TEST_EVERY = 20  # one file in 20 belongs to the test part


def load(**options: Any) -> Samples:
    """Windows of the Python files in the order of their paths, split by the hash of the path.

    `options` are those of `windows.assemble`.

    Raises:
        DatasetError: a package is missing, or its files differ from the card's digest.
    """
    card, files = PROGRAM_TEXT, {}
    for name, version in card.versions.items():
        folder = windows.package(card, name, version)
        for path in folder.rglob("*.py"):
            files[path.relative_to(folder.parent).as_posix()] = path.read_bytes()
    paths = sorted(path for path, content in files.items() if content)
    windows.check(card, [files[path] for path in paths])
    documents = Documents(
        [files[path] for path in paths if not in_test_part(path)],
        [files[path] for path in paths if in_test_part(path)],
    )
    return windows.assemble(card.name, documents, **options)


def in_test_part(path: str) -> bool:
    """Whether the file with this path, relative to the packages' folder, is in the test part."""
    return hashlib.sha256(path.encode()).digest()[0] % TEST_EVERY == 0
