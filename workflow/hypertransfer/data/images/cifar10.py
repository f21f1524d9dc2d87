"""CIFAR-10 from its official pickle files, which are read without executing code in them."""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hypertransfer.catalogue.cards.datasets import CIFAR10, DatasetError
from hypertransfer.data.files import read
from hypertransfer.data.images.preprocess import Split, assemble, shifted
from hypertransfer.data.samples import Samples

# Per channel, over the 50,000 training images with pixels in [0, 1], as commonly published.
MEAN = tuple(255 * value for value in (0.49139968, 0.48215841, 0.44653091))
STD = tuple(255 * value for value in (0.24703223, 0.24348513, 0.26158784))


def load(
    *,
    train: int | None = None,
    test: int | None = None,
    directory: str | None = None,
    augment: bool = False,
) -> Samples:
    """50,000 training and 10,000 test images of shape (3, 32, 32).

    `augment` adds random crops with a padding of 4, and horizontal flips. `train` and `test` are
    the numbers of images (None: all). `directory` is the folder of the official files.

    Raises:
        DatasetError: no directory is given, a file is missing or damaged, or more images are
            requested than there are.
    """
    if not directory:
        raise DatasetError(f"cifar10: no directory is given; {CIFAR10.obtain}")
    parts = {
        name: read_batch(Path(directory) / name, checksum)
        for name, checksum in CIFAR10.files.items()
    }
    testing = parts.pop("test_batch")
    training = tuple(np.concatenate(arrays) for arrays in zip(*parts.values(), strict=True))
    shifts = shifted(4, flip=True) if augment else None
    return assemble(CIFAR10, training, testing, (train, test), MEAN, STD, shifts)


def read_batch(path: Path, checksum: str | None = None) -> Split:
    """Images, uint8 (n, 3, 32, 32), and labels, int64 (n,), of one batch file.

    Raises:
        DatasetError: the file is missing, has another checksum, is not a batch file, or contains
            names that could execute code.
    """
    content = read(path, checksum, f"cifar10: {CIFAR10.obtain}")
    try:
        _check_memo(content)
        batch = _Reader(io.BytesIO(content), encoding="bytes").load()
        return _split(batch[b"data"], batch[b"labels"])
    except Exception as error:  # a stream that is no pickle can raise anything
        raise DatasetError(
            f"{path} is not an official batch file ({error!r}); expected a pickled dictionary of "
            f"'data', bytes (n, 3072), and 'labels', 0 … 9; cifar10: {CIFAR10.obtain}"
        ) from error


def _split(data: object, labels: object) -> Split:
    if not isinstance(data, _Array) or not isinstance(labels, list):
        raise TypeError(f"its data are {type(data).__name__}, its labels {type(labels).__name__}")
    if not all(type(label) is int for label in labels):
        raise ValueError("its labels are not all integers")
    x, y = data.values, np.asarray(labels)
    size = int(np.prod(CIFAR10.input_shape))
    if x.dtype != np.uint8 or x.ndim != 2 or x.shape[1] != size:
        raise ValueError(f"its data are {x.dtype} of shape {x.shape}")
    if y.dtype != np.int64 or y.shape != x.shape[:1]:
        raise ValueError(f"its labels are {y.dtype} of shape {y.shape} for {len(x)} images")
    if not np.isin(y, range(CIFAR10.classes)).all():
        raise ValueError(f"its labels lie within {y.min()} and {y.max()}")
    return x.reshape(-1, *CIFAR10.input_shape), y


class _Type:
    """A stand-in for numpy's dtype that keeps only the type code.

    numpy's dtype would accept any memory layout from the stream, and read memory accordingly.
    """

    def __init__(self, code: bytes, *_: object) -> None:
        self.code = code

    def __setstate__(self, state: object) -> None:
        """Ignore byte order and alignment, which do not matter for single bytes."""


class _Array:
    """A stand-in for numpy's array that accepts only bytes whose number agrees with the shape."""

    def __init__(self, *_: object) -> None:
        self.values = np.empty(0, np.uint8)

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, fortran, content = state
        if not isinstance(kind, _Type) or kind.code != b"u1":
            raise ValueError(f"its data are {getattr(kind, 'code', kind)!r}, not bytes (u1)")
        if type(content) is not bytes or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError("its data have no shape, or no content")
        order = "F" if fortran else "C"
        self.values = np.frombuffer(content, np.uint8).reshape(shape, order=order)


@dataclass(frozen=True)
class _Name:
    """A stand-in for a name in the stream, which can be called but not modified."""

    make: Callable[..., object]

    def __call__(self, *arguments: object) -> object:
        """The stand-in object for a call of the name."""
        return self.make(*arguments)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("the stream sets the state of a name")


# The names in the official files, all for the reconstruction of a numpy array, and their stand-ins.
# `ndarray` is an argument of `_Array`, which ignores it.
_NAMES: Mapping[tuple[str, str], _Name | str] = {
    ("numpy.core.multiarray", "_reconstruct"): _Name(_Array),
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): _Name(_Type),
}


def _check_memo(content: bytes) -> None:
    """Refuse streams with memo indices above the number of values: the reader allocates so many.

    Raises:
        pickle.UnpicklingError: the stream has such an index.
    """
    for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument > count + 1:
            raise pickle.UnpicklingError(f"memo index {argument} exceeds the {count} values so far")


class _Reader(pickle.Unpickler):
    """Unpickles plain values and the arrays of official files; refuses all other names."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _NAMES:
            raise pickle.UnpicklingError(f"the stream names {module}.{name}, which is not allowed")
        return _NAMES[module, name]
