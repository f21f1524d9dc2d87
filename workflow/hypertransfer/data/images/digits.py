"""The 1,797 handwritten digits of scikit-learn, 8×8 pixels, read without importing scikit-learn."""

from __future__ import annotations

import gzip
import hashlib
import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from hypertransfer.catalogue.cards.datasets import DIGITS, DatasetError
from hypertransfer.data.files import checked
from hypertransfer.data.images.preprocess import assemble, shifted
from hypertransfer.data.samples import Samples

FILE = "digits.csv.gz"
# Over all pixels (0 … 16) of the 1,440 training images of our split.
MEAN, STD = (4.8844,), (6.0119,)


def load(*, train: int | None = None, test: int | None = None, augment: bool = False) -> Samples:
    """1,440 training and 357 test images of shape (1, 8, 8), in the order of `order`.

    `augment` adds random shifts by up to one pixel. `train` and `test` are the numbers of images
    (None: all).

    Raises:
        DatasetError: the file is missing or damaged, or more images are requested than there are.
    """
    text = gzip.decompress(checked(DIGITS, FILE, path())).decode()
    rows = np.loadtxt(io.StringIO(text), delimiter=",", dtype=np.int64)  # 64 pixels, then the label
    rows = rows[order(len(rows))]
    x, y = rows[:, :-1].reshape(-1, *DIGITS.input_shape), rows[:, -1]
    cut = DIGITS.train
    shifts = shifted(1, flip=False) if augment else None
    splits = (x[:cut], y[:cut]), (x[cut:], y[cut:])
    return assemble(DIGITS, *splits, (train, test), MEAN, STD, shifts)


def path() -> Path:
    """The path of the file in scikit-learn, whose import would take seconds and is avoided.

    Raises:
        DatasetError: scikit-learn is not installed.
    """
    found = find_spec("sklearn")
    if found is None or found.origin is None:
        raise DatasetError(f"{FILE} is missing: scikit-learn is not installed; {DIGITS.obtain}")
    return Path(found.origin).parent / "datasets" / "data" / FILE


def order(n: int) -> list[int]:
    """The rows 0 … n−1 sorted by the SHA-256 of their decimal numbers, a fixed permutation.

    The data set has no official split, and its rows are in the order of collection, so that the
    last rows are by other writers than the first. After this permutation the training and the test
    part share writers, which makes the test easier. Unlike streams of numpy's generators, the order
    cannot change between versions of numpy.
    """
    return sorted(range(n), key=lambda row: hashlib.sha256(str(row).encode()).digest())
