"""A spec turned into the objects that it names: network, optimizer, data, device."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor, nn

from hypertransfer.catalogue import lookup
from hypertransfer.catalogue.cards import optimizers
from hypertransfer.data.samples import Samples
from hypertransfer.networks.layers import Embedding
from hypertransfer.networks.resolve import Base, Draw, ParameterRow, Tagged, apply, groups, resolve
from hypertransfer.parameterisation.algebra import Parameterisation, Role
from hypertransfer.runs.canonical import canonical
from hypertransfer.runs.ratios import ratios
from hypertransfer.runs.spec import RunSpec

READOUT = (Role.OUTPUT.value, Role.READOUT_BIAS.value)
EPS = 1e-8  # torch's default for Adam, at the base shape


def device(name: str) -> torch.device:
    """`auto` is the first GPU where there is one, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def model(spec: RunSpec, input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """The network of the spec, for inputs and classes such as its data have; not yet drawn."""
    make = lookup.load("model", lookup.import_path("model", spec.model.name))
    granularity = spec.shape.granularity
    finer = {"granularity": granularity} if granularity > 1 else {}  # of models with experts
    return make(
        width=spec.shape.width,
        depth=spec.shape.depth,
        input_shape=input_shape,
        classes=classes,
        **finer,
        **spec.model.options,
    )


def base(spec: RunSpec) -> Base:
    """The spec's hyperparameters at the base shape."""
    return Base(
        lr=spec.lr,
        weight_decay=spec.weight_decay,
        eps=float(spec.optimizer.options.get("eps", EPS)),
        betas=optimizers.betas(spec.optimizer),
        weights=spec.weights,
        multipliers=spec.multipliers,
    )


def rows(spec: RunSpec, network: nn.Module, table: Parameterisation) -> list[ParameterRow]:
    """One row per parameter: how the table treats it at this shape."""
    return resolve(network, table, ratios(spec), base(spec))


def drawn_model(
    spec: RunSpec, data: Samples, table: Parameterisation
) -> tuple[nn.Module, list[ParameterRow]]:
    """The network with its multipliers set and its weights drawn from the spec's seed.

    Images lie channels-last, which makes convolutions and pooling some three times as fast.
    """
    network = model(spec, tuple(data.train_x.shape[1:]), data.classes)
    network.to(memory_format=torch.channels_last)
    parameter_rows = rows(spec, network, table)
    draw = _boundary(spec) if spec.weights == "boundary" else None
    apply(network, parameter_rows, table, ratios(spec), spec.seed, base(spec), draw)
    if draw:
        parameter_rows = list(_as_drawn(network, parameter_rows))
    _freeze(spec, network, parameter_rows)
    return network, parameter_rows


def _boundary(spec: RunSpec) -> Draw:
    """Draws on the boundaries of the balls of the optimizer's norms."""
    options = optimizers.fixed(spec.optimizer) | dict(spec.optimizer.options)
    module = lookup.import_path("optimizer", spec.optimizer.name).partition(":")[0]
    boundary = lookup.load("optimizer", f"{module}:boundary")
    drawn = boundary(options["preset"], options["norms"], options["radii"])

    def draw(tagged: Tagged, generator: torch.Generator) -> Tensor | None:
        one_hot = isinstance(tagged.module, Embedding)
        return drawn(tagged.role, one_hot, tuple(tagged.parameter.shape), generator)

    return draw


def _as_drawn(network: nn.Module, parameter_rows: list[ParameterRow]) -> Iterator[ParameterRow]:
    """Rows that say how large the weights came out, where no Gaussian was drawn."""
    parameters = dict(network.named_parameters())
    for row in parameter_rows:
        found = float(parameters[row.name].detach().square().mean().sqrt())
        yield replace(row, init_std=found) if row.init_std > 0 else row


def _freeze(spec: RunSpec, network: nn.Module, parameter_rows: list[ParameterRow]) -> None:
    """Leave only the readout to training, where the spec says so."""
    roles = {row.name: row.role for row in parameter_rows}
    for name, parameter in network.named_parameters():
        trained = spec.trained == "all" or roles[name] in READOUT
        parameter.requires_grad_(trained)


def optimizer(
    spec: RunSpec, network: nn.Module, parameter_rows: list[ParameterRow]
) -> torch.optim.Optimizer:
    """The spec's optimizer over groups of equal hyperparameters."""
    make = lookup.load("optimizer", lookup.import_path("optimizer", spec.optimizer.name))
    ours = ("gradient_power", "betas")  # what the groups say, or resolve needs
    given = optimizers.fixed(spec.optimizer) | dict(spec.optimizer.options)
    options = {k: v for k, v in given.items() if k not in ours}
    trained = {name for name, p in network.named_parameters() if p.requires_grad}
    given_groups = groups(network, [r for r in parameter_rows if r.name in trained])
    if not lookup.of_package(spec.optimizer):
        return make(given_groups, **options)
    # A package's own defaults stay, but for what the table scales and the config gives.
    scaled = {"params", "lr", "weight_decay", *({"betas", "eps"} & set(given))}
    own = [{k: v for k, v in group.items() if k in scaled} for group in given_groups]
    return make(own, **{k: v for k, v in options.items() if k not in scaled})


def data(spec: RunSpec) -> Samples:
    """The data of the spec, checked; kept in memory for the next run of the same data."""
    return _data(lookup.import_path("data", spec.data.name), canonical(dict(spec.data.options)))


@lru_cache(maxsize=2)
def _data(path: str, options: str) -> Samples:
    return lookup.load("data", path)(**json.loads(options))
