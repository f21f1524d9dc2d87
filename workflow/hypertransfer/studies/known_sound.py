"""Which studies have been found free of problems, kept on disk so that each is checked once.

The checks take longer than the rest of planning, and every call of Snakemake plans all studies, on
a cluster every job as well. An entry is found by a digest of everything that the checks read: the
config of the study at all scales, the stamps of the files and folders that the config names, the
library, Python, and the installed packages. A study that names modules of the user is checked every
time.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from hypertransfer.runs.canonical import canonical
from hypertransfer.storage.known_values import key_of, known_values

NAME = "sound"  # of the values that are kept on disk
LIBRARY = Path(__file__).resolve().parents[2]
READ = ("hypertransfer", "schemas")  # folders of the library that the checks read
_IMPORT_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_OF_FILES = ("file", "directory")  # keys whose values are files or folders of the user


def key(name: str, scale: str, body: Mapping[str, Any]) -> str:
    """The key of a study at a scale; empty for a study that is checked every time.

    Args:
        name: the name of the study.
        scale: the scale.
        body: the values of the study's file, with the patches of all scales.
    """
    try:
        text = canonical(body)
    except (TypeError, ValueError):  # a value without a canonical text, which is a problem
        return ""
    texts = set(_texts(body))
    if any(_IMPORT_PATH.fullmatch(value) for _, value in texts):
        return ""
    read = sorted({value for name, value in texts if name.rpartition(".")[2] in _OF_FILES})
    stamps = {file: list(_stamps(Path(file).expanduser())) for file in read}
    return key_of(name, scale, text, canonical(stamps), _library(), *_packages())


def is_known(key: str) -> bool:
    """Whether a study with this key has been found free of problems."""
    return bool(key) and key in known_values(Path.cwd(), NAME)


def remember(key: str) -> None:
    """Keep that the study with this key is free of problems."""
    if key:
        known = known_values(Path.cwd(), NAME)
        known.get(key, lambda: True)
        known.save()


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Each text in nested values, with the key under which the text or its list stands."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for inner, part in value.items():
            yield "", str(inner)
            yield from _texts(part, str(inner))
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part, name)


def _stamps(path: Path) -> Iterator[list[Any]]:
    """The name, size and time of a file, or of each file in a folder; nothing if there is none."""
    for file in sorted([path, *path.rglob("*")]):
        with contextlib.suppress(OSError):  # a link to nothing
            stat = file.stat()
            yield [str(file), stat.st_size, stat.st_mtime_ns]


@lru_cache(maxsize=1)
def _library() -> str:
    """The digest of all files of the library that the checks may read."""
    total = hashlib.sha256()
    for folder in READ:
        for file in sorted((LIBRARY / folder).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                total.update(f"{file.relative_to(LIBRARY)}\n{content}\n".encode())
    return total.hexdigest()


def _packages() -> list[str]:
    """The names of the folders that describe the installed packages, which have the versions."""
    folders = (Path(place or ".") for place in sys.path)
    return sorted({found.name for folder in folders for found in folder.glob("*.dist-info")})
