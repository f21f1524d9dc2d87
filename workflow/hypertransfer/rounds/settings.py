"""The settings of an adaptive axis, whose values are found, and its lattice of possible values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from hypertransfer.runs.numbers import power_of_two
from hypertransfer.runs.problem import Problem
from hypertransfer.runs.section import Section

WIDE = 2  # steps to each side of the start in the first round, where no smaller size predicts
NARROW = 1  # the same for all other sizes
MOST_NOTCHES = 10_000  # of a lattice


@dataclass(frozen=True)
class Adaptive(Section):
    """The settings of an adaptive axis.

    The possible values are the lattice `start` · 2^(notch · `spacing`), with whole numbers `notch`
    from `-reach` to `reach`.

    Attributes:
        start: the value in the middle of the lattice, as a number or as the text `2^x`.
        step: distance in octaves of the values that are run first.
        finest: distance in octaves to which the values around the best one are refined; None for
            no refinement below `step`.
        rounds: largest number of rounds; not read with `best_of`, whose grid has one round.
        octaves: width in octaves of the lattice.
        best_of: name of a grid whose best values are taken; None if the axis finds its own.
    """

    start: float | str
    step: float = 1
    finest: float | None = None
    rounds: int = 4
    octaves: float = 12
    best_of: str | None = None

    @property
    def origin(self) -> float:
        """The start as a number."""
        power = power_of_two(self.start) if isinstance(self.start, str) else None
        return float(self.start if power is None else power)

    @property
    def spacing(self) -> float:
        """The distance of neighbouring values of the lattice, in octaves."""
        return self.step if self.finest is None else self.finest

    @property
    def stride(self) -> int:
        """The step in notches."""
        return round(self.step / self.spacing)

    @property
    def reach(self) -> int:
        """The last notch on each side of the start; every lattice ends with a whole step."""
        return math.floor(self.octaves / 2 / self.step + 1e-9) * self.stride

    @property
    def width(self) -> float:
        """The width of the lattice in octaves."""
        return 2 * self.reach * self.spacing

    def value(self, notch: int) -> float:
        """The value at a notch, to 12 digits as in tables of runs."""
        return float(f"{self.origin * 2.0 ** (notch * self.spacing):.12g}")

    def log2(self, notch: int) -> float:
        """The base-2 logarithm of the value at a notch."""
        return math.log2(self.origin) + notch * self.spacing

    def notch(self, value: float) -> int:
        """The notch of a value of the lattice."""
        return round((math.log2(value) - math.log2(self.origin)) / self.spacing)

    def stepped_notch(self, log2: float) -> int:
        """The notch, in whole steps from the start, that is nearest to a base-2 logarithm."""
        return round((log2 - math.log2(self.origin)) / self.step) * self.stride

    def notches(self) -> range:
        """All notches of the lattice, ascending."""
        return range(-self.reach, self.reach + 1)

    @staticmethod
    def _needed(halvings: float) -> int:
        """The rounds that halve the step this often, after one that starts and two that bracket."""
        return 3 + math.ceil(halvings - 1e-9)

    def problems(self) -> Iterator[Problem]:
        """Problems of settings that the schema has accepted."""
        if not (math.isfinite(self.origin) and self.origin > 0):
            yield Problem(("start",), self.start, "a positive finite number")
        halvings = math.log2(self.step / self.spacing)
        if halvings < 0 or not math.isclose(halvings, round(halvings), abs_tol=1e-9):
            text = f"the step {self.step:g}, a half, a quarter, … of it"
            yield Problem(("finest",), self.finest, text)
        elif not self.best_of and halvings and self.rounds < self._needed(halvings):
            text = (
                f"at least {self._needed(halvings)}, so that the values around the best one can be "
                f"{self.finest:g} octaves apart: raise `rounds` or `finest`"
            )
            yield Problem(("rounds",), self.rounds, text)
        if self.octaves < 2 * WIDE * self.step:
            text = f"at least {2 * WIDE:g} steps wide, which the first round runs"
            yield Problem(("octaves",), self.octaves, text)
        if self.octaves / self.spacing > MOST_NOTCHES:
            yield Problem(("octaves",), self.octaves, f"at most {MOST_NOTCHES} values wide")


@dataclass(frozen=True)
class Listed(Section):
    """Settings that a config lists, of which the best one of another grid is run.

    A notch is the place of a setting in the list.

    Attributes:
        values: the learning rate of each setting, by which settings are told apart.
        best_of: name of the grid whose best setting is taken; None for that grid itself.
    """

    values: Sequence[float]
    best_of: str | None = None
    stride: ClassVar[int] = 1
    rounds: ClassVar[int] = 1

    def value(self, notch: int) -> float:
        """The learning rate of a setting."""
        return self.values[notch]

    def notch(self, value: float) -> int:
        """The place of the setting with a learning rate."""
        return self.values.index(value)


def parse(values: Mapping[str, Any]) -> Adaptive | Listed:
    """The settings of a mapping that `complete` of one of the classes has written."""
    return Listed.parse(values) if "values" in values else Adaptive.parse(values)


DEFAULTS: Mapping[str, Any] = {
    field.name: field.default for field in fields(Adaptive) if field.name != "start"
}
