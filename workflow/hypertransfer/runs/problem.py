"""Problems of a config: the path of a key, its value, and the values that are expected."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches

from hypertransfer.runs.numbers import is_finite_number, is_number


class _NoValue:
    """The type of `NO_VALUE`."""

    def __repr__(self) -> str:
        return "NO_VALUE"


NO_VALUE = _NoValue()  # the value of a problem whose `expected` is a whole sentence


@dataclass(frozen=True)
class Problem:
    """A value of a config that its key cannot have.

    Attributes:
        path: the keys from the root of the checked part to the value; indices of lists are texts.
        value: the value, or `NO_VALUE`.
        expected: completes the sentence "VALUE is not …"; a whole sentence for `NO_VALUE`.
    """

    path: tuple[str, ...]
    value: object
    expected: str

    @property
    def key(self) -> str:
        """The path with dots between its keys."""
        return ".".join(self.path)

    @property
    def text(self) -> str:
        """The value and the expected values in words, without the path."""
        if self.value is NO_VALUE:
            return self.expected
        return f"{self._as_written} is not {self.expected}"

    @property
    def _as_written(self) -> str:
        """The value as in YAML if it is null, true or false."""
        if self.value is None:
            return "null"
        return str(self.value).lower() if isinstance(self.value, bool) else repr(self.value)

    def __str__(self) -> str:
        return f"{self.key}: {self.text}" if self.path else self.text

    def below(self, *keys: object) -> Problem:
        """The same problem with the keys before its path."""
        return replace(self, path=(*map(str, keys), *self.path))


def known_names(
    name: object, known: Iterable[object], words: str = "known", *, most: int | None = None
) -> str:
    """The known names after `words`, with a hint at the one that an unknown name resembles.

    Of more than `most` names the first are listed. The hint at a number is the nearest of all.
    """
    known = list({str(value): value for value in known}.values())
    shown = list(map(str, known[:most]))
    more = ", …" if len(known) > len(shown) else ""
    return f"{words}: {', '.join(shown) or 'none'}{more}{hint(name, known, most=most)}"


def one_of(value: object, choices: Iterable[object]) -> str:
    """`one of A, B`, with a hint at the choice that a value resembles which is none of them."""
    choices = list(choices)
    return f"one of {', '.join(map(str, choices))}{hint(value, choices)}"


def hint(name: object, known: Iterable[object], *, most: int | None = None) -> str:
    """`; did you mean NAME?` with the known name that an unknown one resembles; empty if none does.

    Texts are looked for among the first `most` names, without their `_` and `-` at first, and
    numbers among all.
    """
    values = {str(value): value for value in known}
    meant = _nearest_number(name, values.values())
    if meant is None:
        shown = list(values)[:most]
        plain = {_plain(text): text for text in reversed(shown)}
        near = [plain[_plain(str(name))]] if _plain(str(name)) in plain else []
        near = near or get_close_matches(str(name), shown, n=1)
        meant = values[near[0]] if near else None
    return "" if meant is None else f"; did you mean {_meant(name, meant)}?"


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _nearest_number(name: object, known: Iterable[object]) -> object:
    """The known number nearest to a number, which may be in quotes; None if there is none.

    Distances are ratios if all numbers are positive, and differences otherwise.
    """
    try:
        number = float(name) if is_number(name) or isinstance(name, str) else math.nan
    except (ValueError, OverflowError):
        return None
    numbers = [value for value in known if is_finite_number(value)]
    if not numbers or not math.isfinite(number):
        return None
    scale = math.log if min(number, *numbers) > 0 else float
    return min(numbers, key=lambda value: abs(scale(value) - scale(number)))


def _meant(name: object, meant: object) -> str:
    """A value to write instead of `name`: texts in quotes, and a number without."""
    if is_number(meant):
        return f"{meant}, without quotes" if isinstance(name, str) else str(meant)
    return repr(str(meant))


class ProblemError(ValueError):
    """Values of a config that cannot be used; `problems` lists all of them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(map(str, self.problems)))

    @classmethod
    def at(cls, path: tuple[str, ...], value: object, expected: str) -> ProblemError:
        """The exception for one value."""
        return cls([Problem(path, value, expected)])
