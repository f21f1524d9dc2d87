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

from hypertransfer.data.samples import Samples, augmentation_seed, batches, curvature_seed
from hypertransfer.parameterisation.algebra import Parameterisation
from hypertransfer.runs.schedule import factor
from hypertransfer.runs.spec import RunSpec, Schedule
from hypertransfer.training import build, losses, state
from hypertransfer.training.state import State, StateError
from hypertransfer.training.stopwatch import Stopwatch

FINAL_FRACTION = 0.1  # the final loss is the mean training loss over this last part of a run
EVAL_BATCH = 2000  # samples at once, or tokens of a text

Progress = Callable[[int, float], None]
Save = Callable[[Callable[[], State]], None]  # is given a way to take the state, and may use it


@dataclass
class History:
    """Columns over the recorded steps; NaN where a quantity was not measured.

    `train_loss` at step t is the mean minibatch loss of the steps since the last record, each
    taken before its update; at step 0 it is the loss of the first minibatch. What a router adds to
    the loss is not in it. `unclipped_share` is what an optimizer that clips its entries says of its
    last update, the columns after it what routers say of the last step (means over blocks): the
    largest expert's load over the mean, the entropy of the scores over that of even ones, the share
    of choices that found no room.
    """

    step: list[int] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    eval_loss: list[float] = field(default_factory=list)
    eval_accuracy: list[float] = field(default_factory=list)
    unclipped_share: list[float] = field(default_factory=list)
    load_imbalance: list[float] = field(default_factory=list)
    router_entropy: list[float] = field(default_factory=list)
    dropped_share: list[float] = field(default_factory=list)

    def add(
        self, step: int, train_loss: float, evaluated: tuple[float, float] | None = None,
        **said: float,
    ) -> None:  # fmt: skip
        """One row; `said` are the columns of the optimizer and of routers."""
        loss, accuracy = evaluated or (math.nan, math.nan)
        row = {"step": step, "train_loss": train_loss, "eval_loss": loss,
               "eval_accuracy": accuracy, **said}  # fmt: skip
        for name, column in vars(self).items():
            column.append(row.get(name, math.nan))


@dataclass(frozen=True)
class Training:
    """What a run leaves: its record, its history, and its weights at the checkpoints."""

    status: str  # 'finished' or 'diverged'
    steps_done: int
    final_loss: float | None  # None if diverged
    seconds: float
    optimizer_seconds: float  # of these, in updates
    curvature_seconds: float  # of these, in the optimizer's own looks at the loss
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
def evaluate(model: nn.Module, data: Samples, loss_fn: Callable) -> tuple[float, float]:
    """Mean loss and accuracy on the evaluation set; accuracy is 0 where there are no classes."""
    model.eval()
    loss = correct = 0.0
    places = data.test_y[0].numel()  # of a sample: 1, or the tokens of a text
    size = max(1, EVAL_BATCH // places)
    for x, y in zip(data.test_x.split(size), data.test_y.split(size), strict=True):
        output = model(x)
        loss += loss_fn(output, y).item() * y.numel()
        if not y.is_floating_point():
            correct += (output.argmax(-1) == y).sum().item()
    model.train()
    return loss / data.test_y.numel(), correct / data.test_y.numel()


def sample_flops(model: nn.Module, loss_fn: Callable, x: Tensor, y: Tensor) -> int:
    """Floating-point operations of a forward and backward pass of one sample, counted by torch."""
    with FlopCounterMode(display=False) as counter:
        loss_fn(model(x), y).backward()
    model.zero_grad(set_to_none=True)
    return counter.get_total_flops()


class Scheduler:
    """Each group's own learning rate times the schedule's factor."""

    def __init__(self, optimizer: torch.optim.Optimizer, schedule: Schedule, steps: int) -> None:
        self.optimizer, self.schedule, self.steps = optimizer, schedule, steps
        self.peaks = [group["lr"] for group in optimizer.param_groups]

    def before(self, step: int) -> None:
        """Set the learning rates for the update that follows `step` earlier ones."""
        now = factor(self.schedule, step, self.steps)
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * now


@dataclass
class Loop:
    """The updates of one run: everything that changes while it trains."""

    spec: RunSpec
    data: Samples
    model: nn.Module
    optimizer: torch.optim.Optimizer
    loss_fn: Callable
    history: History = field(default_factory=History)
    kept: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    done: int = 0
    since: int = 0  # updates since the last record
    initial: float = math.nan  # loss of the first minibatch
    diverged: bool = False

    def __post_init__(self) -> None:
        self.started = time.perf_counter()  # earlier by what interrupted processes spent
        self.wanted = frozenset(self.spec.checkpoints)
        self.total = torch.zeros((), device=self.data.train_x.device)  # of losses since then
        self.stopwatch = Stopwatch(self.data.train_x.device)
        self.look = getattr(self.optimizer, "look", None)  # of an optimizer that sees curvature
        self.unclipped = getattr(self.optimizer, "unclipped_share", lambda: math.nan)
        # Of a network with experts: what routing adds to the loss, its balance, its statistics.
        self.penalty = getattr(self.model, "penalty", lambda: 0.0)
        self.after_update = getattr(self.model, "after_update", lambda: None)
        self.routed = getattr(self.model, "statistics", dict)
        self.scheduler = Scheduler(self.optimizer, self.spec.schedule, self.spec.steps)

    @property
    def order_seed(self) -> int:
        """The seed of the order of the data, and of their augmentation."""
        return self.spec.seed if self.spec.order_seed is None else self.spec.order_seed

    def run(self, progress: Progress | None = None, save: Save | None = None) -> None:
        """All updates that are left; `save` may take the state after each."""
        spec = self.spec
        order = batches(len(self.data.train_y), spec.batch_size, self.order_seed)
        for index in itertools.islice(order, self.done, spec.steps):
            self._update(index)
            done = self.done
            if done % spec.log_every == 0 or done % spec.eval_every == 0 or done == spec.steps:
                self._record(progress)
                if self.diverged:
                    return
            if save:
                save(self.state)
        if spec.steps in self.wanted:
            self.kept[spec.steps] = self._snapshot()
        # the last update may still have blown up: its loss shows in the evaluation only
        self.diverged = not math.isfinite(self.history.eval_loss[-1])

    def _update(self, index: Tensor) -> None:
        if self.done in self.wanted:
            self.kept[self.done] = self._snapshot()
        self.scheduler.before(self.done)
        x = self.data.train_x[index]
        if self.data.augment:
            x = self.data.augment(x, augmentation_seed(self.order_seed, self.done))
        y = self.data.train_y[index]
        if self.look:
            with self.stopwatch("curvature"):
                seed = curvature_seed(self.order_seed, self.done)
                self.look(self.done, self.model, self.loss_fn, x, y, seed)
        loss = self.loss_fn(self.model(x), y)
        self.optimizer.zero_grad(set_to_none=True)
        (loss + self.penalty()).backward()
        if self.done == 0:
            self.initial = loss.item()
            self.history.add(0, self.initial, self._evaluate(), **self.routed())
        with self.stopwatch("optimizer"):
            self.optimizer.step()
        self.after_update()
        self.total += loss.detach()
        self.since += 1
        self.done += 1

    def _snapshot(self) -> dict[str, Tensor]:
        return {**weights(self.model), **state.preconditioner(self.model, self.optimizer)}

    def _record(self, progress: Progress | None) -> None:
        mean = self.total.item() / self.since
        self.total.zero_()
        self.since = 0
        self.diverged = not mean <= self.spec.divergence * self.initial
        at_end = self.done == self.spec.steps
        due = not self.diverged and (self.done % self.spec.eval_every == 0 or at_end)
        evaluated = self._evaluate() if due else None
        said = {"unclipped_share": self.unclipped(), **self.routed()}
        self.history.add(self.done, mean, evaluated, **said)
        if progress:
            progress(self.done, mean)

    def _evaluate(self) -> tuple[float, float]:
        return evaluate(self.model, self.data, self.loss_fn)

    def state(self) -> State:
        """Where the training stands."""
        moments, plain = state.of_optimizer(self.optimizer)
        history = {
            name: torch.tensor(column, dtype=torch.float64)
            for name, column in vars(self.history).items()
        }
        parts = {
            "model": self.model.state_dict(),
            "optimizer": moments,
            "generators": state.of_generators(self.data.train_x.device),
            "history": history,
            "kept": state.joined(self.kept),
            "loss": {"total": self.total, "initial": torch.tensor(self.initial).double()},
        }
        tensors = {k: v for name, part in parts.items() for k, v in state.under(name, part).items()}
        numbers = {
            "since": self.since, "seconds": self.elapsed(), "optimizer": plain,
            "parts": self.stopwatch.seconds(),
        }  # fmt: skip
        return State(self.done, numbers, tensors)

    def elapsed(self) -> float:
        """Seconds of training so far, those before an interruption among them."""
        return time.perf_counter() - self.started

    def resume(self, saved: State) -> None:
        """Go back to where a training of the same spec stood.

        Raises:
            StateError: the state is not of such a training.
        """
        try:
            state.to_model(self.model, saved.part("model"))
            state.to_optimizer(self.optimizer, saved.part("optimizer"), saved.numbers["optimizer"])
            state.to_generators(saved.part("generators"), self.data.train_x.device)
            columns = {name: tensor.tolist() for name, tensor in saved.part("history").items()}
            self.history = History(**{**columns, "step": [int(s) for s in columns["step"]]})
            self.kept = state.by_step(saved.part("kept"))
            self.total.copy_(saved.tensors["loss/total"])
            self.initial = saved.tensors["loss/initial"].item()
            self.since, self.done = int(saved.numbers["since"]), saved.done
            self.started = time.perf_counter() - float(saved.numbers["seconds"])
            self.stopwatch.go_on(saved.numbers["parts"])
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise StateError(f"is not of this run: {error!r}") from error


def train(
    spec: RunSpec,
    table: Parameterisation,
    *,
    device: torch.device | None = None,
    progress: Progress | None = None,
    resume: State | None = None,
    save: Save | None = None,
) -> Training:
    """Train the network of the spec under its table, from the start or from a saved state.

    Divergence (a loss that is not finite, or above `divergence` times the first) ends the run
    early and is a result, not an error. Bit-equal from call to call on a CPU, interrupted and
    resumed or not.

    Raises:
        StateError: the state to resume from is not of such a training.
    """
    reproducible()
    device = device or torch.device("cpu")
    data = build.data(spec).to(device)
    loss_fn = losses.LOSSES[spec.loss]
    model, rows = build.drawn_model(spec, data, table)
    model.to(device).train()
    flops = spec.batch_size * sample_flops(model, loss_fn, data.train_x[:1], data.train_y[:1])
    loop = Loop(spec, data, model, build.optimizer(spec, model, rows), loss_fn)
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


def weights(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the weights on the CPU, and of what else the network has learned (a bias)."""
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in model.state_dict().items()
    }


def final_loss(history: History, steps: int) -> float:
    """Mean training loss over the last tenth of the steps, in windows of the log."""
    late = [
        loss
        for step, loss in zip(history.step, history.train_loss, strict=True)
        if step > steps * (1 - FINAL_FRACTION)
    ]
    return math.fsum(late) / len(late)
