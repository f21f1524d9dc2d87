"""The training loop. Runs of one spec on one device give equal results."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from hypertransfer.data.samples import Samples, augmentation_seed, batches, curvature_seed
from hypertransfer.networks.tagged import RoleError
from hypertransfer.parameterisation.algebra import Parameterisation, Role
from hypertransfer.runs.columns import HISTORY
from hypertransfer.runs.ratios import ratios
from hypertransfer.runs.schedule import factor
from hypertransfer.runs.spec import RunSpec, Schedule
from hypertransfer.training import (
    build,
    data_checks,
    data_sets,
    imports,
    losses,
    optimizer_state,
    randomness,
    state,
)
from hypertransfer.training.evaluation import evaluate
from hypertransfer.training.extensions import Extensions
from hypertransfer.training.module_state import ModuleState
from hypertransfer.training.network_tensors import copies_of, load_tensors, tensors_of
from hypertransfer.training.settings import reproducible
from hypertransfer.training.state import State, StateError
from hypertransfer.training.stopwatch import Stopwatch
from hypertransfer.training.trial import flops_of_run

FINAL_FRACTION = 0.1  # share of a run, at its end, over which the final loss is averaged

Progress = Callable[[int, float], None]  # receives the step and the mean training loss
Save = Callable[[Callable[[], State]], None]  # receives a function that returns the state


class History(SimpleNamespace):
    """The columns of `runs.columns.HISTORY` as lists, with one entry for each recorded step.

    `train_loss` is the mean of the minibatch losses since the last record, each computed before
    its update and without the penalty of the network; at step 0, `train_loss` is the loss of the
    first minibatch. `unclipped_share` is the optimizer's share for the last update. The columns
    after `unclipped_share` are the network's statistics for the last step. A quantity that was not
    measured is NaN.
    """

    def __init__(self, **columns: list) -> None:
        if unknown := sorted(set(columns) - set(HISTORY)):
            raise TypeError(f"a history has no column {', '.join(unknown)}")
        super().__init__(**{name: columns.get(name, []) for name in HISTORY})

    def add(self, **row: float) -> None:
        """Append a row of values by column; columns without a value become NaN."""
        for name, column in vars(self).items():
            column.append(row.get(name, math.nan))


@dataclass(frozen=True)
class Training:
    """The result of a run: its summary, its history, and its weights at the checkpoints."""

    status: str  # 'finished' or 'diverged'
    steps_done: int
    final_loss: float | None  # None if diverged
    seconds: float  # of the whole loop
    optimizer_seconds: float  # part of `seconds` spent in updates
    curvature_seconds: float  # part of `seconds` spent in the optimizer's evaluations of the loss
    flops: int
    parameters: list[dict]
    history: History
    checkpoints: dict[int, dict[str, Tensor]]


class Scheduler:
    """Sets each group's learning rate to its peak times the schedule's factor."""

    def __init__(self, optimizer: torch.optim.Optimizer, schedule: Schedule, steps: int) -> None:
        self.optimizer, self.schedule, self.steps = optimizer, schedule, steps
        self.peaks = [group["lr"] for group in optimizer.param_groups]

    def before(self, step: int) -> None:
        """Set the learning rates for the next update, with `step` updates done.

        Raises:
            ValueError: the optimizer has got other groups.
        """
        found = len(self.optimizer.param_groups)
        if found != len(self.peaks):
            raise ValueError(
                f"{type(self.optimizer).__name__} has {found} parameter groups after {step} "
                f"updates, but the schedule is for the {len(self.peaks)} groups that it was made "
                "with: groups cannot be added in training"
            )
        now = factor(self.schedule, step, self.steps)
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * now


@dataclass
class Loop:
    """The training loop of one run, and all state that changes during training."""

    spec: RunSpec
    data: Samples
    model: nn.Module
    optimizer: torch.optim.Optimizer
    loss_fn: Callable
    history: History = field(default_factory=History)
    kept: dict[int, dict[str, Tensor]] = field(default_factory=dict)  # weights at checkpoints
    done: int = 0  # updates
    since: int = 0  # updates since the last record
    initial: float = math.nan  # loss of the first minibatch
    diverged: bool = False

    def __post_init__(self) -> None:
        self.started = time.perf_counter()  # minus the seconds of interrupted processes
        self.checkpoints = frozenset(self.spec.checkpoints)
        given = self.spec.order_seed  # of the order of the data, and of their augmentation
        self.order_seed = self.spec.seed if given is None else given
        self.total = torch.zeros((), device=self.data.train_x.device)  # losses since the record
        self.stopwatch = Stopwatch(self.data.train_x.device)
        self.extensions = Extensions.of(self.model, self.optimizer)
        if self.extensions.observe:  # which computes with outputs
            losses.check_of_outputs(self.loss_fn, f"the optimizer {type(self.optimizer).__name__}")
        self.scheduler = Scheduler(self.optimizer, self.spec.schedule, self.spec.steps)
        self.module_state = ModuleState(self.model)
        self.trained = {id(p) for p in self.model.parameters() if p.requires_grad}
        self.extensions.train()

    def run(self, progress: Progress | None = None, save: Save | None = None) -> None:
        """Do all remaining updates; `save` is called after each update, and may save the state."""
        spec = self.spec
        order = batches(len(self.data.train_y), spec.batch_size, self.order_seed)
        for index in itertools.islice(order, self.done, spec.steps):
            self.train_step(index)
            done = self.done
            if done % spec.log_every == 0 or done % spec.eval_every == 0 or done == spec.steps:
                self._record(progress)
                if self.diverged:
                    return
            if save:
                save(self.state)
        # Only the evaluation shows whether the last update made the network diverge.
        self.diverged = not math.isfinite(self.history.eval_loss[-1])
        # A run that diverged keeps no weights at its last step, in whatever way that was detected.
        if spec.steps in self.checkpoints and not self.diverged:
            self.kept[spec.steps] = self._snapshot()

    def train_step(self, index: Tensor) -> None:
        """One step on the samples with indices `index`: forward, backward, update."""
        if self.done in self.checkpoints:
            self.kept[self.done] = self._snapshot()
        on_the_way = self.spec.eval_every < self.spec.steps  # else the end alone is evaluated
        evaluated = self._evaluated() if on_the_way and not self.done else {}
        self.scheduler.before(self.done)
        randomness.seed(f"{self.spec.seed}/step/{self.done}")
        x, y = self._batch(index)
        self._observe(x, y)

        loss, _ = self._backward(x, y)
        if self.done == 0:
            self._record_start(loss, evaluated)

        with self.stopwatch("optimizer"):
            if self.extensions.needs_closure:
                self.optimizer.step(lambda: self._reevaluate(x, y))
            else:
                self.optimizer.step()
        self.extensions.after_update()

        self.total += loss.detach()
        self.since += 1
        self.done += 1

    def _backward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of a batch without and with the penalty; its gradients replace those before."""
        loss = self.loss_fn(losses.outputs(self.loss_fn, self.model, x, y), y)
        self.extensions.zero_grad()
        objective = loss + self.extensions.penalty()
        objective.backward()
        return loss, objective

    def _reevaluate(self, x: Tensor, y: Tensor) -> Tensor:
        """The loss with the penalty at other weights, with the step's random draws again."""
        randomness.seed(f"{self.spec.seed}/step/{self.done}")
        with torch.enable_grad():
            _, objective = self._backward(x, y)
        return objective.detach()

    def _batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs of the samples, augmented if the data set has an augmentation, and targets."""
        x = self.data.train_x[index]
        if self.data.augment:
            augmented = self.data.augment(x, augmentation_seed(self.order_seed, self.done))
            if self.done == 0:
                plain = self.data.train_x[index]
                data_checks.check_augmented(self.spec.data.name, plain, augmented)
            x = augmented
        return x, self.data.train_y[index]

    def _observe(self, x: Tensor, y: Tensor) -> None:
        """Pass the batch to an optimizer that evaluates the loss itself."""
        if self.extensions.observe:
            with self.stopwatch("curvature"):
                seed = curvature_seed(self.order_seed, self.done)
                self.extensions.observe(self.done, self.model, self.loss_fn, x, y, seed)

    def _evaluated_weights(self) -> AbstractContextManager[None]:
        """Within the context the network has the weights that are evaluated and kept."""
        return self.extensions.evaluated_weights() if self.done else nullcontext()

    def _snapshot(self) -> dict[str, Tensor]:
        with self._evaluated_weights():
            kept = copies_of(self.model)
        return {**kept, **state.preconditioner(self.model, self.optimizer)}

    def _record_start(self, loss: Tensor, evaluated: dict[str, float]) -> None:
        """Add the row of step 0 to the history."""
        self.initial = loss.item()
        row = {"step": 0, "train_loss": self.initial, **self.extensions.statistics()}
        # The loss on the test set is the reference for a divergence if the first loss is 0.
        self.history.add(**row, **(evaluated or ({} if self.initial else self._evaluated())))

    def _record(self, progress: Progress | None) -> None:
        """Add the row of the present step to the history, and detect a divergence."""
        self._check_parameters()
        mean = self.total.item() / self.since
        self.total.zero_()
        self.since = 0
        self.diverged = self._exceeds(mean)
        at_end = self.done == self.spec.steps
        due = not self.diverged and (self.done % self.spec.eval_every == 0 or at_end)
        row = {"step": self.done, "train_loss": mean, **self.extensions.statistics()}
        row["unclipped_share"] = self.extensions.unclipped_share()
        # The evaluation comes last: the values above are of the last training step.
        self.history.add(**row, **(self._evaluated() if due else {}))
        if progress:
            progress(self.done, mean)

    def _exceeds(self, mean: float) -> bool:
        """Whether a mean loss shows that the run diverged."""
        reference = self.initial or self.history.eval_loss[0]
        if not reference:
            return not math.isfinite(mean)
        return not mean <= self.spec.divergence * reference

    def _evaluated(self) -> dict[str, float]:
        """The columns of an evaluation of the present weights."""
        with self._evaluated_weights():
            loss, accuracy = evaluate(self.model, self.data, self.loss_fn)
        return {"eval_loss": loss, "eval_accuracy": accuracy}

    def _check_parameters(self) -> None:
        """Check that the network's parameters to train are still those of the optimizer.

        Raises:
            RoleError: there are others.
        """
        named = self.model.named_parameters()
        if others := [n for n, p in named if p.requires_grad and id(p) not in self.trained]:
            raise RoleError(
                f"{', '.join(others)} of {type(self.model).__name__} would be trained after "
                f"{self.done} updates, but had no gradients or did not exist when the optimizer "
                "was made: make all parameters in __init__, and set requires_grad = True there; "
                "it may become False in training, and True again"
            )

    def state(self) -> State:
        """The state of the training; a training resumed from it continues bit for bit."""
        moments, structure = optimizer_state.of_optimizer(self.optimizer)
        attributes, modules = self.module_state.changed()
        history = {
            name: torch.tensor(column, dtype=torch.float64)
            for name, column in vars(self.history).items()
        }
        parts = {
            "model": tensors_of(self.model),
            "optimizer": moments,
            "modules": attributes,
            "history": history,
            "kept": state.joined(self.kept),
            "loss": {"total": self.total, "initial": torch.tensor(self.initial).double()},
        }
        tensors = {k: v for name, part in parts.items() for k, v in state.under(name, part).items()}
        numbers = {
            "since": self.since,
            "seconds": self.elapsed(),
            "optimizer": structure,
            "modules": modules,
            "frozen": [n for n, p in self.model.named_parameters() if not p.requires_grad],
            "parts": self.stopwatch.seconds(),
        }
        return State(self.done, numbers, tensors)

    def elapsed(self) -> float:
        """Seconds of training so far, including those before an interruption."""
        return time.perf_counter() - self.started

    def resume(self, saved: State) -> None:
        """Continue from the saved state of a training of the same spec.

        Raises:
            StateError: the state does not fit this training.
        """
        try:
            load_tensors(self.model, saved.part("model"))
            self.module_state.restore(saved.part("modules"), saved.numbers["modules"])
            for name, parameter in self.model.named_parameters():
                parameter.requires_grad_(name not in saved.numbers["frozen"])
            moments, structure = saved.part("optimizer"), saved.numbers["optimizer"]
            optimizer_state.to_optimizer(self.optimizer, moments, structure)
            columns = {name: tensor.tolist() for name, tensor in saved.part("history").items()}
            self.history = History(**{**columns, "step": [int(s) for s in columns["step"]]})
            self.kept = state.by_step(saved.part("kept"))
            self.total.copy_(saved.tensors["loss/total"])
            self.initial = saved.tensors["loss/initial"].item()
            self.since, self.done = int(saved.numbers["since"]), saved.done
            self.started = time.perf_counter() - float(saved.numbers["seconds"])
            self.stopwatch.go_on(saved.numbers["parts"])
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise StateError(f"does not fit this run: {error!r}") from error


def train(
    spec: RunSpec,
    table: Parameterisation,
    *,
    device: torch.device | None = None,
    progress: Progress | None = None,
    resume: State | None = None,
    save: Save | None = None,
) -> Training:
    """Train the network of the spec under its parameterisation.

    A run diverges if its loss is not finite, or exceeds `spec.divergence` times the first loss, or
    the first loss on the test set if the first loss is 0.
    A diverged run ends early, with the status `diverged`. On a CPU, repeated calls give bit-equal
    results, whether or not a run was interrupted and resumed.

    Args:
        spec: the run.
        table: the parameterisation that the spec names.
        device: where to train; the CPU by default.
        progress: called with step and mean training loss whenever the history is recorded.
        resume: the saved state from which to continue.
        save: called after every update (see `interruption.Saver`).

    Raises:
        StateError: the saved state belongs to another training.
        ValueError: network, data set or optimizer cannot be used.
    """
    imports.import_parts(spec)
    reproducible(fill=bool(spec.import_paths))
    device = device or torch.device("cpu")
    data = data_sets.samples(spec).to(device)
    data_checks.check_augment(spec.data.name, data)
    loss_fn = imports.loss(spec)
    model, rows = build.drawn_model(spec, data, table)
    model.to(device).train()
    readout = table.rules[Role.OUTPUT].multiplier.at(ratios(spec))
    flops = flops_of_run(spec, model, data, loss_fn, readout)
    randomness.seed(f"{spec.seed}/optimizer")
    optimizer = build.optimizer(spec, model, rows)
    loop = Loop(spec, data, model, optimizer, loss_fn)
    if resume:
        loop.resume(resume)
    loop.run(progress, save)
    return Training(
        status="diverged" if loop.diverged else "finished",
        steps_done=loop.done,
        final_loss=None if loop.diverged else final_loss(loop.history, spec.steps),
        seconds=loop.elapsed(),
        optimizer_seconds=loop.stopwatch.seconds().get("optimizer", 0.0),
        curvature_seconds=loop.stopwatch.seconds().get("curvature", 0.0),
        flops=flops * loop.done,
        parameters=[row.plain() for row in rows],
        history=loop.history,
        checkpoints=loop.kept,
    )


def final_loss(history: History, steps: int) -> float:
    """Mean of the recorded training losses in the last tenth of the steps."""
    late = [
        loss
        for step, loss in zip(history.step, history.train_loss, strict=True)
        if step > steps * (1 - FINAL_FRACTION)
    ]
    return math.fsum(late) / len(late)
