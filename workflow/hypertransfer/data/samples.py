"""Samples as tensors in memory, and the order in which a run sees them."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

Augment = Callable[[Tensor, int], Tensor]  # inputs and a seed to inputs of the same shape


@dataclass(frozen=True)
class Samples:
    """A data set: x and y of n samples each, for training and for testing.

    Images are float32 (n, C, H, W), normalised, with classes int64 (n,) or float targets (n,).
    Text is int64 (n, T), with the token after each as its target (n, T).

    `augment` changes the inputs of a training batch, by a seed; none by default.
    """

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor
    classes: int
    augment: Augment | None = None

    def to(self, device: torch.device) -> Samples:
        """The same samples on a device."""
        names = ("train_x", "train_y", "test_x", "test_y")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


def epoch_seed(seed: int, epoch: int) -> int:
    """A seed for the order of one epoch: 63 bits of SHA-256 of `<seed>/epoch/<epoch>`."""
    return _seed(f"{seed}/epoch/{epoch}")


def augmentation_seed(seed: int, step: int) -> int:
    """A seed for the augmentation of one step's batch, made in the same way."""
    return _seed(f"{seed}/augment/{step}")


def curvature_seed(seed: int, step: int) -> int:
    """A seed for what an optimizer draws to see the curvature at a step, made in the same way."""
    return _seed(f"{seed}/curvature/{step}")


def _seed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


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
