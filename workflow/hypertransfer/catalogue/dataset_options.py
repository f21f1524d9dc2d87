"""Shape, size, digest and files of a data set with its options, and checks of the options."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from hypertransfer.catalogue.cards.datasets import (
    BPE,
    HUGGING_FACE,
    OPTIONS,
    PLACES,
    TEXT_FILE,
    WINDOWS,
    DatasetCard,
    DatasetError,
    TextCard,
    card,
    completed,
)
from hypertransfer.catalogue.options import Validator, problem
from hypertransfer.runs.canonical import digest as value_digest
from hypertransfer.runs.paths import path_fault
from hypertransfer.runs.problem import NO_VALUE, Problem, known_names

_PARTS = ("train", "test")  # whose sizes a card of images has
_TAIL = 2**16  # bytes at the end of a Parquet file, where its footer is


def shape(name: str, options: Mapping[str, Any]) -> tuple[tuple[int, ...], int]:
    """The shape of one input, and the number of classes or the size of the vocabulary."""
    found = card(name)
    if isinstance(found, DatasetCard):
        return found.input_shape, found.classes
    options = completed(name, options)
    return (options["context"],), options["vocabulary"] if options["tokens"] == BPE else 256


def size(name: str, options: Mapping[str, Any]) -> float:
    """The approximate number of values that all inputs have: bytes of text, or pixel values."""
    found = card(name)
    if "file" in options and not missing(name, options):
        return float(Path(options["file"]).stat().st_size)
    if isinstance(found, TextCard):
        return float(min(options.get("max_bytes") or found.size, found.size))
    return float((found.train + found.test) * math.prod(found.input_shape))


def training_samples(name: str, options: Mapping[str, Any]) -> int | None:
    """The number of training images or windows; None if it is known once the data are read."""
    found, taken = card(name), completed(name, options).get("train")
    if taken is not None or isinstance(found, TextCard):
        return taken
    return found.train


def digest(name: str, options: Mapping[str, Any]) -> str:
    """The digest of the content of a data set with its options, wherever its files are stored.

    The digest covers the card's values that loaders use (file digests, shape, classes, split), and
    the number of samples of each part. For Parquet files it covers names, sizes and footers; the
    data in them are not read. A text file is read as a whole.

    Raises:
        DatasetError: no data set has the name, or its folder or file cannot be read.
    """
    found, options = card(name), completed(name, options)
    if isinstance(found, TextCard):
        own = {key: value for key, value in options.items() if key not in PLACES}
        files = _footers(options["directory"]) if "directory" in options else {}
        if "file" in options and not missing(name, options):
            files = {"content": _content(Path(options["file"]))}
        return value_digest(
            {"digest": found.digest, "files": files, "options": own, "windows": WINDOWS}
        )
    split = {"train": found.train, "test": found.test}
    taken = {part: options.get(part, size) for part, size in split.items()}
    return value_digest(
        {
            "files": dict(found.files),
            "input_shape": list(found.input_shape),
            "classes": found.classes,
            "split": split,
            "taken": taken,
        }
    )


def parquet_files(directory: str) -> list[Path]:
    """The Parquet files below a folder, sorted by path.

    Raises:
        DatasetError: the folder is missing or has no Parquet files.
    """
    if text := missing(HUGGING_FACE.name, {"directory": directory}):
        raise DatasetError(text)
    return _parquet(directory)


def _parquet(directory: str) -> list[Path]:
    return sorted(Path(directory).rglob("*.parquet"))


def text_file(file: str) -> Path:
    """The path of a text file.

    Raises:
        DatasetError: the file is missing.
    """
    if text := missing(TEXT_FILE.name, {"file": file}):
        raise DatasetError(text)
    return Path(file)


def missing(name: str, options: Mapping[str, Any]) -> str:
    """A message on the folder or the files that are missing; empty if nothing is missing.

    The message says how to obtain the files. Planning does not need them; jobs do.
    """
    if "file" in options:
        try:
            found = Path(options["file"]).is_file()
        except OSError as error:  # such as a name that is too long
            return f"{name}: the file {options['file']} cannot be read: {error.strerror or error}"
        if not found:
            return f"{name}: the file {options['file']} is missing: {TEXT_FILE.obtain}"
    if "directory" not in options:
        return ""
    folder = options["directory"]
    if not Path(folder).is_dir():
        return f"{name}: the folder {folder} is missing: {card(name).obtain}"
    if name == HUGGING_FACE.name and not _parquet(folder):
        return f"{name}: {folder} has no Parquet files: {HUGGING_FACE.obtain}"
    return ""


def _footers(directory: str) -> dict[str, list]:
    """Size and digest of the end of each Parquet file, by path; empty if the folder is missing."""
    footers: dict[str, list] = {}
    for path in _parquet(directory):
        try:
            with path.open("rb") as file:
                length = file.seek(0, 2)
                file.seek(max(0, length - _TAIL))
                tail = hashlib.sha256(file.read()).hexdigest()
        except OSError as error:
            raise DatasetError(f"{path} cannot be read: {error}") from error
        footers[path.relative_to(directory).as_posix()] = [length, tail]
    return footers


def _content(path: Path) -> str:
    """The digest of a file.

    Raises:
        DatasetError: it cannot be read.
    """
    try:
        stat = path.stat()
        return _content_of(path, (stat.st_mtime_ns, stat.st_size))
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from error


@lru_cache(maxsize=64)
def _content_of(path: Path, stamp: tuple[int, int]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def objections(name: str, options: Mapping[str, Any]) -> list[Problem]:
    """Every problem of the options of a known data set; its path starts with the option's name."""
    known, options = card(name), completed(name, options)
    problems = [
        Problem((option,), NO_VALUE, f"{name} needs the option {option}: {known.obtain}")
        for option in known.required
        if option not in options
    ]
    for option, value in options.items():
        if option not in known.options:
            names = known_names(option, known.options)
            expected = f"accepted: {name} has no option {option!r}; {names}"
            problems.append(Problem((option,), value, expected))
        elif error := next(Validator(OPTIONS[option]).iter_errors(value), None):
            problems.append(problem(error, option))
        elif option in _PARTS and (most := getattr(known, option, None)) and (value or 0) > most:
            expected = f"at most {most}, the size of {name}'s {option} set"
            problems.append(Problem((option,), value, expected))
        elif option in PLACES and (fault := path_fault(value)):
            problems.append(Problem((option,), NO_VALUE, fault))
    if not problems and isinstance(known, TextCard):
        problems += _text_objections(options)
    return problems


def _text_objections(options: Mapping[str, Any]) -> Iterator[Problem]:
    """Options of a text that contradict each other."""
    if options["vocabulary"] is not None and options["tokens"] != BPE:
        yield Problem(
            ("vocabulary",),
            options["vocabulary"],
            "null, which tokens: bytes needs: their vocabulary has 256 tokens",
        )
