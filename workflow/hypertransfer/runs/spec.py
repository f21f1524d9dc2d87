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
    """A named part of a run, such as its model, optimizer or data set, with its options."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def plain(self) -> dict:
        """The component as a mapping `{name: …, option: …}`."""
        return {"name": self.name, **self.options}

    @cached_property
    def text(self) -> str:
        """The canonical text of `plain`, by which equal components are recognised."""
        return canonical(self.plain())


@dataclass(frozen=True)
class Shape:
    """Width and depth of a network, and the number of parts into which each expert is split."""

    width: int
    depth: int
    granularity: int = 1

    def plain(self) -> dict:
        """The shape as a mapping; a granularity of 1, as of dense networks, is left out."""
        finer = {"granularity": self.granularity} if self.granularity > 1 else {}
        return {"width": self.width, "depth": self.depth, **finer}


@dataclass(frozen=True)
class Schedule:
    """The learning rate over a run: a linear warm-up, a constant part, and a decay at the end.

    Attributes:
        name: `constant` (no decay), `linear` or `cosine`.
        warmup: a number of steps (int), or a share of the run (float below 1).
        decay: the share of the run over which the learning rate decays.
        final: the learning rate at the end of the decay, over its peak.
    """

    name: str
    warmup: int | float
    decay: float = 1.0
    final: float = 0.0

    def plain(self) -> dict:
        """The schedule as a mapping `{name: …, warmup: …, decay: …, final: …}`."""
        return {
            "name": self.name,
            "warmup": self.warmup,
            "decay": self.decay,
            "final": self.final,
        }


@dataclass(frozen=True)
class RunSpec:
    """One training of one network: all settings that determine its numbers.

    Attributes:
        model: the network and its options.
        shape: width, depth and granularity of the network.
        base: the shape at which the parameterisation is the identity.
        parameterisation: the name or import path of the table.
        weights: how the weights of the base network are drawn. `fan_in`: with a standard deviation
            of gain/√fan_in. `unit`: from N(0, 1), with the factor gain/√fan_in in the forward pass,
            so that one learning rate changes layers of different fan-in alike (the NTK and
            mean-field form). `boundary`: on the boundary of the balls of the optimizer's norms.
        trained: `all` parameters, or only the `readout` on fixed random features.
        optimizer: the optimizer and its options.
        lr: the peak learning rate at the base shape.
        weight_decay: the weight decay at the base shape.
        schedule: the learning rate over the run.
        data: the data set and its options.
        loss: `cross_entropy`, `mse`, or the import path of a function: of outputs and targets,
            or of the model and a batch (a training step).
        batch_size: samples of a batch.
        base_batch_size: the batch size at which tables that scale with batch size are the identity.
        steps: the number of updates.
        base_steps: the number of updates at which tables that scale with the duration are the
            identity.
        multipliers: factors on hyperparameters of single modules, beside the table.
        seed: draws the initial weights and, unless `order_seed` is given, the order of the data.
        order_seed: draws the order of the data.
        log_every: steps between records of the training loss, each the mean over these steps.
        eval_every: steps between evaluations of the loss on the test samples, of which there is one
            at the end, too, and one at the start if they are fewer than `steps`.
        divergence: a run stops as diverged if its recorded loss is not finite, or above this
            multiple of the loss of the first batch; if that is 0, of the first loss on the test
            samples; if that is 0, too, only if it is not finite.
        checkpoints: steps at which the weights are stored.
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

    @property
    def import_paths(self) -> tuple[str, ...]:
        """The import paths of the parts that are not the library's: the user's, and packages'."""
        parts = self.model.name, self.optimizer.name, self.data.name
        names = *parts, self.parameterisation, self.loss
        return tuple(name for name in names if ":" in name)

    def plain(self) -> dict:
        """The nested plain values from which `parse.run_spec` makes an equal spec."""
        return {name: self.plain_value(name) for name in FIELDS}

    def plain_value(self, name: str) -> Any:
        """The plain value of one field."""
        value = getattr(self, name)
        return _PLAIN[name](value) if name in _PLAIN else value

    def columns(self) -> dict[str, Any]:
        """The columns of a run in every runs table, whether or not they are axes of its grid."""
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
_PLAIN: Mapping[str, Callable[[Any], Any]] = {  # functions for the fields that hold no plain values
    "model": Component.plain,
    "shape": Shape.plain,
    "base": Shape.plain,
    "optimizer": Component.plain,
    "schedule": Schedule.plain,
    "data": Component.plain,
    "multipliers": lambda value: {name: factors.plain() for name, factors in value.items()},
    "checkpoints": list,
}
