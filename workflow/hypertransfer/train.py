"""The training engine: one run of one spec, deterministic for its seed on one device."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hypertransfer import build
from hypertransfer.data.images import Images, batches
from hypertransfer.scaling import Parameterisation
from hypertransfer.spec import RunSpec

FINAL_FRACTION = 0.1  # the final loss is the mean training loss over this last part of a run
EVAL_BATCH = 2000

Progress = Callable[[int, float], None]


@dataclass
class History:
    """Columns over the recorded steps; NaN where a quantity was not measured.

    `train_loss` at step t is the mean minibatch loss of the steps since the last record, each
    taken before its update; at step 0 it is the loss of the first minibatch.
    """

    step: list[int] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    eval_loss: list[float] = field(default_factory=list)
    eval_accuracy: list[float] = field(default_factory=list)

    def add(
        self, step: int, train_loss: float, evaluated: tuple[float, float] | None = None
    ) -> None:
        """One row."""
        self.step.append(step)
        self.train_loss.append(train_loss)
        loss, accuracy = evaluated or (math.nan, math.nan)
        self.eval_loss.append(loss)
        self.eval_accuracy.append(accuracy)


@dataclass(frozen=True)
class Training:
    """What a run leaves: its record, its history, and its weights at the checkpoints."""

    status: str  # 'finished' or 'diverged'
    steps_done: int
    final_loss: float | None  # None if diverged
    seconds: float
    flops: int
    parameters: list[dict]
    history: History
    checkpoints: dict[int, dict[str, Tensor]]


def reproducible() -> None:
    """Make torch deterministic and single-threaded, so that a seed means one result."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False


@torch.no_grad()
def evaluate(model: nn.Module, data: Images, loss_fn: Callable) -> tuple[float, float]:
    """Mean loss and accuracy on the evaluation set."""
    model.eval()
    loss = correct = 0.0
    for x, y in zip(data.test_x.split(EVAL_BATCH), data.test_y.split(EVAL_BATCH), strict=True):
        output = model(x)
        loss += loss_fn(output, y).item() * len(y)
        correct += (output.argmax(1) == y).sum().item()
    model.train()
    return loss / len(data.test_y), correct / len(data.test_y)


def step_flops(model: nn.Module, loss_fn: Callable, x: Tensor, y: Tensor) -> int:
    """Floating-point operations of one forward and backward pass, counted by torch."""
    with FlopCounterMode(display=False) as counter:
        loss_fn(model(x), y).backward()
    model.zero_grad(set_to_none=True)
    return counter.get_total_flops()


class Warmup:
    """Linear warm-up to each group's own learning rate, then constant."""

    def __init__(self, optimizer: torch.optim.Optimizer, steps: int) -> None:
        self.optimizer, self.steps = optimizer, steps
        self.peaks = [group["lr"] for group in optimizer.param_groups]

    def before(self, step: int) -> None:
        """Set the learning rates for the update that follows `step` earlier ones."""
        if step < self.steps:
            for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
                group["lr"] = peak * (step + 1) / self.steps
        elif step == self.steps:
            for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
                group["lr"] = peak


def train(
    spec: RunSpec,
    table: Parameterisation,
    *,
    device: torch.device | None = None,
    progress: Progress | None = None,
) -> Training:
    """Train the network of the spec under its table.

    Divergence (a loss that is not finite, or above `divergence` times the first) ends the run
    early and is a result, not an error. Bit-equal from call to call on a CPU.
    """
    reproducible()
    device = device or torch.device("cpu")
    data = build.data(spec).to(device)
    loss_fn = build.LOSSES[spec.loss]
    model, rows = build.drawn_model(spec, data, table)
    model.to(device).train()
    optimizer = build.optimizer(spec, model, rows)
    first = slice(0, spec.batch_size)
    flops = step_flops(model, loss_fn, data.train_x[first], data.train_y[first])
    started = time.perf_counter()
    history, kept, done, diverged = _loop(spec, data, model, optimizer, loss_fn, progress)
    return Training(
        status="diverged" if diverged else "finished",
        steps_done=done,
        final_loss=None if diverged else final_loss(history, spec.steps),
        seconds=time.perf_counter() - started,
        flops=flops * done,
        parameters=[row.plain() for row in rows],
        history=history,
        checkpoints=kept,
    )


def _loop(
    spec: RunSpec,
    data: Images,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_fn: Callable,
    progress: Progress | None,
) -> tuple[History, dict[int, dict[str, Tensor]], int, bool]:
    """The updates: history, weights at the checkpoints, steps done, whether it diverged."""
    seed = spec.seed if spec.order_seed is None else spec.order_seed
    order = batches(len(data.train_y), spec.batch_size, seed)
    warmup = Warmup(optimizer, spec.schedule.warmup)
    history, kept, wanted = History(), {}, set(spec.checkpoints)
    total, since, initial = torch.zeros((), device=data.train_x.device), 0, math.nan
    for step, index in enumerate(itertools.islice(order, spec.steps)):
        if step in wanted:
            kept[step] = weights(model)
        warmup.before(step)
        loss = loss_fn(model(data.train_x[index]), data.train_y[index])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if step == 0:
            initial = loss.item()
            history.add(0, initial, evaluate(model, data, loss_fn))
        optimizer.step()
        total += loss.detach()
        since += 1
        done = step + 1
        if done % spec.log_every and done % spec.eval_every and done != spec.steps:
            continue
        mean = total.item() / since
        total.zero_()
        since = 0
        diverged = not mean <= spec.divergence * initial
        due = not diverged and (done % spec.eval_every == 0 or done == spec.steps)
        history.add(done, mean, evaluate(model, data, loss_fn) if due else None)
        if progress:
            progress(done, mean)
        if diverged:
            return history, kept, done, True
    if spec.steps in wanted:
        kept[spec.steps] = weights(model)
    # the last update may still have blown up: its loss shows in the evaluation only
    return history, kept, spec.steps, not math.isfinite(history.eval_loss[-1])


def weights(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the weights on the CPU."""
    return {
        name: p.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, p in model.named_parameters()
    }


def final_loss(history: History, steps: int) -> float:
    """Mean training loss over the last tenth of the steps, in windows of the log."""
    late = [
        loss
        for step, loss in zip(history.step, history.train_loss, strict=True)
        if step > steps * (1 - FINAL_FRACTION)
    ]
    return math.fsum(late) / len(late)
