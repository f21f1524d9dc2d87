"""A run's spec from the plain values of a config, every error at once."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from typing import Any

from hypertransfer.parameterisation.module_multipliers import NAMES as MULTIPLIED
from hypertransfer.parameterisation.module_multipliers import Factors
from hypertransfer.runs.canonical import is_plain
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


def _steps(path: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, list | tuple):
        raise SpecError(path, value, "a list of steps")
    return tuple(sorted({_integer(path, step, 0) for step in value}))


def component(path: str, value: object) -> Component:
    """From `name` or `{name: …, option: …}`."""
    if isinstance(value, str):
        return Component(_name(path, value))
    if not isinstance(value, Mapping) or "name" not in value:
        raise SpecError(path, value, "a name, or a mapping with the key 'name'")
    for key, option in value.items():
        if not isinstance(key, str) or not is_plain(option):
            raise SpecError(f"{path}.{key}", option, "a named option with a finite value")
    return Component(_name(f"{path}.name", value["name"]),
               {k: value[k] for k in sorted(value) if k != "name"})  # fmt: skip


def shape(path: str, value: object) -> Shape:
    """From `{width: …, depth: …, granularity: …}`; the last may be left out."""
    known = [f.name for f in fields(Shape)]
    if not isinstance(value, Mapping) or not {"width", "depth"} <= set(value) <= set(known):
        expected = "a mapping with the keys width and depth (and granularity, of experts)"
        raise SpecError(path, value, expected)
    given = [key for key in known if key in value]
    return Shape(**{key: _integer(f"{path}.{key}", value[key], 1) for key in given})


def schedule(path: str, value: object) -> Schedule:
    """From `{name: …, warmup: …, decay: …, final: …}`; each may be left out."""
    known = [f.name for f in fields(Schedule)]
    if not isinstance(value, Mapping) or not set(value) <= set(known):
        raise SpecError(path, value, f"a mapping with keys out of {', '.join(known)}")
    found = Schedule(
        _choice(f"{path}.name", value.get("name", "constant"), SCHEDULES),
        _steps_or_share(f"{path}.warmup", value.get("warmup", 0)),
        _number(f"{path}.decay", value.get("decay", 1.0), 0.0, high=1.0, open_low=True),
        _number(f"{path}.final", value.get("final", 0.0), 0.0, high=1.0),
    )
    for name, default in (("decay", 1.0), ("final", 0.0)):
        if found.name == "constant" and getattr(found, name) != default:
            raise SpecError(f"{path}.{name}", value[name], "for linear and cosine only")
    return found


def run_spec(values: Mapping[str, Any]) -> RunSpec:
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
    return RunSpec(**parsed)


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
