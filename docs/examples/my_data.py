"""A data set of one's own, for `data: {name: "my_data:load", noise: 0.5}`."""

import torch

from hypertransfer.data.samples import Samples


def load(*, noise: float = 0.5, train: int = 256, test: int = 64) -> Samples:
    """Four Gaussian clusters in 16 dimensions, as images of shape (1, 4, 4)."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(4, 16, generator=generator)
    y = torch.arange(train + test) % 4
    x = centres[y] + noise * torch.randn(train + test, 16, generator=generator)
    x = x.reshape(-1, 1, 4, 4)
    return Samples(x[:train], y[:train], x[train:], y[train:], classes=4)
