"""The dimensions of a search space, and coordinates in the unit cube.

A declaration gives the values of a hyperparameter:

    lr: {low: 1.0e-4, high: 1, log: true}
    epochs: {low: 1, high: 50, log: true, integer: true}
    schedule: {choices: [cosine, linear]}

The whole range of a numeric dimension is scaled to [0, 1], logarithmically with `log: true`, so
that a volume is a share of the whole space. Choices have no order; regions keep a set of them.
Workflows are planned with this module, so it imports numpy only where it needs arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

KEYS = ("low", "high", "log", "integer", "choices")
MOST_CHOICES = 1000


class DomainError(ValueError):
    """A search space, or a value of one, that cannot be meant; `path` is the dotted key."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(f"{path}: {text}" if path else text)
        self.path, self.text = path, text


@dataclass(frozen=True)
class Dimension:
    """One hyperparameter: a linear or log range of real or integer numbers, or choices."""

    name: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    integer: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def numeric(self) -> bool:
        """Whether the dimension is a range, not choices."""
        return not self.choices

    def to_unit(self, value: float) -> float:
        """The coordinate of a value: 0 at the low end of the range, 1 at the high end."""
        low, high, value = map(self._scale, (self.low, self.high, value))
        return (value - low) / (high - low)

    def from_unit(self, coordinate: float) -> float | int:
        """The value at a coordinate, clipped to the range; integers are rounded."""
        value = self.on_axis(coordinate)
        value = math.exp2(value) if self.log else value
        value = min(max(value, self.low), self.high)
        return round(value) if self.integer else value

    def on_axis(self, coordinate: float) -> float:
        """The unrounded value at a coordinate, or its log2 on a log axis."""
        low, high = self._scale(self.low), self._scale(self.high)
        return low + coordinate * (high - low)

    def _scale(self, value: float) -> float:
        return math.log2(value) if self.log else float(value)

    def plain(self) -> dict[str, Any]:
        """The declaration as plain values."""
        if self.choices:
            return {"choices": list(self.choices)}
        flags = {name: True for name in ("log", "integer") if getattr(self, name)}
        return {"low": self.low, "high": self.high, **flags}


@dataclass(frozen=True)
class Domain:
    """A search space: dimensions in the order of their declarations.

    Points (n, d) have the numeric dimensions' coordinates in the unit cube first, and then, for
    each categorical dimension, the index of a choice.
    """

    dimensions: tuple[Dimension, ...]

    @classmethod
    def parse(cls, written: Mapping[str, Any], path: str = "") -> Domain:
        """From declarations by name.

        Raises:
            DomainError: the first thing that is wrong with them.
        """
        for error in problems(written, path):
            raise error
        return cls(tuple(
            Dimension(name, choices=tuple(d["choices"])) if "choices" in d else Dimension(name, **d)
            for name, d in written.items()
        ))  # fmt: skip

    @property
    def names(self) -> list[str]:
        """The names of all dimensions."""
        return [d.name for d in self.dimensions]

    @property
    def numeric(self) -> tuple[Dimension, ...]:
        """The ranges: the axes of the unit cube."""
        return tuple(d for d in self.dimensions if d.numeric)

    @property
    def categorical(self) -> tuple[Dimension, ...]:
        """The dimensions with choices."""
        return tuple(d for d in self.dimensions if not d.numeric)

    def plain(self) -> dict[str, Any]:
        """The declarations by name, as plain values."""
        return {d.name: d.plain() for d in self.dimensions}

    def encode(self, columns: Mapping[str, Sequence[Any]]) -> np.ndarray:
        """Points (n, d) of configurations, given as columns of n values by name.

        Raises:
            DomainError: a column is missing, or a value is not in its dimension.
        """
        import numpy as np

        coordinates = []
        for dimension in (*self.numeric, *self.categorical):
            if dimension.name not in columns:
                known = ", ".join(map(str, columns))
                raise DomainError(dimension.name, f"no such column; there is {known}")
            coordinates.append([_place(dimension, value) for value in columns[dimension.name]])
        return np.array(coordinates, dtype=float).T.reshape(-1, len(coordinates))

    def decode(self, points: np.ndarray) -> list[dict[str, Any]]:
        """The configurations of points (n, d)."""
        axes = len(self.numeric)
        return [
            {d.name: d.from_unit(float(x)) for d, x in zip(self.numeric, row[:axes], strict=True)}
            | {d.name: d.choices[int(i)]
               for d, i in zip(self.categorical, row[axes:], strict=True)}
            for row in points
        ]  # fmt: skip


EDGE = 1e-9  # tolerance of coordinates, for rounding


def _place(dimension: Dimension, value: Any) -> float:
    if not dimension.numeric:
        if value not in dimension.choices:
            known = ", ".join(map(str, dimension.choices))
            raise DomainError(dimension.name, f"{value!r} is not one of {known}")
        return float(dimension.choices.index(value))
    try:
        place = dimension.to_unit(float(value))
    except (TypeError, ValueError):
        place = math.nan
    if not -EDGE <= place <= 1 + EDGE:
        text = f"{value!r} is not within {dimension.low:g} and {dimension.high:g}"
        raise DomainError(dimension.name, text)
    return min(max(place, 0.0), 1.0)


def problems(written: Any, path: str = "") -> Iterator[DomainError]:
    """Everything that is wrong with declarations of dimensions."""
    if not isinstance(written, Mapping) or not written:
        yield DomainError(path, f"{written!r} is not a mapping of hyperparameters to their ranges")
        return
    for name, given in written.items():
        place = f"{path}.{name}" if path else str(name)
        yield from (DomainError(place, text) for text in _faults(given))


def _faults(given: Any) -> Iterator[str]:
    if not isinstance(given, Mapping):
        yield f"{given!r} is not {{low: …, high: …}} or {{choices: […]}}"
        return
    if unknown := [key for key in given if key not in KEYS]:
        yield f"unknown key {unknown[0]!r}; known: {', '.join(KEYS)}"
    elif "choices" in given:
        yield from _choice_faults(given)
    elif missing := [key for key in ("low", "high") if key not in given]:
        yield f"the key {missing[0]!r} is missing; or write choices: […]"
    elif wrong := [given[k] for k in ("low", "high") if not _is_number(given[k])]:
        yield f"{wrong[0]!r} is not a finite number"
    elif wrong := [k for k in ("log", "integer") if not isinstance(given.get(k, False), bool)]:
        yield f"{wrong[0]}: {given[wrong[0]]!r} is not true or false"
    elif given["low"] >= given["high"]:
        yield f"low {given['low']:g} is not below high {given['high']:g}"
    elif given.get("log") and given["low"] <= 0:
        yield f"low {given['low']:g} is not above 0, as log: true needs"
    elif given.get("integer") and any(given[k] != int(given[k]) for k in ("low", "high")):
        yield "low and high are not whole numbers, as integer: true needs"


def _choice_faults(given: Mapping[str, Any]) -> Iterator[str]:
    choices = given["choices"]
    if not isinstance(choices, list | tuple) or not 1 <= len(choices) <= MOST_CHOICES:
        yield f"choices: {choices!r} is not a list of 1 to {MOST_CHOICES} values"
    elif not all(isinstance(one, str | int | float) for one in choices):
        yield f"choices: {choices!r} holds what is neither text nor number"
    elif len(set(choices)) < len(choices):
        yield f"choices: {choices!r} has a value twice"
    if len(given) > 1:
        yield "choices stand alone, without low, high, log or integer"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
