"""Inputs and targets drawn at random, to see how a network of any shape reacts to training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hypertransfer.data.samples import Samples


def load(
    *,
    inputs: Sequence[int],
    targets: Sequence[int],
    classes: int,
    vocabulary: int = 0,
    train: int = 64,
    test: int = 16,
) -> Samples:
    """Random samples, the same for the same arguments.

    Args:
        inputs: the shape of the input of one sample.
        targets: the shape of the targets of one sample; empty for one target.
        classes: the number of classes of the targets; 1 for numbers of a normal distribution.
        vocabulary: the number of tokens of the inputs; 0 for numbers of a normal distribution.
        train: the number of training samples.
        test: the number of test samples.
    """
    generator = torch.Generator().manual_seed(0)
    count = train + test

    def drawn(shape: Sequence[int], tokens: int) -> Tensor:
        if tokens:
            return torch.randint(tokens, (count, *shape), generator=generator)
        return torch.randn(count, *shape, generator=generator)

    x, y = drawn(inputs, vocabulary), drawn(targets, classes if classes > 1 else 0)
    return Samples(x[:train], y[:train], x[train:], y[train:], classes)
