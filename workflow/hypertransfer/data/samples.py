"""Data sets as tensors in memory, and the order in which a run draws minibatches."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hypertransfer.runs.seeds import seed_of

Augment = Callable[[Tensor, int], Tensor]  # from inputs and a seed to inputs of the same shape


@dataclass(frozen=True)
class Samples:
    """A data set: inputs x and targets y of n samples, for training and for testing.

    Images are normalised float32 (n, C, H, W); their targets are classes, int64 (n,), or numbers,
    float32 (n,). Text is int64 (n, T); the target of each token is the next token, int64 (n, T).
    `classes` is the number of classes, or of tokens in the vocabulary. `augment(x, seed)` returns
    an augmented training batch of the shape of x.
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
    """The seed of the order of one epoch: 63 bits of the SHA-256 of `<seed>/epoch/<epoch>`."""
    return seed_of(f"{seed}/epoch/{epoch}")


def augmentation_seed(seed: int, step: int) -> int:
    """The seed of the augmentation of one step's batch, from `<seed>/augment/<step>`."""
    return seed_of(f"{seed}/augment/{step}")


def curvature_seed(seed: int, step: int) -> int:
    """The seed of an optimizer's curvature estimate at one step, from `<seed>/curvature/<step>`."""
    return seed_of(f"{seed}/curvature/{step}")


def batches(n: int, batch_size: int, seed: int) -> Iterator[Tensor]:
    """Endless minibatches, each as indices of shape (batch_size,).

    The order of epoch e = 0, 1, … is `torch.randperm(n)` of a CPU generator with the seed
    `epoch_seed(seed, e)`, cut into batches; the last batch is dropped if it is not full. The order
    depends on nothing else, so that networks of all widths are trained on the same batches.

    Raises:
        ValueError: `batch_size` is not between 1 and n.
    """
    if not 1 <= batch_size <= n:
        raise ValueError(f"batch_size {batch_size} is not between 1 and the {n} training samples")
    return _epochs(n, batch_size, seed)


def _epochs(n: int, batch_size: int, seed: int) -> Iterator[Tensor]:
    for epoch in itertools.count():
        generator = torch.Generator().manual_seed(epoch_seed(seed, epoch))
        order = torch.randperm(n, generator=generator)
        for start in range(0, n - n % batch_size, batch_size):
            yield order[start : start + batch_size]
