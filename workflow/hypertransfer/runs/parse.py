"""Parse a run's spec from the plain values of a config; all problems are reported at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from typing import Any

from hypertransfer.parameterisation.module_multipliers import NAMES as MULTIPLIED
from hypertransfer.parameterisation.module_multipliers import Factors
from hypertransfer.runs.canonical import is_plain
from hypertransfer.runs.numbers import is_finite_number
from hypertransfer.runs.problem import NO_VALUE, Problem, ProblemError, known_names, one_of
from hypertransfer.runs.spec import (
    LOSSES,
    SCHEDULES,
    TRAINED,
    WEIGHTS,
    Component,
    RunSpec,
    Schedule,
    Shape,
)

MOST = 2**63 - 1  # the largest integer that a column of a table can hold


Path = tuple[str, ...]  # keys from the root of the spec to a value
_SHAPE = tuple(f.name for f in fields(Shape))
_SCHEDULE = tuple(f.name for f in fields(Schedule))


def _number(
    path: Path, value: object, low: float, *, high: float = math.inf, open_low: bool = False
) -> float:
    if not is_finite_number(value):
        raise ProblemError.at(path, value, "a finite number")
    if value < low or (open_low and value == low):
        raise ProblemError.at(path, value, f"{'above' if open_low else 'at least'} {low:g}")
    if value > high:
        raise ProblemError.at(path, value, f"at most {high:g}")
    return float(value) + 0.0  # −0.0 becomes 0.0: equal values are one value


def _integer(path: Path, value: object, low: int) -> int:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole:
        raise ProblemError.at(path, value, "a whole number")
    if value < low:
        raise ProblemError.at(path, value, f"at least {low}")
    if value > MOST:
        raise ProblemError.at(path, value, f"at most {MOST}")
    return int(value)


def _steps_or_share(path: Path, value: object) -> int | float:
    """A number of steps, or a share of all steps: a fraction between 0 and 1."""
    if _number(path, value, 0.0) < 1 and value != 0:
        return float(value)  # type: ignore[arg-type]
    if isinstance(value, float) and not value.is_integer():
        raise ProblemError.at(path, value, "a whole number of steps, or a share below 1")
    return _integer(path, value, 0)


def _mapping(path: Path, value: object, keys: tuple[str, ...]) -> Mapping[str, Any]:
    """A mapping whose keys are known; each other key is a problem at its own path."""
    if not isinstance(value, Mapping):
        raise ProblemError.at(path, value, f"a mapping with keys among {', '.join(keys)}")
    if unknown := [key for key in value if key not in keys]:
        text = f"is not a key of {'.'.join(path)}; "
        raise ProblemError(
            Problem((*path, str(key)), NO_VALUE, text + known_names(key, keys)) for key in unknown
        )
    return value


def _multipliers(path: Path, value: object) -> dict[str, Factors]:
    value = _mapping(path, value, tuple(MULTIPLIED))
    factors = {name: _factors((*path, name), value[name]) for name in sorted(value)}
    return {name: part for name, part in factors.items() if part.types or part.depth}


def _factors(path: Path, value: object) -> Factors:
    """Factors of one hyperparameter, from `{types: {…}, depth: […]}`, without factors of 1."""
    value = _mapping(path, value, ("types", "depth"))
    types, depth = value.get("types", {}), value.get("depth", [])
    if not isinstance(types, Mapping) or not all(isinstance(kind, str) for kind in types):
        raise ProblemError.at((*path, "types"), types, "a mapping of types of modules to factors")
    if not isinstance(depth, list | tuple):
        raise ProblemError.at((*path, "depth"), depth, "a list of factors over the depth")

    def factor(key: Path, number: object) -> float:
        return _number((*path, *key), number, 0.0, open_low=True)

    by_type = {kind: factor(("types", kind), types[kind]) for kind in sorted(types)}
    by_depth = tuple(factor(("depth",), number) for number in depth)
    return Factors(
        {kind: number for kind, number in by_type.items() if number != 1.0},
        by_depth if any(number != 1.0 for number in by_depth) else (),
    )


def _name(path: Path, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ProblemError.at(path, value, "a name")
    return value


def _choice(path: Path, value: object, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ProblemError.at(path, value, one_of(value, choices))
    return str(value)


def _loss(path: Path, value: object) -> str:
    if value in LOSSES or (isinstance(value, str) and ":" in value):
        return str(value)
    expected = (
        f"one of {', '.join(LOSSES)}, or module:function of a loss or a training step of your own"
    )
    raise ProblemError.at(path, value, expected)


def _steps(path: Path, value: object) -> tuple[int, ...]:
    if not isinstance(value, list | tuple):
        raise ProblemError.at(path, value, "a list of steps")
    return tuple(sorted({_integer(path, step, 0) for step in value}))


def component(path: Path, value: object) -> Component:
    """A component from its name, or from `{name: …, option: …}`.

    Raises:
        ProblemError: the name is missing, or an option is not a plain, finite value.
    """
    if isinstance(value, str):
        return Component(_name(path, value))
    if not isinstance(value, Mapping) or "name" not in value:
        raise ProblemError.at(path, value, "a name, or a mapping with the key 'name'")
    for key, option in value.items():
        if not isinstance(key, str) or not is_plain(option):
            raise ProblemError.at((*path, str(key)), option, "a named option with a finite value")
    options = {key: value[key] for key in sorted(value) if key != "name"}
    return Component(_name((*path, "name"), value["name"]), options)


def shape(path: Path, value: object) -> Shape:
    """A shape from `{width: …, depth: …, granularity: …}`; the granularity may be left out.

    Raises:
        ProblemError: a key is missing or unknown, or a value is not a whole number above 0.
    """
    value = _mapping(path, value, _SHAPE)
    if not {"width", "depth"} <= set(value):
        expected = "a mapping with the keys width, depth and, for experts, granularity"
        raise ProblemError.at(path, value, expected)
    written = [key for key in _SHAPE if key in value]
    return Shape(**{key: _integer((*path, key), value[key], 1) for key in written})


def schedule(path: Path, value: object) -> Schedule:
    """A schedule from `{name: …, warmup: …, decay: …, final: …}`; every key may be left out.

    Raises:
        ProblemError: a key is unknown, or a value is out of its range.
    """
    value = _mapping(path, value, _SCHEDULE)
    parsed = Schedule(
        _choice((*path, "name"), value.get("name", "constant"), SCHEDULES),
        _steps_or_share((*path, "warmup"), value.get("warmup", 0)),
        _number((*path, "decay"), value.get("decay", 1.0), 0.0, high=1.0, open_low=True),
        _number((*path, "final"), value.get("final", 0.0), 0.0, high=1.0),
    )
    for name, default in (("decay", 1.0), ("final", 0.0)):
        if parsed.name == "constant" and getattr(parsed, name) != default:
            raise ProblemError.at(
                (*path, name), value[name], f"{default:g}, the value for a constant schedule"
            )
    return parsed


class Parsed:
    """The fields of earlier specs; points of a grid share the objects of most values.

    Attributes:
        last: the value and the parsed field of the latest spec, by the name of the field.
        mappings: the parsed fields of all specs that are written as mappings, by name and `repr`:
            each point has a mapping of its own where an axis sets one of the keys.
    """

    def __init__(self) -> None:
        self.last: dict[str, tuple[Any, Any]] = {}
        self.mappings: dict[tuple[str, str], Any] = {}

    def field(self, name: str, value: Any) -> Any:
        """The field of a value, parsed unless an earlier spec has the same mapping.

        Raises:
            ProblemError: the value is invalid.
        """
        place = (name, repr(value)) if isinstance(value, dict) else None
        parsed = self.mappings[place] if place in self.mappings else _PARSERS[name]((name,), value)
        if place:
            self.mappings[place] = parsed
        self.last[name] = value, parsed
        return parsed


def run_spec(values: Mapping[str, Any]) -> RunSpec:
    """A spec from the nested plain values of a config.

    Raises:
        ProblemError: fields are unknown, missing or invalid; `problems` lists all of them.
    """
    return RunSpec(**fields_of_run(values))


def fields_of_run(values: Mapping[str, Any], earlier: Parsed | None = None) -> dict[str, Any]:
    """The parsed fields of a spec from the nested plain values of a config.

    Args:
        values: the values by field.
        earlier: the fields of earlier specs, to which this call adds. A field whose object is that
            of the latest spec is not parsed again.

    Raises:
        ProblemError: fields are unknown, missing or invalid; `problems` lists all of them.
    """
    problems: list[Problem] = []
    for name in values:
        if name not in _PARSERS:
            text = f"is not a key of a run; {known_names(name, _PARSERS)}"
            problems.append(Problem((str(name),), NO_VALUE, text))
    earlier = earlier or Parsed()
    complete = {**_DEFAULTS, **values}
    followers = [name for name in _FOLLOWS if name not in values]
    complete |= {name: complete.get(_FOLLOWS[name], NO_VALUE) for name in followers}
    parsed = {}
    for name in _PARSERS:
        value = complete.get(name, NO_VALUE)
        known = earlier.last.get(name)
        if known and known[0] is value:
            parsed[name] = known[1]
        elif name in followers and _FOLLOWS[name] not in parsed:
            continue  # the field that it follows has a problem, which is reported once
        elif value is NO_VALUE:
            problems.append(Problem((name,), NO_VALUE, "is missing, and a run needs it"))
        else:
            try:
                parsed[name] = earlier.field(name, value)
            except ProblemError as error:
                problems += error.problems
    if problems:
        raise ProblemError(problems)
    return parsed


# Fields whose default is the value of another field, which is parsed before them.
_FOLLOWS = {"base_batch_size": "batch_size", "base_steps": "steps", "eval_every": "steps"}


# Values of the other fields that a config may leave out.
_DEFAULTS: Mapping[str, Any] = {
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

_PARSERS: Mapping[str, Callable[[Path, Any], Any]] = {
    "model": component,
    "shape": shape,
    "base": shape,
    "parameterisation": _name,
    "weights": partial(_choice, choices=WEIGHTS),
    "trained": partial(_choice, choices=TRAINED),
    "optimizer": component,
    "lr": partial(_number, low=0.0, open_low=True),
    "weight_decay": partial(_number, low=0.0),
    "schedule": schedule,
    "data": component,
    "loss": _loss,
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
