"""CIFAR-10 from its official Python files, read without running anything that they contain."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from hypertransfer.data.files import checked
from hypertransfer.data.images import Images, Split, assemble
from hypertransfer.datasets import CIFAR10, DatasetError

# Per channel, of the 50,000 training images, as commonly published.
MEAN, STD = (125.31, 122.95, 113.87), (62.99, 62.09, 66.70)

# All that a batch file needs: numpy's own reconstruction of arrays, under its old and new names.
ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class _Reader(pickle.Unpickler):
    """Unpickles arrays, lists, dictionaries and bytes, and refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise DatasetError(f"cifar10: the file asks for {module}.{name}; it was not read")
        return super().find_class(module, name)


def load(*, train: int | None = None, test: int | None = None, directory: str = "") -> Images:
    """50,000 training and 10,000 test images of 32×32 in three channels.

    Raises:
        DatasetError: a file is missing or damaged, or the sizes are beyond the set.
    """
    if not directory:
        raise DatasetError(f"cifar10: no directory was given; {CIFAR10.obtain}")
    parts = {name: parse(checked(CIFAR10, name, Path(directory) / name)) for name in CIFAR10.files}
    training = [part for name, part in parts.items() if name != "test_batch"]
    joined = tuple(np.concatenate(arrays) for arrays in zip(*training, strict=True))
    return assemble(CIFAR10, joined, parts["test_batch"], (train, test), MEAN, STD)


def parse(content: bytes) -> Split:
    """Images (n, 3, 32, 32) and labels (n,) of one batch file.

    Raises:
        DatasetError: the file holds something else, or asks for code.
    """
    try:
        batch = _Reader(io.BytesIO(content), encoding="bytes").load()
        x = np.asarray(batch[b"data"], np.uint8).reshape(-1, *CIFAR10.input_shape)
        y = np.asarray(batch[b"labels"], np.int64)
    except DatasetError:
        raise
    except Exception as error:
        raise DatasetError(f"cifar10: not a batch file of the Python version: {error!r}") from error
    if len(x) != len(y):
        raise DatasetError(f"cifar10: {len(x)} images with {len(y)} labels")
    return x, y
