"""A table of this library in a training loop of one's own: a network as its author wrote it."""

import torch
from torch import nn
from torch.nn import functional as F

from hypertransfer.networks.adopted.recipe import Recipe


def build(width, depth):
    """A perceptron for the digits 0 to 9, from 64 pixels."""
    hidden = [part for _ in range(depth) for part in (nn.Linear(width, width), nn.ReLU())]
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), *hidden, nn.Linear(width, 10))


def train(width, depth, lr, steps=20):
    """The loss after some steps, with hyperparameters that were tuned at width 64."""
    torch.manual_seed(0)
    x, y = torch.randn(128, 64), torch.arange(128) % 10
    recipe = Recipe(build, width=64, depth=2, table="mup")
    network, scaling = recipe.make(width, depth)
    optimizer = torch.optim.AdamW(scaling.groups(network, lr=lr, weight_decay=0.1, eps=1e-8))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
        schedule.step()
    return loss.item()


if __name__ == "__main__":
    for width in (64, 256, 1024):
        print(width, train(width, depth=2, lr=0.003))
