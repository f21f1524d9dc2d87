"""Preprocessing of images: normalisation, selection, and augmentation."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hypertransfer.catalogue.cards.datasets import DatasetCard, DatasetError
from hypertransfer.data.samples import Augment, Samples

Split = tuple[np.ndarray, np.ndarray]  # images (n, C, H, W) and labels (n,), as read


def assemble(
    card: DatasetCard,
    train: Split,
    test: Split,
    sizes: tuple[int | None, int | None],
    mean: tuple[float, ...],
    std: tuple[float, ...],
    augment: Augment | None = None,
) -> Samples:
    """The first images of each part, normalised, as `Samples`.

    `sizes` are the numbers of training and test images (None: all); `mean` and `std` have one value
    per channel.

    Raises:
        DatasetError: a number is below 1, or more images are requested than there are.
    """
    parts: list[Tensor] = []
    for name, (x, y), size in zip(("train", "test"), (train, test), sizes, strict=True):
        size = len(y) if size is None else size
        if not 1 <= size <= len(y):
            raise DatasetError(
                f"{card.name}: {name}: {size} images were asked for; there are {len(y)}: "
                f"give a number from 1 to {len(y)}, or leave {name} out for all"
            )
        parts += [normalised(x[:size], mean, std), torch.from_numpy(y[:size].astype(np.int64))]
    return Samples(*parts, classes=card.classes, augment=augment)


def normalised(x: np.ndarray, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """(x − mean)/std per channel, float32, for x of shape (n, C, H, W)."""
    image = torch.from_numpy(x.astype(np.float32))  # a copy, which can be changed in place
    return image.sub_(torch.tensor(mean)[:, None, None]).div_(torch.tensor(std)[:, None, None])


def shifted(pad: int, flip: bool) -> Augment:
    """An augmentation by random crops and, if `flip`, horizontal flips (He et al. 1512.03385, 4.2).

    Each image is padded by `pad` pixels with the smallest value of the batch, and cropped to its
    size at a random position. Random numbers are drawn on the CPU, so that they are the same on
    every device.
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
        columns = columns[:, None, :].to(x.device)
        cropped = padded.movedim(1, -1)[torch.arange(n)[:, None, None], rows, columns]
        return cropped.movedim(-1, 1)

    return augment
