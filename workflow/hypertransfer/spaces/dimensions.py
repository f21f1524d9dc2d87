"""The dimensions of a search space, and the unit cube in which regions are learned and sampled.

A declaration says which values a hyperparameter may take:

    lr: {low: 1.0e-4, high: 1, log: true}
    epochs: {low: 1, high: 50, log: true, integer: true}
    schedule: {choices: [cosine, linear]}

A numeric dimension is scaled to [0, 1] by the whole range, on a log axis if it says so, so that
volumes are shares of the whole space. Choices have no geometry: regions keep a set of them.
Declarations are read when a workflow is planned, so this module imports nothing heavy.
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
    """One hyperparameter: a range, linear or log, of numbers or whole numbers; or choices."""

    name: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    integer: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def numeric(self) -> bool:
        """Whether it is a range."""
        return not self.choices

    def unit(self, value: float) -> float:
        """Where a number lies between the ends of the range, 0 to 1."""
        low, high, value = map(self._scale, (self.low, self.high, value))
        return (value - low) / (high - low)

    def value(self, place: float) -> float | int:
        """The number at a place between 0 and 1; a whole one is rounded."""
        found = self.measured(place)
        found = math.exp2(found) if self.log else found
        found = min(max(found, self.low), self.high)
        return round(found) if self.integer else found

    def measured(self, place: float) -> float:
        """A place in the range's own terms: octaves (log2) on a log axis; whole or not."""
        low, high = self._scale(self.low), self._scale(self.high)
        return low + place * (high - low)

    def _scale(self, value: float) -> float:
        return math.log2(value) if self.log else float(value)

    def plain(self) -> dict[str, Any]:
        """The declaration."""
        if self.choices:
            return {"choices": list(self.choices)}
        flags = {name: True for name in ("log", "integer") if getattr(self, name)}
        return {"low": self.low, "high": self.high, **flags}


@dataclass(frozen=True)
class Domain:
    """A search space: dimensions in order. Numeric ones have the coordinates of a unit cube."""

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
        """The ranges, which are the axes of the cube."""
        return tuple(d for d in self.dimensions if d.numeric)

    @property
    def categorical(self) -> tuple[Dimension, ...]:
        """The choices."""
        return tuple(d for d in self.dimensions if not d.numeric)

    def plain(self) -> dict[str, Any]:
        """The declarations by name."""
        return {d.name: d.plain() for d in self.dimensions}

    def encode(self, columns: Mapping[str, Sequence[Any]]) -> np.ndarray:
        """Coordinates (n, numeric + categorical): places in the cube, then indices of choices.

        Raises:
            DomainError: a column is missing, or a value is not in its dimension.
        """
        import numpy as np

        out = []
        for dimension in (*self.numeric, *self.categorical):
            if dimension.name not in columns:
                known = ", ".join(map(str, columns))
                raise DomainError(dimension.name, f"no such column; there is {known}")
            out.append([_place(dimension, value) for value in columns[dimension.name]])
        return np.array(out, dtype=float).T.reshape(-1, len(out))

    def decode(self, points: np.ndarray) -> list[dict[str, Any]]:
        """Configurations from coordinates (n, numeric + categorical)."""
        axes = len(self.numeric)
        return [
            {d.name: d.value(float(x)) for d, x in zip(self.numeric, row[:axes], strict=True)}
            | {d.name: d.choices[int(i)]
               for d, i in zip(self.categorical, row[axes:], strict=True)}
            for row in points
        ]  # fmt: skip


EDGE = 1e-9  # by which rounding may put a value outside its range


def _place(dimension: Dimension, value: Any) -> float:
    if not dimension.numeric:
        if value not in dimension.choices:
            known = ", ".join(map(str, dimension.choices))
            raise DomainError(dimension.name, f"{value!r} is not one of {known}")
        return float(dimension.choices.index(value))
    try:
        place = dimension.unit(float(value))
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
