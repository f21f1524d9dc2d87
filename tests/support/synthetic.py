"""A data set and a network that watches its batches, and short runs of both."""

from __future__ import annotations

import torch

from hypertransfer.catalogue import complete, lookup
from hypertransfer.data.samples import Samples
from hypertransfer.networks.mlp import LinearNet
from hypertransfer.training import loop

TRAIN, TEST, CLASSES = 96, 50, 4


def images(train=TRAIN, test=TEST):
    """Samples around one pattern for each class; the first pixel is the sample's own number."""
    generator = torch.Generator().manual_seed(7)
    patterns = torch.randn(CLASSES, 1, 5, 5, generator=generator)
    n = train + test
    y = torch.arange(n) % CLASSES
    x = patterns[y] + 0.7 * torch.randn(n, 1, 5, 5, generator=generator)
    x[:, 0, 0, 0] = torch.arange(n) / n
    return Samples(x[:train], y[:train], x[train:], y[train:], CLASSES)


class Watching(LinearNet):
    """The linear network, which notes the numbers of the samples in its training batches."""

    seen: list

    def forward(self, x):
        if self.training and x.requires_grad is False:
            Watching.seen.append((x[:, 0, 0, 0] * (TRAIN + TEST)).round().long().tolist())
        return super().forward(x)


def spec(**values):
    """A residual MLP on the synthetic data set."""
    return complete.run_spec(
        {
            "model": {"name": "residual_mlp", "bias": True},
            "data": "synthetic_parts:load",
            "base": {"width": 4, "depth": 1},
            "shape": {"width": 12, "depth": 2},
            "parameterisation": "depth_mup",
            "optimizer": {"name": "sgd", "momentum": 0.9},
            "weight_decay": 0.01,
            "lr": 0.05,
            "batch_size": 16,
            "steps": 40,
            "seed": 3,
            "log_every": 1,
            **values,
        }
    )


def run(**values):
    """Train the network of `spec`."""
    values = spec(**values)
    return loop.train(values, lookup.table(values))
