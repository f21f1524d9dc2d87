"""Networks, data sets and optimizers as users write them, with what goes wrong in them."""

from __future__ import annotations

import functools
import itertools
import random
import threading
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from hypertransfer.data.samples import Samples
from hypertransfer.networks.layers import (
    Branch,
    Conv2d,
    Embedding,
    LayerNorm,
    Linear,
    TiedLinear,
    flatten,
)
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


class WithoutGradients(Plain):
    """A hidden layer that is called, but gets no gradient."""

    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.mid = Linear(width, width, role=Role.HIDDEN, bias=True)

    def middle(self, h):
        with torch.no_grad():
            shift = self.mid(h)
        return h + shift


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


class TiedInAMethod(nn.Module):
    """A bigram network that reads out with the embedding's weight, without its multiplier."""

    def __init__(self, *, width, depth, input_shape, classes):
        super().__init__()
        self.inp = Embedding(classes, width)

    def readout(self):
        return self.inp.weight

    def forward(self, x):
        return F.linear(self.inp(x), self.readout())


class TiedByALayer(TiedInAMethod):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.out = TiedLinear(self.inp)

    def forward(self, x):
        return self.out(self.inp(x))


class RawReadout(Plain):
    """A readout that is computed with the layer's weight, without its multiplier."""

    def readout(self):
        return self.out.weight

    def forward(self, x):
        return F.linear(F.relu(self.inp(flatten(x))), self.readout())


class ScaledReadout(RawReadout):
    def readout(self):
        return self.out.scaled_weight()


class RawBehindZero(RawReadout):
    """A raw weight in front of a readout that begins at zero."""

    def __init__(self, *, width, classes, **sizes):
        super().__init__(width=width, classes=classes, **sizes)
        self.last = Linear(width, classes, role=Role.OUTPUT, gain=0.0)
        self.out = Linear(width, width, role=Role.HIDDEN)

    def forward(self, x):
        return self.last(super().forward(x))


class TiedPadded(Padded):
    """A bigram network whose readout has the embedding's tensor, with the row of padding."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.out.weight = self.inp.weight


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


class FixedWidth(Plain):
    """A network of width 32, whatever the run says."""

    def __init__(self, *, width, **sizes):
        super().__init__(width=32, **sizes)


class Deep(Plain):
    """Hidden layers, one after the other, without residual branches."""

    def __init__(self, *, width, depth, **sizes):
        super().__init__(width=width, depth=depth, **sizes)
        self.hidden = nn.Sequential(*(Linear(width, width, role=Role.HIDDEN) for _ in range(depth)))

    def middle(self, h):
        return self.hidden(h)


class FixedDepth(Deep):
    """A network of depth 2, whatever the run says."""

    def __init__(self, *, depth, **sizes):
        super().__init__(depth=2, **sizes)


class Looped(Deep):
    """One branch, which is applied `depth` times."""

    def __init__(self, *, width, depth, **sizes):
        super().__init__(width=width, depth=1, **sizes)
        self.times, self.hidden = depth, Branch(self.hidden)

    def middle(self, h):
        for _ in range(self.times):
            h = self.hidden(h)
        return h


class Sizes:
    """Holds the depth; its text does not show it."""

    def __init__(self, depth):
        self.depth = depth


class LoopedByAnObject(Looped):
    """One branch, which is applied as often as an object says."""

    def __init__(self, *, depth, **sizes):
        super().__init__(depth=depth, **sizes)
        self.sizes, self.times = Sizes(depth), None

    def middle(self, h):
        for _ in range(self.sizes.depth):
            h = self.hidden(h)
        return h


class WithoutText:
    def __repr__(self):
        raise AttributeError("text")


@dataclass
class Depths:
    """Holds the depth beside what has an address or no text."""

    depth: int
    act: object = field(default_factory=lambda: lambda h: h)
    without_text: object = field(default_factory=WithoutText)


class Subclassed(list):
    """A list that also has an attribute."""

    def __init__(self, depth):
        super().__init__([1])
        self.depth = depth


HOLDERS = {  # objects that hold a number
    "object": Sizes,
    "dataclass": Depths,
    "list": lambda depth: [lambda h: h, [depth]],
    "subclass": Subclassed,
    "closure": lambda depth: lambda h: h * depth,
    "partial": lambda depth: functools.partial(lambda h, d: h, d=depth),
    "array": lambda depth: np.array([depth]),
    "module": lambda depth: [nn.Dropout(1 / (1 + depth))],
}


class Holding(Plain):
    """A network of which one attribute alone depends on the depth."""

    def __init__(self, *, depth, holder, **sizes):
        super().__init__(depth=depth, **sizes)
        self.held = HOLDERS[holder](depth)


class FixedWithObjects(FixedDepth):
    """A network of depth 2, with attributes that differ between any two networks."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.act, self.function, self.layer = lambda h: h, self.middle, [nn.Identity()]
        self.generators = torch.Generator(), np.random.default_rng(3), random.Random(3)
        self.objects = [object(), WithoutText(), Sizes(WithoutText()), Depths(1)]
        self.partial, self.lock = functools.partial(lambda h: h), threading.Lock()
        self.drawn, self.noise = random.random(), torch.randn(3)


class DeepWithoutText(Deep):
    """An attribute has no text."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.without_text = WithoutText()


class Positioned(nn.Module):
    """A bigram network with learned positions, whose weight it takes."""

    def __init__(self, *, width, depth, input_shape, classes, rows=0):
        super().__init__()
        self.inp = Embedding(classes, width)
        self.pos = Embedding(input_shape[0] + rows, width)
        self.out = Linear(width, classes, role=Role.OUTPUT)

    def forward(self, x):
        return self.out(self.inp(x) + self.pos.weight[: x.shape[1]])


class Remembering(Positioned):
    """Attends to the rows of a table by products with its weight."""

    def forward(self, x):
        h, memory = self.inp(x), self.pos.weight
        return self.out(h + torch.softmax(h @ memory.T, -1) @ memory)


class TiedToRows(nn.Module):
    """A bigram network that reads out with some rows of a table, without its multiplier."""

    def __init__(self, *, width, depth, input_shape, classes, rows=2, first=0, form="logits"):
        super().__init__()
        self.inp, self.form = Embedding(classes + rows, width), form
        self.rows = slice(first, first + classes)

    def forward(self, x):
        inputs = self.inp(x) if self.form != "raw" else self.inp.weight[x]
        logits = F.linear(inputs.cumsum(1), self.inp.weight[self.rows])
        return {"log": F.log_softmax, "capped": lambda z, _: z.tanh()}.get(
            self.form, lambda z, _: z
        )(logits, -1)


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


class Shifted(Plain):
    def forward(self, x):
        return super().forward((x - 0.5) * 0.5)


class ShiftedInPlace(Plain):
    """`Shifted`, which changes its input."""

    def forward(self, x):
        x.sub_(0.5).mul_(0.5)
        return super().forward(x)


GENERATOR = torch.Generator().manual_seed(0)  # of this module, and so of all runs of a process


class DrawnByTheModule(Plain):
    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        gate = torch.randn(width, generator=GENERATOR)
        self.gate, self.roles = nn.Parameter(gate), {"gate": Role.VECTOR}


class NoiseOfTheModule(Plain):
    def middle(self, h):
        return h * torch.rand((), generator=GENERATOR)


class OwnGenerator(Plain):
    """Noise in training from a generator of its own."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.generator = torch.Generator().manual_seed(3)

    def middle(self, h):
        return h * torch.rand((), generator=self.generator) if self.training else h


class Counting(Plain):
    """Counts its training passes in an attribute, on which its outputs depend."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.calls = 0

    def middle(self, h):
        self.calls += self.training
        return h * (1 + 0.1 * self.calls)


class Averaging(Plain):
    """Subtracts a running mean, which is no buffer."""

    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.mean = torch.zeros(width)
        self.layers = [self.inp, self.out]  # further names of what training changes

    def middle(self, h):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * h.detach().mean(0)
        return h - self.mean


class CountingAll(Plain):
    """Counts all its passes, in a buffer and in an attribute."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.register_buffer("seen", torch.zeros(()))
        self.passes = 0

    def middle(self, h):
        self.seen += 1
        self.passes += 1
        return h * (1 + 0.01 * self.seen + 0.01 * self.passes)


class Tallying(Plain):
    """Counts all its passes in a container, on which its outputs depend."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.stats = {"n": 0}

    def middle(self, h):
        self.stats["n"] += 1
        return h * (1 + 0.1 * self.stats["n"])


class Iterating(Counting):
    """Counts by an object that no file can hold."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.counter = itertools.count(1)

    def middle(self, h):
        return h * next(self.counter) if self.training else h


class Locked(Plain):
    """A network that cannot be copied."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.lock = threading.Lock()


class LowRank(Plain):
    """A sum of two layers, which are one layer in evaluation mode, as in loralib."""

    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.a = Linear(width, width, role=Role.HIDDEN)
        self.b = Linear(width, width, role=Role.HIDDEN)
        self.merged = False

    def train(self, mode=True):
        super().train(mode)
        with torch.no_grad():
            if mode == self.merged:
                self.a.weight.add_(self.b.weight, alpha=-1 if mode else 1)
                self.merged = not mode
        return self

    def middle(self, h):
        return self.a(h) if self.merged else self.a(h) + self.b(h)


class Balanced(Plain):
    """After each update a buffer follows the mean of the last pass, which statistics report."""

    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.register_buffer("shift", torch.zeros(width))
        self.load = None

    def middle(self, h):
        self.load = h.detach().mean(0)
        return h - self.shift

    def after_update(self):
        self.shift += 0.1 * self.load

    def statistics(self):
        return {"router_entropy": float(self.load.mean())}


class UnknownStatistics(Plain):
    def statistics(self):
        return {"feature_mean": 1.0, "router_entropy": 1.0}


class PenaltyNumber(Plain):
    penalty = 0.1


class Penalised(Plain):
    def penalty(self):
        return 10 * self.out.weight.square().sum()


class PenaltyOfNumpy(Plain):
    def penalty(self):
        return np.float32(0.5)


class PenaltyOfNothing(Plain):
    def penalty(self):
        pass


class PenaltyVector(Plain):
    def penalty(self):
        return self.out.weight.square().sum(0)


class RoleByName(Plain):
    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.mid = Linear(width, width, role="hidden")


class UntaggedNorms(Plain):
    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.bn, self.ln = nn.BatchNorm1d(width), nn.LayerNorm(width)


class Late(Plain):
    """Makes a layer in its first forward pass."""

    def middle(self, h):
        if not hasattr(self, "extra"):
            self.extra = Linear(h.shape[1], h.shape[1], role=Role.HIDDEN)
        return self.extra(h)


class Freezing(Plain):
    """Freezes its input layer after four updates, and trains it again after eight."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def after_update(self):
        self.updates += 1
        self.inp.weight.requires_grad_(not 4 <= self.updates < 8)


class EndingDropout(Plain):
    """Has dropout in its first four training steps, by the mode of a module."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.drop, self.updates = nn.Dropout(0.5), 0

    def middle(self, h):
        return self.drop(h)

    def after_update(self):
        self.updates += 1
        if self.updates == 4:
            self.drop.eval()


class ReplacingDropout(EndingDropout):
    """Replaces its dropout by another module after four updates."""

    def after_update(self):
        self.updates += 1
        if self.updates == 4:
            self.drop = nn.Identity()


class WithLateHook(EndingDropout):
    """Adds a hook to its dropout after four updates."""

    def after_update(self):
        self.updates += 1
        if self.updates == 4:
            self.drop.register_forward_hook(lambda module, inputs, output: 0.5 * output)


class Compiled(Plain):
    """A batch norm that torch has compiled."""

    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.norm = torch.jit.script(nn.BatchNorm1d(width, affine=False))

    def middle(self, h):
        return self.norm(h)


class NeverPickled(Counting):
    """A network that refuses to be pickled, and so to be copied."""

    def __getstate__(self):
        raise TypeError("cannot be pickled")


@functools.cache
def cached(**sizes):
    """The same network at each call."""
    return Normed(**sizes)


@functools.cache
def _cached_layer(width):
    return Linear(width, width, role=Role.HIDDEN)


class WithCachedLayer(Plain):
    """A new network at each call, with the same hidden layer."""

    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.mid = _cached_layer(width)

    def middle(self, h):
        return self.mid(h)


class Thawing(Frozen):
    """Wants to train a layer that was frozen when training began."""

    def after_update(self):
        self.inp.weight.requires_grad_(True)


class Masked(nn.Module):
    def __init__(self, mask):
        super().__init__()
        self.register_buffer("mask", mask)


class SharedBuffer(Plain):
    """Two modules with one buffer, which the second replaces in training."""

    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        mask = torch.ones(width)
        self.first, self.second = Masked(mask), Masked(mask)

    def middle(self, h):
        if self.training:
            self.second.mask = self.second.mask * 1.05
        return h * self.first.mask * self.second.mask


class BatchMoments(Plain):
    """Batch norm with the moments of the batch in evaluation, too."""

    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.norm = nn.BatchNorm1d(width, track_running_stats=False)
        self.norm.roles = {"weight": Role.VECTOR, "bias": Role.VECTOR}

    def middle(self, h):
        return self.norm(h)


class DoublePrecision(Plain):
    """Changes a setting of torch, which would stay for the next run."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        torch.set_default_dtype(torch.float64)


class NoNetwork:
    def __init__(self, **sizes):
        pass


class Column(Plain):
    """Outputs of another shape: (B, 1, C)."""

    def forward(self, x):
        return super().forward(x)[:, None]


class Pair(Plain):
    def forward(self, x):
        return super().forward(x), 0.0


class Flat(Plain):
    def forward(self, x):
        return super().forward(x).squeeze(1)


class Maps(Plain):
    def forward(self, x):
        return super().forward(x)[:, :, None, None]


class Mean(Plain):
    def forward(self, x):
        return super().forward(x).mean()


class Fewer(Plain):
    def __init__(self, *, classes, **sizes):
        super().__init__(classes=1, **sizes)


class More(Plain):
    def __init__(self, *, classes, **sizes):
        super().__init__(classes=5, **sizes)


class LargerWidthsRefused(Plain):
    """A network that exists up to a width of 8."""

    def __init__(self, *, width, **sizes):
        if width > 8:
            raise KeyError(width)
        super().__init__(width=width, **sizes)


class Clipped(Plain):
    """A hidden matrix of which one side is at most 8."""

    def __init__(self, *, width, **sizes):
        super().__init__(width=width, **sizes)
        self.up = Linear(width, min(width, 8), role=Role.HIDDEN)
        self.down = Linear(min(width, 8), width, role=Role.HIDDEN)

    def middle(self, h):
        return self.down(self.up(h))


def one_rate(groups):
    """The groups are thrown away, with their rates."""
    return torch.optim.SGD([p for group in groups for p in group["params"]], lr=0.5)


def output_alone(groups):
    return torch.optim.SGD([group for group in groups if group["role"] == "output"])


def doubled_rates(groups):
    """The groups that are handed over are changed in place."""
    for group in groups:
        group["lr"] *= 2
    return torch.optim.SGD(groups)


def list_of_optimizers(groups):
    return [torch.optim.SGD(groups)]


def folded(groups):
    """Groups of one rate become one; nothing is lost."""
    rates = {group["lr"] for group in groups}
    params = {lr: [p for g in groups if g["lr"] == lr for p in g["params"]] for lr in rates}
    return torch.optim.SGD([{"params": params[lr], "lr": lr} for lr in sorted(rates)])


def without_rates(groups):
    return Bare([p for group in groups for p in group["params"]], {})


class Bare(torch.optim.Optimizer):
    def step(self, closure=None):
        pass


def noting_eps(groups, **options):
    """Takes `eps` and `betas` from the groups; `noted` holds what it was given."""
    noted = [(options, group["eps"], group["betas"]) for group in groups]
    made = torch.optim.SGD([{k: group[k] for k in ("params", "lr")} for group in groups])
    made.noted = noted
    return made


class Descent(torch.optim.Optimizer):
    """Gradient descent; the other optimizers change one thing."""

    def __init__(self, groups):
        super().__init__(groups, {"lr": 0.0, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.sub_(group["lr"] * parameter.grad)


class Reevaluating(Descent):
    """Notes what its closure returns before the update."""

    needs_closure, noted = True, []

    def step(self, closure):
        self.noted.append(closure().item())
        super().step()


class CountingInClass(Descent):
    """Follows half the gradient from the second step of its class on, noted in two ways."""

    steps, noted = 0, {"steps": []}

    def step(self, closure=None):
        cls = type(self)
        for group in self.param_groups:
            group["lr"] *= 0.5 if cls.steps and cls.noted["steps"] else 1.0
        cls.steps += 1
        cls.noted["steps"].append(cls.steps)
        cls.late = True
        super().step()


class CountingNetwork(Plain):
    """Counts its updates in its class, on which its outputs depend."""

    updates = 0

    def middle(self, h):
        return h * (1 + 0.1 * self.updates)

    def after_update(self):
        type(self).updates += 1


class UnannouncedClosure(Descent):
    def step(self, closure):
        closure()
        super().step()


class PlainZeroGrad(Descent):
    def zero_grad(self):
        super().zero_grad()


class ModeOfModules(Descent):
    def eval(self):
        pass

    def train(self, mode):
        pass


class IteratingWithModes(Descent):
    """Has modes, and an object that no file can hold: from the start, or from the first step."""

    late = False

    def __init__(self, groups):
        super().__init__(groups)
        if not self.late:
            self.counter = itertools.count()

    def step(self, closure=None):
        super().step()
        self.counter = itertools.count()

    def eval(self):
        pass

    def train(self):
        pass


class IteratingLate(IteratingWithModes):
    late = True


class ModesThatAreValues(Descent):
    eval = train = True


class ShareThatIsAValue(Descent):
    unclipped_share = 0.5


class ObservingTooLittle(Descent):
    def observe(self, step, x, y):
        pass


class GrowingGroups(Descent):
    def step(self, closure=None):
        super().step()
        parameter = self.param_groups[0]["params"].pop()
        self.add_param_group({"params": [parameter], "lr": 0.1})


def samples(n=96, test=32):
    """Classes by the sign of the first of six normal inputs."""
    x = torch.randn(n + test, 1, 1, PIXELS, generator=torch.Generator().manual_seed(1))
    y = (x[:, 0, 0, 0] > 0).long()
    return Samples(x[:n], y[:n], x[n:], y[n:], classes=2)


def unseeded():
    """Inputs that the user draws from the global generators."""
    x = torch.randn(128, 1, 1, PIXELS) + float(np.random.rand()) + random.random()  # noqa: NPY002
    return Samples(x[:96], (x[:96, 0, 0, 0] > 0).long(), x[96:], (x[96:, 0, 0, 0] > 0).long(), 2)


def pairs():
    """As `tokens`, with as many positions as there are tokens: two."""
    x = torch.randint(0, 2, (64, 2), generator=torch.Generator().manual_seed(2))
    return Samples(x[:48], 1 - x[:48], x[48:], 1 - x[48:], classes=2)


def square_tokens():
    """As `tokens`, with as many positions as there are tokens: seven."""
    x = torch.randint(0, 7, (64, 7), generator=torch.Generator().manual_seed(2))
    y = (x + 1) % 7
    return Samples(x[:48], y[:48], x[48:], y[48:], classes=7)


def tokens():
    """Random tokens out of seven, each followed by its successor."""
    x = torch.randint(0, 7, (64, 5), generator=torch.Generator().manual_seed(2))
    y = (x + 1) % 7
    return Samples(x[:48], y[:48], x[48:], y[48:], classes=7)


def drawn_by_the_module():
    made = samples()
    noise = torch.randn(made.train_x.shape, generator=GENERATOR)
    return Samples(made.train_x + noise, made.train_y, made.test_x, made.test_y, 2)


def restless():
    """The samples, and settings of torch that would stay for the next run."""
    made = samples()
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.set_num_threads(2)
    torch.backends.mkldnn.enabled = False
    return made


def numbers():
    """The first input as the target."""
    made = samples()
    train_y, test_y = (x[:, 0, 0, 0].clone() for x in (made.train_x, made.test_x))
    return Samples(made.train_x, train_y, made.test_x, test_y, 1)


def one_hot():
    """Classes as rows of zeros and a one."""
    made = samples()
    train_y, test_y = (F.one_hot(y, 2).float() for y in (made.train_y, made.test_y))
    return Samples(made.train_x, train_y, made.test_x, test_y, 2)


def rare():
    """Numbers, of which the first of the default order are 0, as are 19 of 20."""
    x = torch.randn(128, 1, 1, PIXELS, generator=torch.Generator().manual_seed(4))
    y = torch.zeros(128)
    y[::20] = 1.0
    return Samples(x[:96], y[:96], x[96:], y[96:], 1)


def short_augment():
    made = samples()
    return Samples(
        made.train_x, made.train_y, made.test_x, made.test_y, 2, lambda x, seed: x[:, :, :, :5]
    )


def augment_without_seed():
    made = samples()
    return Samples(made.train_x, made.train_y, made.test_x, made.test_y, 2, lambda x: x)


PARTS = (
    Plain, Dropped, NumpyNoise, RandomVector, RandomBuffer, Normed, FrozenNorm, LateBlock, Unused,
    WithoutGradients, Frozen, AllFrozen, ZeroReadout, Tied, TiedBackwards, TiedPadded,
    TiedInAMethod, TiedByALayer, RawReadout, ScaledReadout, RawBehindZero,
    SharedHidden, SharedAcross, FixedWidth, FixedDepth, Looped, Deep,
    LazyNet, ManyDimensions, ThroughAKernel, OwnValues, Padded, DoubleComplex, Sparse,
    Shifted, ShiftedInPlace, DrawnByTheModule, NoiseOfTheModule, OwnGenerator, Counting, Averaging,
    CountingAll, Tallying, Iterating, Locked, LowRank, Balanced, UnknownStatistics, PenaltyNumber,
    Penalised, PenaltyOfNothing, PenaltyVector, RoleByName, UntaggedNorms, one_hot, Late,
    Freezing, EndingDropout, ReplacingDropout, WithLateHook, Compiled, Thawing,
    NeverPickled, LoopedByAnObject, Holding, FixedWithObjects, DeepWithoutText,
    Positioned, Remembering, TiedToRows, pairs, square_tokens, PenaltyOfNumpy, without_rates,
    cached, WithCachedLayer, SharedBuffer, BatchMoments, DoublePrecision, NoNetwork,
    Column, Pair, Flat, Maps, Mean, Fewer, More, Descent, Reevaluating, UnannouncedClosure,
    PlainZeroGrad, LargerWidthsRefused, Clipped, one_rate, output_alone, doubled_rates,
    list_of_optimizers, folded, noting_eps, CountingInClass, CountingNetwork, IteratingWithModes,
    IteratingLate, ModeOfModules, ModesThatAreValues, ShareThatIsAValue, ObservingTooLittle,
    GrowingGroups,
    samples, unseeded, tokens, drawn_by_the_module, restless, numbers, rare, short_augment,
    augment_without_seed,
)  # fmt: skip
