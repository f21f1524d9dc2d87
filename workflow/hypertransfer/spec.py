"""A run: one training of one network, wholly described by a frozen, canonical value."""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from hypertransfer.parameterisation.module_multipliers import NAMES as MULTIPLIED
from hypertransfer.parameterisation.module_multipliers import Factors

LOSSES = ("cross_entropy", "mse")
WEIGHTS = ("fan_in", "unit", "boundary")
TRAINED = ("all", "readout")
SCHEDULES = ("constant", "linear", "cosine")
MOST_JSON = 64 * 2**20  # bytes of JSON from strangers; a run's record has some 10 kB
MOST = 2**63 - 1  # as tables hold integers


class SpecError(ValueError):
    """A value of a spec that cannot be meant; `path` is the dotted name of the field."""

    def __init__(self, path: str, value: object, expected: str) -> None:
        super().__init__(f"{path}: {value!r} is not {expected}")
        self.path, self.value, self.expected = path, value, expected


class SpecErrors(ValueError):
    """All that is wrong with one spec."""

    def __init__(self, errors: list[SpecError]) -> None:
        super().__init__("; ".join(str(error) for error in errors))
        self.errors = errors


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical(value: object) -> str:
    """The one JSON text of plain values: sorted keys, no spaces, shortest float digits."""
    return _CANONICAL.encode(value)


def parse_json(content: bytes) -> Any:
    """JSON from strangers: no NaN, no depth or size that takes the process down.

    Raises:
        ValueError: it is not such JSON.
    """
    if len(content) > MOST_JSON:
        raise ValueError(f"more than {MOST_JSON} bytes")

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON number")

    try:
        return json.loads(content.decode(), parse_constant=refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def digest(value: object, length: int = 24) -> str:
    """The first `length` hex digits of the SHA-256 of a plain value's canonical text."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:length]


def _number(
    path: str, value: object, low: float, *, high: float = math.inf, open_low: bool = False
) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not abs(value) < math.inf or abs(value) > sys.float_info.max:
        raise SpecError(path, value, "a finite number")
    if value < low or (open_low and value == low):
        raise SpecError(path, value, f"{'above' if open_low else 'at least'} {low:g}")
    if value > high:
        raise SpecError(path, value, f"at most {high:g}")
    return float(value)


def _integer(path: str, value: object, low: int) -> int:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole:
        raise SpecError(path, value, "a whole number")
    if value < low:
        raise SpecError(path, value, f"at least {low}")
    if value > MOST:
        raise SpecError(path, value, f"at most {MOST}")
    return int(value)


def _steps_or_share(path: str, value: object) -> int | float:
    """A number of steps, or a share of all steps: a fraction between 0 and 1."""
    if _number(path, value, 0.0) < 1 and value != 0:
        return float(value)  # type: ignore[arg-type]
    return _integer(path, value, 0)


def _multipliers(path: str, value: object) -> dict[str, Factors]:
    if not isinstance(value, Mapping) or not set(value) <= set(MULTIPLIED):
        raise SpecError(path, value, f"a mapping with keys out of {', '.join(MULTIPLIED)}")
    out = {}
    for name in sorted(value):
        given, here = value[name], f"{path}.{name}"
        if not isinstance(given, Mapping) or not set(given) <= {"types", "depth"}:
            raise SpecError(here, given, "a mapping with the keys types and depth")
        types, depth = given.get("types", {}), given.get("depth", [])
        if not isinstance(types, Mapping) or not all(isinstance(kind, str) for kind in types):
            raise SpecError(f"{here}.types", types, "a mapping of types of modules to factors")
        if not isinstance(depth, list | tuple):
            raise SpecError(f"{here}.depth", depth, "a list of factors over the depth")
        out[name] = Factors(
            {kind: _number(f"{here}.types.{kind}", types[kind], 0.0, open_low=True)
             for kind in sorted(types)},
            tuple(_number(f"{here}.depth", factor, 0.0, open_low=True) for factor in depth),
        )  # fmt: skip
    return out


def _name(path: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise SpecError(path, value, "a name")
    return value


def _choice(path: str, value: object, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise SpecError(path, value, f"one of {', '.join(choices)}")
    return str(value)


def _is_plain(value: object) -> bool:
    """Whether a value has a canonical text: dates, NaN and infinities have none."""
    try:
        canonical(value)
    except (TypeError, ValueError):
        return False
    return True


def _steps(path: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, list | tuple):
        raise SpecError(path, value, "a list of steps")
    return tuple(sorted({_integer(path, step, 0) for step in value}))


@dataclass(frozen=True)
class Component:
    """A named part with its options: a model, an optimizer, a data set."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, path: str, value: object) -> Component:
        """From `name` or `{name: …, option: …}`."""
        if isinstance(value, str):
            return cls(_name(path, value))
        if not isinstance(value, Mapping) or "name" not in value:
            raise SpecError(path, value, "a name, or a mapping with the key 'name'")
        for key, option in value.items():
            if not isinstance(key, str) or not _is_plain(option):
                raise SpecError(f"{path}.{key}", option, "a named option with a finite value")
        return cls(_name(f"{path}.name", value["name"]),
                   {k: value[k] for k in sorted(value) if k != "name"})  # fmt: skip

    def plain(self) -> dict:
        """Back to `{name: …, option: …}`."""
        return {"name": self.name, **self.options}


@dataclass(frozen=True)
class Shape:
    """Width and depth of a network, and into how many parts its experts are split."""

    width: int
    depth: int
    granularity: int = 1

    @classmethod
    def parse(cls, path: str, value: object) -> Shape:
        """From `{width: …, depth: …, granularity: …}`; the last may be left out."""
        known = [f.name for f in fields(cls)]
        if not isinstance(value, Mapping) or not {"width", "depth"} <= set(value) <= set(known):
            expected = "a mapping with the keys width and depth (and granularity, of experts)"
            raise SpecError(path, value, expected)
        given = [key for key in known if key in value]
        return cls(**{key: _integer(f"{path}.{key}", value[key], 1) for key in given})

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

    @classmethod
    def parse(cls, path: str, value: object) -> Schedule:
        """From `{name: …, warmup: …, decay: …, final: …}`; each may be left out."""
        known = [f.name for f in fields(cls)]
        if not isinstance(value, Mapping) or not set(value) <= set(known):
            raise SpecError(path, value, f"a mapping with keys out of {', '.join(known)}")
        found = cls(
            _choice(f"{path}.name", value.get("name", "constant"), SCHEDULES),
            _steps_or_share(f"{path}.warmup", value.get("warmup", 0)),
            _number(f"{path}.decay", value.get("decay", 1.0), 0.0, high=1.0, open_low=True),
            _number(f"{path}.final", value.get("final", 0.0), 0.0, high=1.0),
        )
        for name, default in (("decay", 1.0), ("final", 0.0)):
            if found.name == "constant" and getattr(found, name) != default:
                raise SpecError(f"{path}.{name}", value[name], "for linear and cosine only")
        return found


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

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> RunSpec:
        """A spec from the nested plain values of a config.

        Raises:
            SpecErrors: fields that are unknown, missing or have a value that cannot be meant.
        """
        errors: list[SpecError] = []
        for name in values:
            if name not in _PARSERS:
                known = ", ".join(_PARSERS)
                errors.append(SpecError(str(name), values[name], f"a key of a run; known: {known}"))
        given = {**_defaults(values), **values}
        parsed = {}
        for name, parse in _PARSERS.items():
            if name not in values and _FOLLOWS.get(name, name) not in (name, *parsed):
                continue  # the field that it follows is wrong: said once is enough
            if name not in given:
                errors.append(SpecError(name, None, "given, and a run needs it"))
                continue
            try:
                parsed[name] = parse(name, given[name])
            except SpecError as error:
                errors.append(error)
        if errors:
            raise SpecErrors(errors)
        return cls(**parsed)

    def plain(self) -> dict:
        """The nested plain values that `parse` reads back; the canonical content of the run."""
        out: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Component | Shape):
                value = value.plain()
            elif isinstance(value, Schedule):
                value = {g.name: getattr(value, g.name) for g in fields(value)}
            elif isinstance(value, tuple):
                value = list(value)
            elif f.name == "multipliers":
                value = {name: factors.plain() for name, factors in value.items()}
            out[f.name] = value
        return out

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


# Fields that are the same as another one, which is parsed before them, unless they are given.
_FOLLOWS = {"base_batch_size": "batch_size", "base_steps": "steps", "eval_every": "steps"}


def _defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of fields that a config may leave out."""
    out = {
        "weights": "fan_in",
        "trained": "all",
        "weight_decay": 0.0,
        "schedule": {},
        "loss": "cross_entropy",
        "order_seed": None,
        "divergence": 100.0,
        "checkpoints": (),
        "multipliers": {},
    }
    for name, source in _FOLLOWS.items():
        if source in values:
            out[name] = values[source]
    return out


_PARSERS: Mapping[str, Callable[[str, Any], Any]] = {
    "model": Component.parse,
    "shape": Shape.parse,
    "base": Shape.parse,
    "parameterisation": _name,
    "weights": partial(_choice, choices=WEIGHTS),
    "trained": partial(_choice, choices=TRAINED),
    "optimizer": Component.parse,
    "lr": partial(_number, low=0.0, open_low=True),
    "weight_decay": partial(_number, low=0.0),
    "schedule": Schedule.parse,
    "data": Component.parse,
    "loss": partial(_choice, choices=LOSSES),
    "batch_size": partial(_integer, low=1),
    "base_batch_size": partial(_integer, low=1),
    "steps": partial(_integer, low=1),
    "base_steps": partial(_integer, low=1),
    "multipliers": _multipliers,
    "seed": partial(_integer, low=0),
    "order_seed": lambda path, value: None if value is None else _integer(path, value, 0),
    "log_every": partial(_integer, low=1),
    "eval_every": partial(_integer, low=1),
    "divergence": partial(_number, low=1.0, open_low=True),
    "checkpoints": _steps,
}
