"""Values of an axis as a config writes them: a list, or a form that generates them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from hypertransfer.runs.canonical import canonical
from hypertransfer.studies import sobol

# Of the values of an axis, beside a list.
FORMS = frozenset({"powers", "logspace", "range", "sobol"})
MOST_VALUES = 100_000  # of an axis, or steps of a schedule
DIGITS = 12  # significant digits of generated values: enough, and free of rounding noise


class GridError(ValueError):
    """A grid that cannot be meant; `path` is the dotted name of the key."""

    def __init__(self, path: str, value: object, expected: str) -> None:
        super().__init__(f"{path}: {value!r} is not {expected}")
        self.path, self.value, self.expected = path, value, expected


def axis_values(path: str, written: object, zipped: bool = False) -> list:
    """The values of one axis; of one that is zipped with others they may repeat.

    Raises:
        GridError: the values are empty, not finite, have duplicates, or the form is unknown.
    """
    try:
        values = _generated(path, written) if isinstance(written, Mapping) else written
        if not isinstance(values, list) or not values:
            raise GridError(path, written, "a list with at least one value")
        texts = [canonical(value) for value in values]
    except GridError:
        raise
    except (TypeError, OverflowError, ValueError) as error:
        raise GridError(path, written, f"a list of finite, plain values: {error}") from error
    doubles = sorted(text for text, count in Counter(texts).items() if count > 1)
    if doubles and not zipped:
        raise GridError(path, written, f"free of duplicates: {', '.join(doubles)} stands twice")
    return values


def _generated(path: str, written: Mapping) -> list:
    if set(written) == {"powers"}:
        p = {"step": 1, **written["powers"]}
        if p["step"] <= 0 or p["to"] < p["from"]:
            raise GridError(path, written, "a range of powers that goes up, with a step above 0")
        count = int((p["to"] - p["from"]) / p["step"] + 1e-9) + 1
        _check_count(path, written, count)
        return [_tidy(float(p["base"]) ** (p["from"] + i * p["step"])) for i in range(count)]
    if set(written) == {"logspace"}:
        p = written["logspace"]
        if not 0 < p["from"] < p["to"] or p["points"] < 2:
            raise GridError(path, written, "a logspace with 0 < from < to and at least 2 points")
        _check_count(path, written, p["points"])
        ratio = p["to"] / p["from"]
        return [_tidy(p["from"] * ratio ** (i / (p["points"] - 1))) for i in range(p["points"])]
    if set(written) == {"range"}:
        _check_count(path, written, written["range"])
        return list(range(written["range"]))
    if set(written) == {"sobol"}:
        return _sobol(path, written)
    raise GridError(path, written, "a list, or one of powers, logspace, range, sobol")


def _sobol(path: str, written: Mapping) -> list:
    p = {"log": True, **written["sobol"]}
    if p["from"] >= p["to"] or (p["log"] and p["from"] <= 0):
        raise GridError(path, written, "a design with from < to, and from above 0 on a log axis")
    if not 0 <= p["column"] < sobol.COLUMNS:
        raise GridError(path, written, f"a column from 0 to {sobol.COLUMNS - 1}")
    _check_count(path, written, p["points"])
    places = sobol.column(p["column"], p["points"])
    if p["log"]:
        return [_tidy(p["from"] * (p["to"] / p["from"]) ** place) for place in places]
    return [_tidy(p["from"] + (p["to"] - p["from"]) * place) for place in places]


def _check_count(path: str, written: object, count: int) -> None:
    if count > MOST_VALUES:
        raise GridError(path, written, f"at most {MOST_VALUES} values")


def _tidy(value: float) -> float | int:
    value = float(f"{value:.{DIGITS}g}")
    return int(value) if value == int(value) and abs(value) < 2**53 else value
