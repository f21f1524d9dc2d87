"""The dimensions of a search space, and coordinates in the unit cube.

A declaration states which values a hyperparameter can have:

    lr: {low: 1.0e-4, high: 1, log: true}
    epochs: {low: 1, high: 50, log: true, integer: true}
    schedule: {choices: [cosine, linear]}

The whole range of a numeric dimension is scaled to [0, 1], logarithmically with `log: true`, so
that a volume is a share of the whole space. Choices have no order: a learned space keeps a subset
of them. Planning imports this module, so functions that need numpy import it themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypertransfer.runs.numbers import is_finite_number
from hypertransfer.runs.problem import NO_VALUE, Problem, ProblemError

if TYPE_CHECKING:
    import numpy as np

KEYS = ("low", "high", "log", "integer", "choices")
MOST_CHOICES = 1000
EDGE = 1e-9  # tolerance of values at the ends of a linear range, as a share of it, for rounding
WHOLE = 1e-9  # relative tolerance of whole numbers, for rounding
NEAR = 2.0**-23  # relative tolerance of values at the ends of a range: single precision


@dataclass(frozen=True)
class Dimension:
    """One hyperparameter: a linear or log range of real or integer numbers, or a set of choices."""

    name: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    integer: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def numeric(self) -> bool:
        """Whether the dimension is a range of numbers rather than a set of choices."""
        return not self.choices

    def holds(self, value: float) -> bool:
        """Whether a number is within the range, and whole if the dimension is of integers."""
        if not self.spans(value):
            return False
        return not self.integer or math.isclose(value, round(value), rel_tol=WHOLE)

    def spans(self, value: float) -> bool:
        """Whether a number is within the range, up to single precision at its ends."""
        slack = 0.0 if self.log else EDGE * (self.high - self.low)
        return self.low <= value <= self.high or any(
            math.isclose(value, end, rel_tol=NEAR, abs_tol=slack) for end in (self.low, self.high)
        )

    @property
    def expected(self) -> str:
        """What `holds` accepts, in words."""
        noun = "a whole number " if self.integer else ""
        return f"{noun}between {self.low:g} and {self.high:g}"

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

    A point has the coordinates of the numeric dimensions in the unit cube first, then the index of
    a choice for each categorical dimension. Arrays of points have the shape (n, d).
    """

    dimensions: tuple[Dimension, ...]

    @classmethod
    def parse(cls, written: Mapping[str, Any], path: tuple[str, ...] = ()) -> Domain:
        """The domain of declarations by name; `path` holds the keys above them, for messages.

        Raises:
            ProblemError: every problem of the declarations.
        """
        if wrong := list(problems(written, path)):
            raise ProblemError(wrong)
        return cls(
            tuple(
                Dimension(name, choices=tuple(d["choices"]))
                if "choices" in d
                else Dimension(name, **d)
                for name, d in written.items()
            )
        )

    @property
    def names(self) -> list[str]:
        """The names of all dimensions."""
        return [d.name for d in self.dimensions]

    @property
    def numeric(self) -> tuple[Dimension, ...]:
        """The dimensions with ranges: the axes of the unit cube."""
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
            ProblemError: a column is missing, or a value lies outside its dimension.
        """
        import numpy as np

        coordinates = []
        for dimension in (*self.numeric, *self.categorical):
            if dimension.name not in columns:
                known = ", ".join(map(str, columns))
                raise ProblemError.at(
                    (dimension.name,), NO_VALUE, f"no such column; there is {known}"
                )
            coordinates.append([_place(dimension, value) for value in columns[dimension.name]])
        return np.array(coordinates, dtype=float).T.reshape(-1, len(coordinates))

    def decode(self, points: np.ndarray) -> list[dict[str, Any]]:
        """The configurations of points (n, d)."""
        axes = len(self.numeric)
        return [
            {d.name: d.from_unit(float(x)) for d, x in zip(self.numeric, row[:axes], strict=True)}
            | {d.name: d.choices[int(i)] for d, i in zip(self.categorical, row[axes:], strict=True)}
            for row in points
        ]


def _place(dimension: Dimension, value: Any) -> float:
    if not dimension.numeric:
        if value not in dimension.choices:
            raise ProblemError.at(
                (dimension.name,), value, f"one of {', '.join(map(repr, dimension.choices))}"
            )
        return float(dimension.choices.index(value))
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not dimension.holds(number):
        raise ProblemError.at((dimension.name,), value, dimension.expected)
    return dimension.to_unit(min(max(number, dimension.low), dimension.high))


def problems(written: Any, path: tuple[str, ...] = ()) -> Iterator[Problem]:
    """Every problem of the declarations of dimensions; `path` holds the keys above them."""
    if not isinstance(written, Mapping) or not written:
        yield Problem(path, written, "a mapping of hyperparameters to their ranges")
        return
    for name, declaration in written.items():
        if not isinstance(name, str):
            yield Problem(path, name, "a text: put the name of a hyperparameter in quotes")
            continue
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
    elif wrong := [key for key in ("low", "high") if not is_finite_number(declared[key])]:
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
