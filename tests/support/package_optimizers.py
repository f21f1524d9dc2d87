"""Every optimizer class of torch.optim and pytorch_optimizer, and short runs with each."""

from __future__ import annotations

import importlib
import math
import random
from itertools import pairwise

import numpy as np
import torch

from hypertransfer.catalogue import complete, lookup
from hypertransfer.catalogue.cards.package_optimizers import (
    GRADIENT_POWERS,
    NEEDED_OPTIONS,
    PACKAGES,
    REFUSED,
    WITH_CLOSURE,
)
from hypertransfer.training.loop import train
from hypertransfer.training.state import State

NAMES = [
    f"{package}:{name}"
    for package in PACKAGES
    for name, value in vars(importlib.import_module(package)).items()
    if isinstance(value, type) and issubclass(value, torch.optim.Optimizer)
]
USABLE = [name for name in NAMES if name not in REFUSED]
STEPS, KEPT = 12, 5
OPTIONS = {
    "pytorch_optimizer:Ranger21": {"num_iterations": STEPS},  # has no default
    "pytorch_optimizer:Kate": {"eps": 1e-3},  # updates grow as gradients fall to eps
}
MODELS = {
    "mlp": {
        "model": {"name": "residual_mlp", "bias": True},
        "data": {"name": "digits", "train": 64, "test": 32},
    },
    "conv": {
        "model": "conv",
        "data": {"name": "fashion_mnist_subset", "train": 64, "test": 20},
        "batch_size": 4,
    },
    "decoder": {
        "model": {"name": "llama", "experts": 4, "balance_rate": 0.01},
        "data": {"name": "state_of_the_union", "context": 16, "train": 64, "test": 16},
        "base": {"width": 16, "depth": 1},
        "shape": {"width": 32, "depth": 1},
        "parameterisation": "mup_moe",
        "batch_size": 4,
    },
}
DENSE = {"model": "llama", "parameterisation": "mup"}  # experts have scale-free tables alone


def class_of(name):
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def options_of(name):
    """The options without which planning refuses the class."""
    power = {} if name in GRADIENT_POWERS else {"gradient_power": 0}
    return {**power, **OPTIONS.get(name, {}), **NEEDED_OPTIONS.get(name, {})}


def spec(name, model="mlp", **values):
    dense = DENSE if model == "decoder" and GRADIENT_POWERS.get(name) == 1 else {}
    return complete.run_spec(
        {
            "base": {"width": 8, "depth": 1}, "shape": {"width": 16, "depth": 1},
            "parameterisation": "mup", "optimizer": {"name": name, **options_of(name)}, "lr": 0.01,
            "batch_size": 16, "steps": STEPS, "seed": 1, "log_every": 2, "eval_every": 4,
            "checkpoints": [0, KEPT, STEPS], **MODELS[model], **dense, **values,
        }
    )  # fmt: skip


def trained(run, **options):
    return train(run, lookup.table(run), **options)


def resumed(run, after, **options):
    """The training that continues, from a file, a training that was killed after so many steps."""
    states = {}

    def save(take):
        state = take()
        if state.done == after:
            states[after] = state.to_bytes()

    trained(run, save=save, **options)
    if states:
        return trained(run, resume=State.from_bytes(states[after]), **options)
    return None


def last_weights(training):
    return training.checkpoints[max(training.checkpoints)]


def unequal(one, other):
    """The names of tensors that differ in some bit; NaN is equal to NaN."""
    assert one.keys() == other.keys()
    return [n for n, t in one.items() if not torch.equal(t.nan_to_num(), other[n].nan_to_num())]


def positions(name, scale, steps=20, weight_decay=None, **options):
    """A matrix and a vector before training and after each step, as float64.

    Gradients are random, times `scale`; all draws are the same for every scale and weight decay,
    of which None is the default of the class.
    """
    for seed in (torch.manual_seed, random.seed, np.random.seed):
        seed(3)
    generator = torch.Generator().manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(s, generator=generator)) for s in ((8, 8), (8,))]
    decay = {} if weight_decay is None else {"weight_decay": weight_decay}
    groups = [{"params": [parameter], "lr": 0.01, **decay} for parameter in parameters]
    needed = {k: v for k, v in options_of(name).items() if k != "gradient_power"}
    optimizer = class_of(name)(groups, **needed | options)
    if hasattr(optimizer, "train"):
        optimizer.train()
    yield [p.detach().double() for p in parameters]
    for _ in range(steps):
        for parameter in parameters:
            parameter.grad = scale * torch.randn(parameter.shape, generator=generator)
        closure = [lambda: torch.tensor(scale)] if name in WITH_CLOSURE else []
        optimizer.step(*closure)
        yield [p.detach().double() for p in parameters]


def sizes_of_updates(name, scale, late=10):
    """The sum of the norms of late updates of a matrix and of a vector."""
    path = list(positions(name, scale))[late:]
    moves = [[float((b - a).norm()) for a, b in zip(*pair, strict=True)] for pair in pairwise(path)]
    return [sum(sizes) for sizes in zip(*moves, strict=True)]


def measured_powers(name):
    """The power of the gradients' scale to which late updates of each parameter grow."""
    one, other = sizes_of_updates(name, 1.0), sizes_of_updates(name, 16.0)
    return [math.log(b / a, 16) for a, b in zip(one, other, strict=True)]


def shrinkages(name, scale, late=10, decay=0.1, **options):
    """How weights shrink in late steps: for a matrix and a vector, a factor and a remainder.

    The difference between runs without and with weight decay grows in a step by factor·lr·decay·w,
    and by a remainder that is no multiple of w, given relative to that.
    """
    paths = (positions(name, scale, 30, d, **options) for d in (0.0, decay))
    without, with_decay = (list(zip(*list(path)[late:], strict=True)) for path in paths)
    for free, shrunk in zip(without, with_decay, strict=True):
        grown = (free[-1] - shrunk[-1]) - (free[0] - shrunk[0])
        weights = 0.01 * decay * sum(shrunk[:-1])
        factor = float((grown * weights).sum() / weights.square().sum())
        yield factor, float((grown - factor * weights).norm() / (abs(factor) * weights.norm()))


def is_decoupled(name, **options):
    """Whether weights shrink by one multiple of lr·weight_decay·w, however large gradients are."""
    scales = (1.0, 4.0) if GRADIENT_POWERS.get(name) != 1 else (1.0,)
    found = [pair for scale in scales for pair in shrinkages(name, scale, **options)]
    factors = [factor for factor, _ in found]
    return max(r for _, r in found) < 0.05 and 0 < max(factors) < 1.1 * min(factors)
