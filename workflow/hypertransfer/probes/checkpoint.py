"""Probe a run at its checkpoints: the view that a probe receives, and the rows that it returns.

`measure` builds the run's network, loads the weights of one checkpoint after another, and calls
the probe named in the settings with a `View` of each.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from hypertransfer.catalogue import lookup
from hypertransfer.catalogue.cards import optimizers, probes
from hypertransfer.catalogue.module_source import PACKAGE
from hypertransfer.curvature.operators import HessianOperator, Landscape
from hypertransfer.parameterisation.algebra import Parameterisation
from hypertransfer.runs import ratios
from hypertransfer.runs.spec import RunSpec
from hypertransfer.training import build, data_sets, imports, losses, randomness
from hypertransfer.training.network_tensors import evaluating, load_tensors, tensors_of
from hypertransfer.training.settings import reproducible
from hypertransfer.training.state import PRECONDITIONER

CHUNK = 1024  # samples whose autograd graph is in memory at once

Columns = dict[str, list]  # values by column, one value for each checkpoint


@dataclass(frozen=True)
class View:
    """A run at one checkpoint.

    Attributes:
        network: the network with the weights of the checkpoint, in evaluation mode.
        loss: the loss function `loss(outputs, targets)`, a mean over samples, or a training step
            (`training.losses.outputs`).
        x, y: the fixed samples of the probe, the first ones of `train_x` and `train_y`.
        train_x, train_y: the training set.
        lr: the global learning rate.
        scales: learning rate of each parameter divided by `lr`, by name: the diagonal of S.
        batch_size: the batch size of the run.
        step: the step of the checkpoint.
        initial: the weights before the first step, by name, as the training mode has them.
        preconditioner: Adam's √v̂ + ε of each trained parameter, by name; empty at step 0 and for
            optimizers without second moments.
        betas: the betas of the optimizer.
        make_optimizer: returns the optimizer of the run, before its first step, for a network of
            the same shapes.
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
    make_optimizer: Callable[[nn.Module], torch.optim.Optimizer] | None = None

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """The trained parameters by name."""
        return {n: p for n, p in self.network.named_parameters() if p.requires_grad}

    @property
    def factors(self) -> list[float]:
        """The diagonal of S, with one number for each trained parameter tensor."""
        return [self.scales[name] for name in self.parameters]

    def mean_loss(self, x: Tensor, y: Tensor) -> Tensor:
        """The mean loss over the samples (x, y)."""
        return self.loss(losses.outputs(self.loss, self.network, x, y), y)

    def landscape(self, x: Tensor | None = None, y: Tensor | None = None) -> Landscape:
        """The mean loss over the probe's samples, or over the samples (x, y)."""
        x, y = (self.x, self.y) if x is None or y is None else (x, y)
        return Landscape(
            outputs=lambda rows: losses.outputs(self.loss, self.network, x[rows], y[rows]),
            loss=lambda output, rows: self.loss(output, y[rows]),
            parameters=list(self.parameters.values()),
            samples=len(y),
            chunk_size=CHUNK,
        )

    def hessian(self) -> HessianOperator:
        """The operator S^½ H S^½, with the Hessian H of the mean loss on the probe's samples."""
        return HessianOperator(self.landscape(), self.factors)

    @contextmanager
    def at_start(self) -> Iterator[None]:
        """In the `with` block, the network has its initial weights."""
        weights = {n: t.detach().clone() for n, t in tensors_of(self.network).items()}
        load_weights(self.network, self.initial)
        try:
            yield
        finally:
            load_tensors(self.network, weights)  # those of the evaluation mode, as they were


class Probe(Protocol):
    """The interface of the class `Probe` that each module of a probe defines."""

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        """Create the probe for one run; `seed`, the seed of the run, seeds random draws."""

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table: the columns of its card and `cards.probes.PROBED`.

        Called once for each checkpoint, in the order of the settings.
        """


def measure(
    spec: RunSpec,
    table: Parameterisation,
    checkpoints: Mapping[int, Mapping[str, Tensor]],
    settings: Mapping[str, Any],
    device: torch.device,
    log: logging.Logger,
) -> Columns:
    """The table of one probe, with one row for each step in its settings.

    The columns are `step`, `seconds`, those of the probe's card, and `cards.probes.PROBED`. The
    fixed samples are the first `samples` of the training set, the same for every run and step.
    Steps that a diverged run did not reach have no row.

    Args:
        spec: the run.
        table: the parameterisation of the run.
        checkpoints: weights and preconditioners by name, for each step, as training keeps them.
        settings: the complete settings of the probe, with its kind as `probe`.
        device: the device that computes.
        log: receives one line for each checkpoint.
    """
    imports.import_parts(spec)
    card = probes.PROBES[settings["probe"]]
    of_library = card.module.startswith(f"{PACKAGE}.")
    reproducible(fill=bool(spec.import_paths) or not of_library)
    probe: Probe = lookup.load("probe", f"{card.module}:Probe")(settings, seed=spec.seed)
    start = initial_view(spec, table, settings, device)
    headline = next(name for name, kind in card.columns.items() if kind == "number")
    columns: Columns = {name: [] for name in ("step", "seconds", *card.columns, *probes.PROBED)}
    for step in settings["checkpoints"]:
        if step not in checkpoints:
            continue
        started = time.perf_counter()
        view = at_checkpoint(start, step, checkpoints[step])
        randomness.seed(f"{spec.seed}/probe/{step}")
        # The only backend of attention that can be differentiated twice.
        with evaluating(view.network), sdpa_kernel(SDPBackend.MATH):
            row = {"step": step, **probe.at(view)}
        row["seconds"] = time.perf_counter() - started
        log.info("step %d: %s %s, %d products", step, headline, row[headline], row["products"])
        for name, values in columns.items():
            values.append(row[name])
    return columns


def initial_view(
    spec: RunSpec, table: Parameterisation, settings: Mapping[str, Any], device: torch.device
) -> View:
    """The view of a run before its first step.

    Raises:
        ValueError: the settings ask for more training samples than there are, or for outputs that
            a training step does not return.
    """
    loss, card = imports.loss(spec), probes.PROBES[settings["probe"]]
    if card.of_outputs:
        losses.check_of_outputs(loss, f"the probe {settings['probe']}")
    data = data_sets.samples(spec).to(device)
    network, rows = build.drawn_model(spec, data, table)
    network.to(device).train()
    initial = {name: t.detach().clone() for name, t in tensors_of(network).items()}
    network.eval()
    samples, available = settings.get("samples"), len(data.train_x)
    if card.lacks_samples(settings, available):
        text = (
            f"{spec.data.name} has {available} training samples, and the probe asks for {samples}"
        )
        raise ValueError(f"{text}: lower samples")
    return View(
        network=network,
        loss=loss,
        x=data.train_x[:samples],
        y=data.train_y[:samples],
        train_x=data.train_x,
        train_y=data.train_y,
        lr=spec.lr,
        scales={row.name: row.lr / spec.lr for row in rows},
        batch_size=spec.batch_size,
        step=0,
        initial=initial,
        preconditioner={},
        betas=table.betas(optimizers.betas(spec.optimizer), ratios.ratios(spec)),
        make_optimizer=lambda other: build.optimizer(spec, other, rows),
    )


def at_checkpoint(view: View, step: int, kept: Mapping[str, Tensor]) -> View:
    """The view at another step. The weights are loaded into the network that both views share."""
    load_weights(view.network, kept)
    device = view.x.device
    preconditioner = {
        name.removeprefix(PRECONDITIONER): tensor.to(device)
        for name, tensor in kept.items()
        if name.startswith(PRECONDITIONER)
    }
    return replace(view, step=step, preconditioner=preconditioner)


def load_weights(network: nn.Module, kept: Mapping[str, Tensor]) -> None:
    """Give the network the weights that a checkpoint keeps beside preconditioners.

    Checkpoints hold the weights of the training mode, which a network may change for evaluation.
    The network is in evaluation mode, before and afterwards.

    Raises:
        ValueError: the weights are of another network.
    """
    network.train()
    load_tensors(network, {n: t for n, t in kept.items() if not n.startswith(PRECONDITIONER)})
    network.eval()
