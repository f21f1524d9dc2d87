"""Whether what was made can still be read: every digest, every name, every head of a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from safetensors import SafetensorError, safe_open

from hypertransfer.maintenance.scan import Place, Step, everything, listed
from hypertransfer.runs.canonical import parse_json
from hypertransfer.storage import parquet, schemas
from hypertransfer.storage.atomic import open_file
from hypertransfer.storage.run_store import ENTRY, DamagedEntry, Store

MEND = "`hypertransfer verify --aside` moves it away, and snakemake makes it again"
CLEAR = "look at what it is, and remove it"


@dataclass(frozen=True)
class Fault:
    """Something that is not as it was made: where, what is wrong, and what to do."""

    path: Path
    wrong: str
    advice: str
    place: Place | None = None  # of the entry, if it is one that can be made again
    counts: bool = True  # not if it is a stranger beside the entries, which hurts nobody

    def __str__(self) -> str:
        return f"{self.path}: {self.wrong}; {self.advice}"


def faults(
    store: Store, *, quick: bool = False, step: Step = lambda share: None
) -> Iterator[Fault]:
    """What is wrong in a store, an entry at a time; nothing is written.

    `quick` reads records and the heads of files, and leaves digests of files out.
    """
    for place in everything(store.root, step):
        if place.is_entry:
            yield from (
                Fault(place.path, wrong, MEND, place) for wrong in wrongs(store, place, quick)
            )
        elif place.key:
            yield Fault(place.path, place.why, MEND, place)
        else:
            yield Fault(place.path, place.why, CLEAR, counts=False)


def wrongs(store: Store, place: Place, quick: bool = False) -> Iterator[str]:
    """What is wrong with an entry; it may be gone by now, which is not wrong."""
    try:
        entry = store.get(place.kind, place.key)
    except DamagedEntry as error:
        yield str(error).partition(": ")[2]
        return
    if entry is None:
        return
    there = {one.name for one in listed(entry.path)}
    for name in sorted(there - {ENTRY, *entry.files}):
        yield f"{name} is there and not listed in {ENTRY}"
    for name, digest in entry.files.items():
        if wrong := _wrong_file(entry.path / name, None if quick else digest):
            yield f"{name} {wrong}"


def _wrong_file(path: Path, digest: str | None) -> str:
    try:
        with open_file(path) as file:
            if digest and hashlib.file_digest(file, "sha256").hexdigest() != digest:
                return "is not what was written"
        if path.name in schemas.FORMS:
            with open_file(path) as file:
                parquet.opened(file, schemas.FORMS[path.name]).close()
        return unreadable(path)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    except pa.ArrowException as error:
        return f"cannot be read: {error}"


def unreadable(path: Path, whole: bool = False) -> str:
    """Why a file cannot be read as what its name says; empty if it can."""
    try:
        READERS.get(path.suffix, lambda path, whole: None)(path, whole)
    except (ValueError, OSError, pa.ArrowException, SafetensorError) as error:
        return f"cannot be read: {' '.join(str(error).split())[:200]}"
    return ""


def _parquet(path: Path, whole: bool) -> None:
    with open_file(path) as source, parquet.opened(source) as file:
        for _ in file.iter_batches(use_threads=False) if whole else ():
            pass


def _safetensors(path: Path, whole: bool) -> None:
    with safe_open(path, framework="numpy") as file:
        file.keys()


def _json(path: Path, whole: bool) -> None:
    with open_file(path) as file:
        parse_json(file.read())


def _ending(start: bytes, end: bytes) -> Callable[[Path, bool], None]:
    def read(path: Path, whole: bool) -> None:
        with open_file(path) as file:
            content = file.read()
        if not content.startswith(start) or end not in content[-64:]:
            raise ValueError("it is cut short, or something else")

    return read


READERS: Mapping[str, Callable[[Path, bool], None]] = {
    ".parquet": _parquet,
    ".safetensors": _safetensors,
    ".ipynb": _json,
    ".json": _json,
    ".png": _ending(b"\x89PNG\r\n", b"IEND"),
    ".svg": _ending(b"<?xml", b"</svg>"),
    ".html": _ending(b"", b"</html>"),
}


def made_faults(project: Path, files: Iterable[str], *, quick: bool = False) -> Iterator[Fault]:
    """What is wrong with those of a project's made files that exist."""
    for file in sorted(files):
        path = project / file
        if path.exists() and (wrong := unreadable(path, whole=not quick)):
            yield Fault(path, wrong, "remove it, and call snakemake again")
