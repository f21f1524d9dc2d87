"""Probes over the checkpoints of a run: the network rebuilt, its weights put in, measured."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hypertransfer import build, registry
from hypertransfer.resolve import ParameterRow
from hypertransfer.scaling import Parameterisation
from hypertransfer.spec import RunSpec
from hypertransfer.train import reproducible

Rows = dict[str, list]


def measure(
    spec: RunSpec,
    table: Parameterisation,
    checkpoints: Mapping[int, Mapping[str, Tensor]],
    settings: Mapping[str, Any],
    device: torch.device,
    log: logging.Logger,
) -> Rows:
    """Columns of one probe over the checkpoints at the steps that its settings name.

    Samples are the first `samples` of the training set, the same for every run and step; the
    network is in evaluation mode. Steps that a diverged run never reached have no row.
    """
    reproducible()
    data = build.data(spec).to(device)
    network, rows = build.drawn_model(spec, data, table)
    network.to(device).eval()
    x, y = data.train_x[: settings["samples"]], data.train_y[: settings["samples"]]
    loss_fn = build.LOSSES[spec.loss]
    probe = registry.load("probe", f"{registry.PROBES[settings['probe']].module}:Probe")(
        settings, scales(spec, network, rows), seed=spec.seed
    )
    out: Rows = {}
    for step in settings["checkpoints"]:
        if step not in checkpoints:
            continue
        started = time.perf_counter()
        put_weights(network, checkpoints[step])
        row = probe.at(network, lambda model, xs, ys: loss_fn(model(xs), ys), x, y, lr=spec.lr)
        row |= {"step": step, "seconds": time.perf_counter() - started}
        log.info("step %d: λ %.4g, %d products", step, row["scaled_sharpness"], row["products"])
        for name, value in row.items():
            out.setdefault(name, []).append(value)
    return out or {name: [] for name in probe.COLUMNS}


def scales(spec: RunSpec, network: nn.Module, rows: list[ParameterRow]) -> list[float]:
    """Each parameter's learning rate over the global one: the diagonal of S."""
    lr = {row.name: row.lr / spec.lr for row in rows}
    return [lr[name] for name, _ in network.named_parameters()]


def put_weights(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load a checkpoint into the network, whole."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(state[name])


def is_uniform(values: list[float]) -> bool:
    """Whether all learning-rate factors agree, so that S is a number."""
    return all(math.isclose(value, values[0], rel_tol=1e-12) for value in values)
