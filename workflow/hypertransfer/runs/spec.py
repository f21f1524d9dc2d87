"""A run: one training of one network, wholly described by a frozen value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from hypertransfer.parameterisation.module_multipliers import Factors
from hypertransfer.runs.canonical import canonical

LOSSES = ("cross_entropy", "mse")
WEIGHTS = ("fan_in", "unit", "boundary")
TRAINED = ("all", "readout")
SCHEDULES = ("constant", "linear", "cosine")


@dataclass(frozen=True)
class Component:
    """A named part with its options: a model, an optimizer, a data set."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def plain(self) -> dict:
        """Back to `{name: …, option: …}`."""
        return {"name": self.name, **self.options}

    @cached_property
    def text(self) -> str:
        """The canonical text of `plain`, by which equal components are recognised."""
        return canonical(self.plain())


@dataclass(frozen=True)
class Shape:
    """Width and depth of a network, and into how many parts its experts are split."""

    width: int
    depth: int
    granularity: int = 1

    def plain(self) -> dict:
        """Back to a mapping; a granularity of 1, as of all that has no experts, is left out."""
        finer = {"granularity": self.granularity} if self.granularity > 1 else {}
        return {"width": self.width, "depth": self.depth, **finer}


@dataclass(frozen=True)
class Schedule:
    """Learning rate over the run: a linear warm-up, then constant, or decaying at the end.

    `warmup` is a number of steps (int) or a share of the run (float below 1). `decay` is the
    share of the run over which the rate falls, as the name says, to `final` times its peak.
    """

    name: str
    warmup: int | float
    decay: float = 1.0
    final: float = 0.0

    def plain(self) -> dict:
        """Back to `{name: …, warmup: …, decay: …, final: …}`."""
        return {
            "name": self.name,
            "warmup": self.warmup,
            "decay": self.decay,
            "final": self.final,
        }


@dataclass(frozen=True)
class RunSpec:
    """Everything that decides the numbers of one training.

    `shape` is the network trained and `base` the one at which the parameterisation is the
    identity; `base_batch_size` and `base_steps` are the batch and the number of steps there, for
    tables that scale with batch size and duration. `multipliers` are factors on hyperparameters
    of single modules, beside the table. `weights` says what the base network is: `fan_in` draws
    weights of standard deviation gain/√fan_in; `unit` draws N(0, 1) and puts gain/√fan_in into
    the forward pass, so that one learning rate moves layers of different fan-in alike (NTK and
    mean-field form); `boundary` draws on the boundary of the balls of the optimizer's norms.
    `trained` is `all`, or `readout`: random features under a trained last layer.
    `seed` draws the initial weights and, unless `order_seed` is given, the order of the data.
    Training loss is recorded every `log_every` steps as the mean over those steps, the loss
    on the evaluation set every `eval_every` steps, and weights are kept at `checkpoints`.
    A run stops as diverged once its loss is not finite, or above `divergence` times the
    initial loss.
    """

    model: Component
    shape: Shape
    base: Shape
    parameterisation: str
    weights: str
    trained: str
    optimizer: Component
    lr: float
    weight_decay: float
    schedule: Schedule
    data: Component
    loss: str
    batch_size: int
    base_batch_size: int
    steps: int
    base_steps: int
    multipliers: Mapping[str, Factors]
    seed: int
    order_seed: int | None
    log_every: int
    eval_every: int
    divergence: float
    checkpoints: tuple[int, ...]

    def plain(self) -> dict:
        """The nested plain values that `parse` reads back; the canonical content of the run."""
        return {name: self.plain_value(name) for name in FIELDS}

    def plain_value(self, name: str) -> Any:
        """The plain value of one field."""
        value = getattr(self, name)
        return _PLAIN[name](value) if name in _PLAIN else value

    def columns(self) -> dict[str, Any]:
        """What every runs table says of a run, whether or not it is an axis of its grid."""
        return {
            "model": self.model.name,
            "data": self.data.name,
            "optimizer": self.optimizer.name,
            "parameterisation": self.parameterisation,
            "shape.width": self.shape.width,
            "shape.depth": self.shape.depth,
            "loss": self.loss,
            "batch_size": self.batch_size,
            "steps": self.steps,
            "lr": self.lr,
            "seed": self.seed,
        }


FIELDS = tuple(f.name for f in fields(RunSpec))
_PLAIN: Mapping[str, Callable[[Any], Any]] = {  # of the fields that hold no plain values
    "model": Component.plain,
    "shape": Shape.plain,
    "base": Shape.plain,
    "optimizer": Component.plain,
    "schedule": Schedule.plain,
    "data": Component.plain,
    "multipliers": lambda value: {name: factors.plain() for name, factors in value.items()},
    "checkpoints": list,
}
