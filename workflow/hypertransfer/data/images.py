"""Images as tensors in memory, and the order in which a run sees them."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hypertransfer.datasets import DatasetCard, DatasetError

Augment = Callable[[Tensor, int], Tensor]  # images and a seed to images of the same shape
Split = tuple[np.ndarray, np.ndarray]  # images (n, C, H, W) and labels (n,), as read


@dataclass(frozen=True)
class Images:
    """A data set of images: x float32 (n, C, H, W), normalised; y int64 (n,), or float targets.

    `augment` changes the images of a training batch, by a seed; none by default.
    """

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor
    classes: int
    augment: Augment | None = None

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
    augment: Augment | None = None,
) -> Images:
    """The first images of each part, as many as `sizes` says, (x − mean)/std per channel.

    Raises:
        DatasetError: more images are asked for than there are.
    """
    parts: list[Tensor] = []
    for name, (x, y), size in zip(("train", "test"), (train, test), sizes, strict=True):
        size = len(y) if size is None else size
        if not 1 <= size <= len(y):
            raise DatasetError(
                f"{card.name}: {name}: {size} images were asked for; there are {len(y)}, "
                f"so give a number from 1 to {len(y)}, or leave it out for all"
            )
        parts += [normalised(x[:size], mean, std), torch.from_numpy(y[:size].astype(np.int64))]
    return Images(*parts, classes=card.classes, augment=augment)


def normalised(x: np.ndarray, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """(x − mean)/std per channel, float32, for x of shape (n, C, H, W)."""
    image = torch.from_numpy(x.astype(np.float32))  # a copy of our own, so in place from here
    return image.sub_(torch.tensor(mean)[:, None, None]).div_(torch.tensor(std)[:, None, None])


def epoch_seed(seed: int, epoch: int) -> int:
    """A seed for the order of one epoch: 63 bits of SHA-256 of `<seed>/epoch/<epoch>`."""
    return _seed(f"{seed}/epoch/{epoch}")


def augmentation_seed(seed: int, step: int) -> int:
    """A seed for the augmentation of one step's batch, made in the same way."""
    return _seed(f"{seed}/augment/{step}")


def _seed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def shifted(pad: int, flip: bool) -> Augment:
    """Random crops of the images padded by `pad` (with the smallest value of the batch), and flips.

    He et al. 1512.03385, section 4.2. Each image has its own shift; drawn on the CPU, so that
    devices agree.
    """

    def augment(x: Tensor, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        n, _, height, width = x.shape
        padded = functional.pad(x, (pad,) * 4, value=float(x.min()))
        down, right = torch.randint(0, 2 * pad + 1, (2, n), generator=generator)
        columns = right[:, None] + torch.arange(width)
        if flip:
            mirrored = torch.rand(n, generator=generator) < 0.5
            columns = torch.where(mirrored[:, None], columns.flip(1), columns)
        rows = (down[:, None] + torch.arange(height))[:, :, None].to(x.device)
        picked = padded.movedim(1, -1)[torch.arange(n)[:, None, None], rows,
                                       columns[:, None, :].to(x.device)]  # fmt: skip
        return picked.movedim(-1, 1)

    return augment


def batches(n: int, batch_size: int, seed: int) -> Iterator[Tensor]:
    """Indices (batch_size,) of minibatches, epoch after epoch, without end.

    Epoch e = 0, 1, … is `torch.randperm(n)` from a CPU generator seeded by `epoch_seed(seed, e)`,
    cut into batches; the last, partial batch is left out. Nothing else enters, so that networks
    of every width see the same batches in the same order.

    Raises:
        ValueError: the batch is empty, or larger than the data set.
    """
    if not 1 <= batch_size <= n:
        raise ValueError(f"batch_size {batch_size} is not within 1 and the {n} training samples")
    return _epochs(n, batch_size, seed)


def _epochs(n: int, batch_size: int, seed: int) -> Iterator[Tensor]:
    for epoch in itertools.count():
        generator = torch.Generator().manual_seed(epoch_seed(seed, epoch))
        order = torch.randperm(n, generator=generator)
        yield from order[: n - n % batch_size].split(batch_size)
