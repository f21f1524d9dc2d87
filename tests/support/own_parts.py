"""Networks, data sets and optimizers as users write them, with what goes wrong in them."""

from __future__ import annotations

import random

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from hypertransfer.data.samples import Samples
from hypertransfer.networks.layers import Branch, Conv2d, Embedding, LayerNorm, Linear, flatten
from hypertransfer.parameterisation.algebra import Role

PIXELS = 6


class Plain(nn.Module):
    """Input, ReLU, readout; the other networks change one thing."""

    def __init__(self, *, width, depth, input_shape, classes):
        super().__init__()
        self.inp = Linear(PIXELS, width, role=Role.INPUT)
        self.out = Linear(width, classes, role=Role.OUTPUT)

    def middle(self, h):
        return h

    def forward(self, x):
        return self.out(self.middle(F.relu(self.inp(flatten(x)))))


class Dropped(Plain):
    def middle(self, h):
        return F.dropout(h, 0.5, self.training)


class NumpyNoise(Plain):
    """Noise from the global generators of numpy and Python, also outside training."""

    def middle(self, h):
        return h * (1 + 0.1 * np.random.rand() + 0.1 * random.random())  # noqa: NPY002


class RandomVector(Plain):
    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.gate, self.roles = nn.Parameter(torch.randn(width)), {"gate": Role.VECTOR}

    def middle(self, h):
        return h * self.gate


class RandomBuffer(Plain):
    """A random buffer that is not persistent, and changes in training."""

    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.register_buffer("omega", torch.randn(width), persistent=False)

    def middle(self, h):
        if self.training:
            self.omega = self.omega * 1.01  # assigned, not changed in place
        return h * self.omega


class Normed(Plain):
    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.norm = nn.BatchNorm1d(width)
        self.norm.roles = {"weight": Role.VECTOR, "bias": Role.VECTOR}

    def middle(self, h):
        return self.norm(h)


class FrozenNorm(Normed):
    """A batch norm that the author keeps in evaluation mode."""

    def train(self, mode=True):
        super().train(mode)
        self.norm.eval()
        return self


class LateBlock(Plain):
    """A block that takes part from the fifth forward pass in training on."""

    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.block = Branch(Linear(width, width, role=Role.HIDDEN, bias=True), nn.ReLU())

    def middle(self, h):
        if self.training:
            self.seen += 1
        return self.block(h) if self.seen > 4 else h


class Unused(Plain):
    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.spare = Linear(width, width, role=Role.HIDDEN, bias=True)


class Frozen(Plain):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.inp.weight.requires_grad_(False)


class AllFrozen(Plain):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.requires_grad_(False)


class OwnValues(Plain):
    """Vectors, biases of norms and frozen weights with values that the author chose."""

    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.bias, self.roles = nn.Parameter(torch.linspace(-1, 1, width)), {"bias": Role.VECTOR}
        self.norm = LayerNorm(width)
        self.mid = Linear(width, width, role=Role.HIDDEN, bias=True)
        nn.init.constant_(self.norm.bias, 0.5)
        nn.init.constant_(self.mid.bias, 0.5)
        nn.init.eye_(self.inp.weight).requires_grad_(False)

    def middle(self, h):
        return self.mid(self.norm(h + self.bias))


class Padded(nn.Module):
    """A bigram network whose token 0 is padding."""

    def __init__(self, *, width, depth, input_shape, classes):
        super().__init__()
        self.inp = Embedding(classes, width, padding_idx=0)
        self.out = Linear(width, classes, role=Role.OUTPUT)

    def forward(self, x):
        return self.out(self.inp(x))


class ZeroReadout(Plain):
    def __init__(self, *, width, classes, **sizes):
        super().__init__(width=width, classes=classes, **sizes)
        self.out = Linear(width, classes, role=Role.OUTPUT, gain=0.0)


class Tied(nn.Module):
    """A bigram network whose readout has the embedding's tensor; which is registered first?"""

    readout_first = False

    def __init__(self, *, width, depth, input_shape, classes):
        super().__init__()
        if self.readout_first:
            self.out = Linear(width, classes, role=Role.OUTPUT)
        self.inp = Embedding(classes, width)
        if not self.readout_first:
            self.out = Linear(width, classes, role=Role.OUTPUT)
        self.out.weight = self.inp.weight

    def forward(self, x):
        return self.out(self.inp(x))


class TiedBackwards(Tied):
    readout_first = True


class SharedHidden(Plain):
    """Two hidden layers with one tensor, outside branches."""

    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.first = Linear(width, width, role=Role.HIDDEN)
        self.second = Linear(width, width, role=Role.HIDDEN)
        self.second.weight = self.first.weight

    def middle(self, h):
        return self.second(F.relu(self.first(h)))


class SharedAcross(SharedHidden):
    """One tensor as a hidden layer's and as the weight of a branch."""

    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.block = Branch(Linear(width, width, role=Role.HIDDEN))
        self.block.layers[0].weight = self.first.weight


class ManyDimensions(Plain):
    """Tensors of four and five dimensions that are no convolution's, and are viewed as one row."""

    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.gate, self.roles = nn.Parameter(torch.ones(2, width, 3, 3)), {"gate": Role.VECTOR}
        self.register_buffer("table", torch.linspace(0, 1, width * 24).view(2, 3, 4, width))
        self.register_buffer("volume", torch.ones(1, 1, 2, 1, 1))

    def middle(self, h):
        shift = self.gate.view(2, -1)[0, : h.shape[1]] + self.table.view(-1)[: h.shape[1]]
        return h + shift * self.volume.view(-1)[0]


class ThroughAKernel(Plain):
    """The hidden units as channels of a convolution."""

    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.conv = Conv2d(width, width, role=Role.HIDDEN)

    def middle(self, h):
        return self.conv(h[:, :, None, None].expand(-1, -1, 2, 2)).mean((2, 3))


class DoubleComplex(Plain):
    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.register_buffer("phases", torch.ones(width, dtype=torch.complex128))


class Sparse(Plain):
    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.register_buffer("graph", torch.eye(width).to_sparse())


class LazyNet(Plain):
    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.lazy = nn.LazyLinear(width)
        self.lazy.roles = {"weight": Role.VECTOR, "bias": Role.VECTOR}


def samples(n=96, test=32):
    """Classes by the sign of the first of six normal inputs."""
    x = torch.randn(n + test, 1, 1, PIXELS, generator=torch.Generator().manual_seed(1))
    y = (x[:, 0, 0, 0] > 0).long()
    return Samples(x[:n], y[:n], x[n:], y[n:], classes=2)


def unseeded():
    """Inputs that the user draws from the global generators."""
    x = torch.randn(128, 1, 1, PIXELS) + float(np.random.rand()) + random.random()  # noqa: NPY002
    return Samples(x[:96], (x[:96, 0, 0, 0] > 0).long(), x[96:], (x[96:, 0, 0, 0] > 0).long(), 2)


def tokens():
    """Random tokens out of seven, each followed by its successor."""
    x = torch.randint(0, 7, (64, 5), generator=torch.Generator().manual_seed(2))
    y = (x + 1) % 7
    return Samples(x[:48], y[:48], x[48:], y[48:], classes=7)


PARTS = (
    Plain, Dropped, NumpyNoise, RandomVector, RandomBuffer, Normed, FrozenNorm, LateBlock, Unused,
    Frozen, AllFrozen, ZeroReadout, Tied, TiedBackwards, SharedHidden, SharedAcross, LazyNet,
    ManyDimensions, ThroughAKernel, OwnValues, Padded, DoubleComplex, Sparse,
    samples, unseeded, tokens,
)  # fmt: skip
