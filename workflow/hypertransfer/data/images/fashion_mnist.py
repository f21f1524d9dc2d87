"""Fashion-MNIST (Xiao et al. 1708.07747): a subset shipped with the library, and the full set."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from hypertransfer.catalogue.cards.datasets import FASHION_MNIST, FASHION_MNIST_SUBSET
from hypertransfer.data.files import VENDORED, checked
from hypertransfer.data.images.preprocess import Split, assemble, shifted
from hypertransfer.data.samples import Augment, Samples

SUBSET_FILE = "fashion_mnist_subset.npz"
DIRECTORY = "/usr/share/datasets/fashion-mnist"  # of Debian's package
# Over the 60,000 training images with pixels in [0, 1], as commonly published; also for the subset.
MEAN, STD = (255 * 0.2860,), (255 * 0.3530,)


def load_subset(
    *, train: int | None = None, test: int | None = None, augment: bool = False
) -> Samples:
    """The first 6,000 training and the first 2,000 test images, with the options of `load_full`.

    Raises:
        DatasetError: the file is missing or damaged, or more images are requested than there are.
    """
    content = checked(FASHION_MNIST_SUBSET, SUBSET_FILE, VENDORED / SUBSET_FILE)
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        splits = [(arrays[f"{name}_x"][:, None], arrays[f"{name}_y"]) for name in ("train", "test")]
    return assemble(FASHION_MNIST_SUBSET, *splits, (train, test), MEAN, STD, _shifts(augment))


def load_full(
    *,
    train: int | None = None,
    test: int | None = None,
    directory: str | None = None,
    augment: bool = False,
) -> Samples:
    """60,000 training and 10,000 test images of shape (1, 28, 28), from the official files.

    `augment` adds random crops with a padding of 3, and horizontal flips. `train` and `test` are
    the numbers of images (None: all). `directory` is the folder of the files (None: the folder of
    Debian's package).

    Raises:
        DatasetError: a file is missing or damaged, or more images are requested than there are.
    """
    splits = [read_split(Path(directory or DIRECTORY), name) for name in ("train", "t10k")]
    return assemble(FASHION_MNIST, *splits, (train, test), MEAN, STD, _shifts(augment))


def _shifts(augment: bool) -> Augment | None:
    return shifted(3, flip=True) if augment else None


def read_split(directory: Path, name: str) -> Split:
    """All images, uint8 (n, 1, 28, 28), and labels, uint8 (n,), of the part `train` or `t10k`.

    Raises:
        DatasetError: a file is missing or damaged.
    """
    x = idx(_read(directory, f"{name}-images-idx3-ubyte"))
    y = idx(_read(directory, f"{name}-labels-idx1-ubyte"))
    return x[:, None], y


def _read(directory: Path, name: str) -> bytes:
    plain = directory / name
    return checked(FASHION_MNIST, name, plain if plain.exists() else directory / f"{name}.gz")


def idx(content: bytes) -> np.ndarray:
    """An array of unsigned bytes in the IDX format of LeCun's MNIST: magic, sizes, values.

    Raises:
        ValueError: the content is not in that format.
    """
    if content[:3] != b"\x00\x00\x08":  # 8: unsigned bytes; the number of dimensions follows
        raise ValueError(f"not an IDX file of unsigned bytes: it starts with {content[:4]!r}")
    head = 4 + 4 * content[3]
    shape = np.frombuffer(content[4:head], ">u4").astype(int)
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)
