"""Short runs, and what probes measure on them."""

from __future__ import annotations

import logging

import torch
from torch import nn

from hypertransfer.catalogue import complete, lookup
from hypertransfer.catalogue.cards import probes
from hypertransfer.catalogue.options import completed
from hypertransfer.probes import checkpoint, turns
from hypertransfer.runs.spec import RunSpec
from hypertransfer.training import build, data_sets
from hypertransfer.training.loop import train

LOG = logging.getLogger(__name__)


def spec(**values) -> RunSpec:
    """A small residual MLP on digits."""
    return complete.run_spec(
        {
            "model": "residual_mlp",
            "data": {"name": "digits", "train": 200, "test": 50},
            "base": {"width": 1, "depth": 1},
            "shape": {"width": 6, "depth": 2},
            "weights": "unit",
            "parameterisation": "mup",
            "optimizer": "sgd",
            "lr": 0.3,
            "batch_size": 50,
            "steps": 8,
            "seed": 1,
            "log_every": 4,
            "checkpoints": [0, 4, 8],
            **values,
        }
    )


CPU = torch.device("cpu")


def measured(
    run: RunSpec, probe: str, weights: dict, *, device: torch.device = CPU, **settings
) -> dict[str, list]:
    """The table of a probe on the weights of a run, by step; other settings have their defaults."""
    own = {"probe": probe, "checkpoints": list(weights), **settings}
    full = completed(probes.PROBES[probe].settings, own)
    if probes.PROBES[probe].timed:
        return turns.measure([turns.Rival(run, lookup.table(run), weights, full, device)], LOG)[0]
    return checkpoint.measure(run, lookup.table(run), weights, full, device, LOG)


def probed(run: RunSpec, probe: str, **settings) -> dict[str, list]:
    """Train a run, and measure the probe at its checkpoints."""
    return measured(run, probe, train(run, lookup.table(run)).checkpoints, **settings)


def dense(run: RunSpec, step: int, samples: int) -> tuple[torch.Tensor, torch.Tensor, list]:
    """The full Hessian and the gradient at a checkpoint, and a list of three.

    The list has the relative learning rate of each entry, the weights that were kept, and the
    names of the parameters.
    """
    table = lookup.table(run)
    kept = train(run, table).checkpoints[step]
    data = data_sets.samples(run)
    network, rows = build.drawn_model(run, data, table)
    names = [name for name, _ in network.named_parameters()]
    sizes = [kept[name].shape for name in names]

    def loss(flat):
        pieces = flat.split([s.numel() for s in sizes])
        named = {n: p.view(s) for n, p, s in zip(names, pieces, sizes, strict=True)}
        output = torch.func.functional_call(network.eval(), named, (data.train_x[:samples],))
        return nn.functional.cross_entropy(output, data.train_y[:samples])

    flat = torch.cat([kept[name].reshape(-1) for name in names])
    lr = {row.name: row.lr / run.lr for row in rows}
    scale = torch.cat([torch.full((s.numel(),), lr[n]) for n, s in zip(names, sizes, strict=True)])
    return torch.func.hessian(loss)(flat), torch.func.grad(loss)(flat), [scale, kept, names]


def linear(width: int, parameterisation: str, **values) -> RunSpec:
    """A linear network on Gaussian regression."""
    return spec(
        **{
            "model": "linear",
            "data": "gaussian_regression",
            "loss": "mse",
            "batch_size": 64,
            "shape": {"width": width, "depth": 1},
            "lr": 0.06,
            "steps": 60,
            "parameterisation": parameterisation,
            "checkpoints": [0, 20, 60],
            **values,
        }
    )
