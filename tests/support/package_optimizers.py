"""Every optimizer class of torch.optim and pytorch_optimizer, and short runs with each."""

from __future__ import annotations

import importlib
import math
import random

import numpy as np
import torch

from hypertransfer.catalogue import complete, lookup
from hypertransfer.catalogue.cards.package_optimizers import (
    GRADIENT_POWERS,
    NEEDED_OPTIONS,
    PACKAGES,
    REFUSED,
)
from hypertransfer.training.build import WITH_CLOSURE
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


def sizes_of_updates(name, scale, steps=20, late=10):
    """The sum of the norms of late updates of a matrix and of a vector.

    Gradients are random, times `scale`; all draws are the same for every scale.
    """
    for seed in (torch.manual_seed, random.seed, np.random.seed):
        seed(3)
    generator = torch.Generator().manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(s, generator=generator)) for s in ((8, 8), (8,))]
    groups = [{"params": [parameter], "lr": 0.01} for parameter in parameters]
    options = {k: v for k, v in options_of(name).items() if k != "gradient_power"}
    optimizer = class_of(name)(groups, **options)
    if hasattr(optimizer, "train"):
        optimizer.train()
    sums = [0.0, 0.0]
    for step in range(steps):
        before = [p.detach().clone() for p in parameters]
        for parameter in parameters:
            parameter.grad = scale * torch.randn(parameter.shape, generator=generator)
        closure = [lambda: torch.tensor(scale)] if name in WITH_CLOSURE else []
        optimizer.step(*closure)
        if step >= late:
            moves = zip(parameters, before, strict=True)
            sizes = [float((p.detach() - b).norm()) for p, b in moves]
            sums = [total + size for total, size in zip(sums, sizes, strict=True)]
    return sums


def measured_powers(name):
    """The power of the gradients' scale to which late updates of each parameter grow."""
    one, other = sizes_of_updates(name, 1.0), sizes_of_updates(name, 16.0)
    return [math.log(b / a, 16) for a, b in zip(one, other, strict=True)]
