"""Program text: the Python sources of three pure-Python packages, which torch brings along."""

from __future__ import annotations

import hashlib
from typing import Any

from hypertransfer.catalogue.cards.datasets import PROGRAM_TEXT
from hypertransfer.data.samples import Samples
from hypertransfer.data.text import windows
from hypertransfer.data.text.windows import Documents

TESTED = 20  # one file in as many is of the test part


def load(**options: Any) -> Samples:
    """Windows of the files, in the order of their paths; a file tests by the hash of its path.

    `options` are those of `text.assemble`.

    Raises:
        DatasetError: a package is missing or its files are others.
    """
    card, files = PROGRAM_TEXT, {}
    for name, version in card.versions.items():
        folder = windows.package(card, name, version)
        for path in folder.rglob("*.py"):
            files[path.relative_to(folder.parent).as_posix()] = path.read_bytes()
    paths = sorted(path for path, content in files.items() if content)
    windows.check(card, [files[path] for path in paths])
    documents = Documents(
        [files[path] for path in paths if not tests(path)],
        [files[path] for path in paths if tests(path)],
    )
    return windows.assemble(card.name, documents, **options)


def tests(path: str) -> bool:
    """Whether the file of that path is of the test part."""
    return hashlib.sha256(path.encode()).digest()[0] % TESTED == 0
