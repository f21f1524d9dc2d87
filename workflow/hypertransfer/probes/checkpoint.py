"""A run's network at a checkpoint, as probes see it, and the rows that a probe measures there."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from hypertransfer.catalogue import lookup
from hypertransfer.catalogue.cards import optimizers, probes
from hypertransfer.curvature.operators import HessianOperator, Landscape
from hypertransfer.parameterisation.algebra import Parameterisation
from hypertransfer.runs import ratios
from hypertransfer.runs.spec import RunSpec
from hypertransfer.training import build, losses
from hypertransfer.training.loop import reproducible
from hypertransfer.training.state import PRECONDITIONER

CHUNK = 1024  # samples whose graph is held at once


@dataclass(frozen=True)
class View:
    """A run at one checkpoint.

    `loss(output, target)` is a mean over samples. `x` and `y` are the fixed samples of the
    probe, the first of the training set `train_x`, `train_y`. `scales` is each trained
    parameter's learning rate over the global one, `lr`: the diagonal of S. `preconditioner`
    holds Adam's √v̂ + ε of each trained parameter (none at step 0, or with another optimizer).
    """

    network: nn.Module
    loss: Callable[[Tensor, Tensor], Tensor]
    x: Tensor
    y: Tensor
    train_x: Tensor
    train_y: Tensor
    lr: float
    scales: Mapping[str, float]
    batch_size: int
    step: int
    initial: Mapping[str, Tensor]
    preconditioner: Mapping[str, Tensor]
    betas: tuple[float, ...] = (0.9, 0.999)

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """The trained parameters by name."""
        return {n: p for n, p in self.network.named_parameters() if p.requires_grad}

    @property
    def factors(self) -> list[float]:
        """S, a number for each trained parameter."""
        return [self.scales[name] for name in self.parameters]

    def landscape(self, x: Tensor | None = None, y: Tensor | None = None) -> Landscape:
        """The mean loss over the probe's samples, or over others."""
        x, y = (self.x, self.y) if x is None or y is None else (x, y)
        return Landscape(
            outputs=lambda rows: self.network(x[rows]),
            loss=lambda output, rows: self.loss(output, y[rows]),
            parameters=list(self.parameters.values()),
            samples=len(y),
            chunk_size=CHUNK,
        )

    def hessian(self) -> HessianOperator:
        """S^½ H S^½ on the probe's samples."""
        return HessianOperator(self.landscape(), self.factors)

    @contextmanager
    def at_start(self) -> Iterator[None]:
        """The network with its initial weights, for a while."""
        now = {name: p.detach().clone() for name, p in self.network.state_dict().items()}
        put(self.network, self.initial)
        try:
            yield
        finally:
            put(self.network, now)


@torch.no_grad()
def put(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give the network weights by name, all of them."""
    for name, tensor in network.state_dict().items():
        tensor.copy_(weights[name])


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
    card = probes.PROBES[settings["probe"]]
    probe = lookup.load("probe", f"{card.module}:Probe")(settings, seed=spec.seed)
    view = _view(spec, table, settings, device)
    out: Rows = {name: [] for name in ("step", "seconds", *card.columns, *probes.PROBED)}
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
        loss=losses.LOSSES[spec.loss],
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
        betas=table.betas(optimizers.betas(spec.optimizer), ratios.ratios(spec)),
    )


def _preconditioner(kept: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    return {
        name.removeprefix(PRECONDITIONER): tensor.to(device)
        for name, tensor in kept.items()
        if name.startswith(PRECONDITIONER)
    }
