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

from hypertransfer.runs.problem import NO_VALUE, Problem, ProblemError

if TYPE_CHECKING:
    import numpy as np

KEYS = ("low", "high", "log", "integer", "choices")
MOST_CHOICES = 1000


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
    def parse(cls, written: Mapping[str, Any], path: tuple[str, ...] = ()) -> Domain:
        """From declarations by name; `path` holds the keys above them.

        Raises:
            ProblemError: every problem of the declarations.
        """
        if wrong := list(problems(written, path)):
            raise ProblemError(wrong)
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
            ProblemError: a column is missing, or a value is not in its dimension.
        """
        import numpy as np

        out = []
        for dimension in (*self.numeric, *self.categorical):
            if dimension.name not in columns:
                known = ", ".join(map(str, columns))
                raise ProblemError.at(
                    (dimension.name,), NO_VALUE, f"no such column; there is {known}"
                )
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
            raise ProblemError.at(
                (dimension.name,), value, f"one of {', '.join(map(str, dimension.choices))}"
            )
        return float(dimension.choices.index(value))
    try:
        place = dimension.unit(float(value))
    except (TypeError, ValueError):
        place = math.nan
    if not -EDGE <= place <= 1 + EDGE:
        raise ProblemError.at(
            (dimension.name,), value, f"within {dimension.low:g} and {dimension.high:g}"
        )
    return min(max(place, 0.0), 1.0)


def problems(written: Any, path: tuple[str, ...] = ()) -> Iterator[Problem]:
    """Every problem of declarations of dimensions; `path` holds the keys above them."""
    if not isinstance(written, Mapping) or not written:
        yield Problem(path, written, "a mapping of hyperparameters to their ranges")
        return
    for name, declaration in written.items():
        for problem in _declaration_problems(declaration):
            yield problem.below(*path, name)


def _declaration_problems(declared: Any) -> Iterator[Problem]:
    """Problems of one dimension; its paths start below the dimension's name."""
    if not isinstance(declared, Mapping):
        yield Problem((), declared, "{low: …, high: …} or {choices: […]}")
        return
    if unknown := [key for key in declared if key not in KEYS]:
        yield _sentence(f"unknown key {unknown[0]!r}; known: {', '.join(KEYS)}")
    elif "choices" in declared:
        yield from _choice_problems(declared)
    elif missing := [key for key in ("low", "high") if key not in declared]:
        yield _sentence(f"the key {missing[0]!r} is missing; or write choices: […]")
    elif wrong := [key for key in ("low", "high") if not _is_number(declared[key])]:
        yield Problem((wrong[0],), declared[wrong[0]], "a finite number")
    elif wrong := [k for k in ("log", "integer") if not isinstance(declared.get(k, False), bool)]:
        yield Problem((wrong[0],), declared[wrong[0]], "true or false")
    elif declared["low"] >= declared["high"]:
        yield _sentence(f"low {declared['low']:g} is not below high {declared['high']:g}")
    elif declared.get("log") and declared["low"] <= 0:
        yield _sentence(f"low {declared['low']:g} is not above 0, as log: true needs")
    elif declared.get("integer") and any(declared[k] != int(declared[k]) for k in ("low", "high")):
        yield _sentence("low and high are not whole numbers, as integer: true needs")


def _choice_problems(declared: Mapping[str, Any]) -> Iterator[Problem]:
    choices, path = declared["choices"], ("choices",)
    if not isinstance(choices, list | tuple) or not 1 <= len(choices) <= MOST_CHOICES:
        yield Problem(path, choices, f"a list of 1 to {MOST_CHOICES} values")
    elif not all(isinstance(choice, str | int | float) for choice in choices):
        yield Problem(path, NO_VALUE, f"{choices!r} holds what is neither text nor number")
    elif len(set(choices)) < len(choices):
        yield Problem(path, NO_VALUE, f"{choices!r} has a value twice")
    if len(declared) > 1:
        yield _sentence("choices stand alone, without low, high, log or integer")


def _sentence(text: str) -> Problem:
    return Problem((), NO_VALUE, text)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
