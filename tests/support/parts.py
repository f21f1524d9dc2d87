"""Parts with the defaults of their cards, for tests that build them without a run's spec."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import Optimizer

from hypertransfer.catalogue import lookup
from hypertransfer.catalogue.cards import datasets
from hypertransfer.catalogue.cards.networks import MODELS
from hypertransfer.catalogue.cards.optimizers import OPTIMIZERS
from hypertransfer.catalogue.options import defaults
from hypertransfer.data.samples import Samples


def network(name: str, **arguments: Any) -> nn.Module:
    """A network by its name in configs."""
    make = lookup.load("model", MODELS[name].path)
    return make(**{**defaults(MODELS[name].options), **arguments})


def optimizer(name: str, groups: list[dict], **options: Any) -> Optimizer:
    """An optimizer by its name in configs, over groups that hold `betas` where it has any."""
    card = OPTIMIZERS[name]
    usual = {k: v for k, v in defaults(card.options).items() if k != "betas"}
    return lookup.load("optimizer", card.path)(groups, **{**usual, **card.fixed, **options})


def samples(name: str, **options: Any) -> Samples:
    """A data set by its name in configs."""
    return lookup.load("data", datasets.card(name).module)(**datasets.completed(name, options))
