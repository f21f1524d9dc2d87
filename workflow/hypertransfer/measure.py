"""Probes over the checkpoints of a run: the network rebuilt, its weights put in, measured."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from hypertransfer import registry
from hypertransfer.parameterisation.algebra import Parameterisation
from hypertransfer.planning import keys
from hypertransfer.probes.view import View, put
from hypertransfer.spec import RunSpec
from hypertransfer.training import build
from hypertransfer.training.loop import reproducible
from hypertransfer.training.state import PRECONDITIONER

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
    card = registry.PROBES[settings["probe"]]
    probe = registry.load("probe", f"{card.module}:Probe")(settings, seed=spec.seed)
    view = _view(spec, table, settings, device)
    out: Rows = {name: [] for name in ("step", "seconds", *card.columns, *registry.PROBED)}
    for step in settings["checkpoints"]:
        if step not in checkpoints:
            continue
        started = time.perf_counter()
        put(view.network, checkpoints[step])
        now = replace(view, step=step, preconditioner=_preconditioner(checkpoints[step], device))
        with sdpa_kernel(SDPBackend.MATH):  # the only one that can be differentiated twice
            row = {"step": step, **probe.at(now)}
        row["seconds"] = time.perf_counter() - started
        headline = next(name for name, kind in card.columns.items() if kind == "number")
        log.info("step %d: %s %s, %d products", step, headline, row[headline], row["products"])
        for name, values in out.items():
            values.append(row[name])
    return out


def _view(
    spec: RunSpec, table: Parameterisation, settings: Mapping[str, Any], device: torch.device
) -> View:
    """The run as it is before its first step."""
    data = build.data(spec).to(device)
    network, rows = build.drawn_model(spec, data, table)
    network.to(device).eval()
    samples = settings.get("samples")
    return View(
        network=network,
        loss=build.LOSSES[spec.loss],
        x=data.train_x[:samples],
        y=data.train_y[:samples],
        train_x=data.train_x,
        train_y=data.train_y,
        lr=spec.lr,
        scales={row.name: row.lr / spec.lr for row in rows},
        batch_size=spec.batch_size,
        step=0,
        initial={name: p.detach().clone() for name, p in network.state_dict().items()},
        preconditioner={},
        betas=table.betas(registry.betas(spec.optimizer), keys.ratios(spec)),
    )


def _preconditioner(kept: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    return {
        name.removeprefix(PRECONDITIONER): tensor.to(device)
        for name, tensor in kept.items()
        if name.startswith(PRECONDITIONER)
    }
