"""Images as tensors in memory, and the order in which a run sees them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from hypertransfer.datasets import DatasetCard, DatasetError

Split = tuple[np.ndarray, np.ndarray]  # images (n, C, H, W) and labels (n,), as read


@dataclass(frozen=True)
class Images:
    """A data set of images: x float32 (n, C, H, W), normalised; y int64 (n,)."""

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor
    classes: int

    def to(self, device: torch.device) -> Images:
        """The same images on a device."""
        names = ("train_x", "train_y", "test_x", "test_y")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


def assemble(
    card: DatasetCard,
    train: Split,
    test: Split,
    sizes: tuple[int | None, int | None],
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> Images:
    """The first images of each split, (x − mean)/std per channel.

    Raises:
        DatasetError: more images are asked for than there are.
    """
    parts: list[Tensor] = []
    for name, (x, y), size in zip(("train", "test"), (train, test), sizes, strict=True):
        size = len(y) if size is None else size
        if not 1 <= size <= len(y):
            raise DatasetError(f"{card.name}: {name}: {size} is not within 1 and {len(y)} images")
        parts += [normalised(x[:size], mean, std), torch.from_numpy(y[:size].astype(np.int64))]
    return Images(*parts, classes=card.classes)


def normalised(x: np.ndarray, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """(x − mean)/std per channel, float32, for x of shape (n, C, H, W)."""
    image = torch.from_numpy(x.astype(np.float32))
    return (image - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


def batches(n: int, batch_size: int, seed: int) -> Iterator[Tensor]:
    """Indices of minibatches, epoch after epoch, without end.

    Each epoch is a permutation of all n samples, drawn from one generator with the given seed;
    the last, partial batch of an epoch is left out. The order depends on nothing else: it is
    the same for every network.

    Raises:
        ValueError: the batch is larger than the data set.
    """
    if batch_size > n:
        raise ValueError(f"batch_size {batch_size} is more than the {n} training samples")
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(n, generator=generator)
        yield from order[: n - n % batch_size].split(batch_size)
