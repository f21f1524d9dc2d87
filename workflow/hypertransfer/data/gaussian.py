"""Gaussian inputs with the targets of a linear teacher, for the theory of the linear network."""

from __future__ import annotations

import torch

from hypertransfer.catalogue.cards.datasets import GAUSSIAN_REGRESSION
from hypertransfer.data.samples import Samples

SEED = 0


def load() -> Samples:
    """Samples x ~ N(0, 1), shape (n, 1, 1, D), and targets y = β·x, shape (n,), with β ~ N(0, 1/D).

    Therefore the targets have a variance of about 1.
    """
    card = GAUSSIAN_REGRESSION
    generator = torch.Generator().manual_seed(SEED)
    dimension = card.input_shape[-1]
    teacher = torch.randn(dimension, generator=generator) / dimension**0.5
    parts = []
    for n in (card.train, card.test):
        x = torch.randn(n, *card.input_shape, generator=generator)
        parts += [x, x.flatten(1) @ teacher]
    return Samples(*parts, classes=card.classes)
