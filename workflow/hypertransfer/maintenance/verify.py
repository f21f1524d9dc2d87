"""Check that entries of a store and made files are readable: digests, names, headers of files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from safetensors import SafetensorError, safe_open

from hypertransfer.maintenance.scan import Progress, ScannedPath, directory_entries, scan_store
from hypertransfer.runs.canonical import parse_json
from hypertransfer.storage import parquet, schemas
from hypertransfer.storage.atomic import open_file
from hypertransfer.storage.run_store import ENTRY, DamagedEntry, Store

SET_ASIDE = "`hypertransfer verify --aside` moves it away, and snakemake makes it again"
LOOK = "look at the contents, and remove the path if nobody needs it"
PRUNE = "`hypertransfer prune --yes` removes it"


@dataclass(frozen=True)
class Fault:
    """A damaged or unexpected path, with the problem and advice."""

    path: Path
    problem: str
    advice: str
    entry: ScannedPath | None = None  # the entry that can be set aside and made again
    is_error: bool = True  # False for a path beside the entries, which no reader opens

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; {self.advice}"


def store_faults(
    store: Store, *, quick: bool = False, progress: Progress = lambda share: None
) -> Iterator[Fault]:
    """Every fault of a store, one entry after another; the store is not changed.

    With `quick`, records and headers of files are read, and digests of files are not checked.
    """
    for scanned in scan_store(store.root, progress):
        if scanned.is_entry:
            for problem in entry_problems(store, scanned, quick):
                yield Fault(scanned.path, problem, SET_ASIDE, scanned)
        elif scanned.key:
            yield Fault(scanned.path, scanned.why, SET_ASIDE, scanned)
        else:
            advice = PRUNE if scanned.kind == "former" else LOOK
            yield Fault(scanned.path, scanned.why, advice, is_error=False)


def entry_problems(store: Store, scanned: ScannedPath, quick: bool = False) -> Iterator[str]:
    """The problems of an entry; none if the entry was removed in the meantime."""
    try:
        entry = store.get(scanned.kind, scanned.key)
    except DamagedEntry as error:
        yield str(error).partition(": ")[2]
        return
    if entry is None:
        return
    names = {child.name for child in directory_entries(entry.path)}
    for name in sorted(names - {ENTRY, *entry.files}):
        yield f"{name} exists, and is not listed in {ENTRY}"
    for name, digest in entry.files.items():
        if problem := _file_problem(entry.path / name, None if quick else digest):
            yield f"{name} {problem}"


def _file_problem(path: Path, digest: str | None) -> str:
    try:
        with open_file(path) as file:
            if digest and hashlib.file_digest(file, "sha256").hexdigest() != digest:
                return "differs from what was written"
        if path.name in schemas.FORMS:
            with open_file(path) as file:
                parquet.opened(file, schemas.FORMS[path.name]).close()
        return read_problem(path)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    except pa.ArrowException as error:
        return f"cannot be read: {error}"


def read_problem(path: Path, whole: bool = False) -> str:
    """The reason why a file cannot be read in the format of its suffix; empty if it can be read.

    With `whole`, all pages of a Parquet file are read, so that their checksums are verified.
    """
    try:
        READERS.get(path.suffix, lambda path, whole: None)(path, whole)
    except (ValueError, OSError, pa.ArrowException, SafetensorError) as error:
        return f"cannot be read: {' '.join(str(error).split())[:200]}"
    return ""


def _read_parquet(path: Path, whole: bool) -> None:
    with open_file(path) as source, parquet.opened(source) as file:
        for _ in file.iter_batches(use_threads=False) if whole else ():
            pass


def _read_safetensors(path: Path, whole: bool) -> None:
    with safe_open(path, framework="numpy") as file:
        file.keys()


def _read_json(path: Path, whole: bool) -> None:
    with open_file(path) as file:
        parse_json(file.read())


def _reader_of(start: bytes, end: bytes) -> Callable[[Path, bool], None]:
    """A reader of files that begin with `start` and have `end` in their last 64 bytes."""

    def read(path: Path, whole: bool) -> None:
        with open_file(path) as file:
            content = file.read()
        if not content.startswith(start) or end not in content[-64:]:
            raise ValueError(f"the file is cut short, or is not a {path.suffix} file")

    return read


READERS: Mapping[str, Callable[[Path, bool], None]] = {
    ".parquet": _read_parquet,
    ".safetensors": _read_safetensors,
    ".ipynb": _read_json,
    ".json": _read_json,
    ".png": _reader_of(b"\x89PNG\r\n", b"IEND"),
    ".svg": _reader_of(b"<?xml", b"</svg>"),
    ".html": _reader_of(b"", b"</html>"),
}


def made_faults(project: Path, files: Iterable[str], *, quick: bool = False) -> Iterator[Fault]:
    """The faults of a project's made files; files that do not exist yet are skipped."""
    for file in sorted(files):
        path = project / file
        if path.exists() and (problem := read_problem(path, whole=not quick)):
            yield Fault(path, problem, "remove it, and call snakemake again")
