"""Expand the values of an axis: a list, or a form that generates the values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from hypertransfer.rounds import settings as rounds_settings
from hypertransfer.rounds.settings import Adaptive
from hypertransfer.runs.canonical import canonical
from hypertransfer.runs.problem import NO_VALUE, ProblemError
from hypertransfer.studies import sobol

# Forms that generate the values of an axis.
FORMS = frozenset({"powers", "logspace", "range", "sobol", "adaptive"})
# Seeds of which more run where claims need them: the text in a config; once the study's `spending`
# is known, a form `{as_needed: [4, 10]}` with its numbers of seeds.
AS_NEEDED = "as_needed"
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "powers": {"step": 1},
    "sobol": {"log": True},
    "adaptive": rounds_settings.DEFAULTS,
}
_PLAIN_LIST = "a list of finite, plain values: numbers, texts, true, false or null"
MOST_VALUES = 100_000  # largest number of values of an axis, or of checkpoints of a probe
DIGITS = 12  # significant digits of generated values; further digits would be rounding errors
Path = tuple[str, ...]  # keys from the root of the grid to an axis
CHOSEN = "lr"  # the axis by which the settings of a grid with `best_of` are told apart


def axis_values(path: Path, written: object, zipped: bool = False) -> list:
    """The values of one axis; only a zipped axis may have duplicates.

    Raises:
        ProblemError: there are no values, a value is not finite or occurs twice, or the form is
            unknown.
    """
    if written == AS_NEEDED:
        raise ProblemError.at(path, NO_VALUE, _without_numbers(path))
    try:
        values = _generated(path, written) if isinstance(written, Mapping) else written
        if not isinstance(values, list) or not values:
            raise ProblemError.at(path, written, "a list with at least one value")
        texts = [equality_text(value) for value in values]
    except ProblemError:
        raise
    except (TypeError, OverflowError, ValueError) as reason:
        form = "a form of finite numbers" if isinstance(written, Mapping) else _PLAIN_LIST
        raise ProblemError.at(path, written, form) from reason
    doubles = sorted(text for text, count in Counter(texts).items() if count > 1)
    if doubles and not zipped:
        raise ProblemError.at(
            path, written, f"free of duplicates: {', '.join(doubles)} occurs twice"
        )
    return values


def adaptive(grid: Mapping[str, Any]) -> list[str]:
    """The axes of a grid whose values are found: `{adaptive: …}`, or those of `best_of`."""
    written = grid.get("axes", {}).items()
    found = [axis for axis, form in written if isinstance(form, Mapping) and "adaptive" in form]
    return [*found, CHOSEN] if grid.get("best_of") else found


def equality_text(value: object) -> str:
    """A text that two values share if they are equal: 1 and 1.0 are, 1 and true are not."""
    return canonical(_whole_floats_as_ints(value))


def _whole_floats_as_ints(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _whole_floats_as_ints(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_whole_floats_as_ints(inner) for inner in value]
    whole = isinstance(value, float) and value.is_integer()
    return int(value) if whole else value


def _generated(path: Path, written: Mapping) -> list:
    makers = {
        "powers": _powers,
        "logspace": _logspace,
        "range": _range,
        "sobol": _sobol,
        "adaptive": _adaptive,
        AS_NEEDED: _as_needed,
    }
    (form, *others) = written or ("",)
    if form not in makers or others:
        known = ", ".join(name for name in makers if name in FORMS)
        raise ProblemError.at(path, written, f"a list, or one of {known}")
    return makers[form](path, written)


def _powers(path: Path, written: Mapping) -> list:
    p = {**DEFAULTS["powers"], **written["powers"]}
    if p["step"] <= 0 or p["to"] < p["from"]:
        raise ProblemError.at(path, written, "a range of powers with from ≤ to and a step above 0")
    count = int((p["to"] - p["from"]) / p["step"] + 1e-9) + 1
    _check_count(path, written, count)
    return [_tidy(float(p["base"]) ** (p["from"] + i * p["step"])) for i in range(count)]


def _logspace(path: Path, written: Mapping) -> list:
    p = written["logspace"]
    if not 0 < p["from"] < p["to"] or p["points"] < 2:
        raise ProblemError.at(path, written, "a logspace with 0 < from < to and at least 2 points")
    _check_count(path, written, p["points"])
    ratio = p["to"] / p["from"]
    return [_tidy(p["from"] * ratio ** (i / (p["points"] - 1))) for i in range(p["points"])]


def _range(path: Path, written: Mapping) -> list:
    _check_count(path, written, written["range"])
    return list(range(written["range"]))


def _sobol(path: Path, written: Mapping) -> list:
    p = {**DEFAULTS["sobol"], **written["sobol"]}
    if p["from"] >= p["to"] or (p["log"] and p["from"] <= 0):
        raise ProblemError.at(
            path, written, "a design with from < to, and from above 0 on a log axis"
        )
    if not 0 <= p["column"] < sobol.COLUMNS:
        raise ProblemError.at(path, written, f"a column from 0 to {sobol.COLUMNS - 1}")
    _check_count(path, written, p["points"])
    places = sobol.column(p["column"], p["points"])
    if p["log"]:
        return [_tidy(p["from"] * (p["to"] / p["from"]) ** place) for place in places]
    return [_tidy(p["from"] + (p["to"] - p["from"]) * place) for place in places]


def is_adaptive(written: object) -> bool:
    """Whether the values of an axis are found: each round of runs chooses some of the values."""
    return isinstance(written, Mapping) and "adaptive" in written


def _adaptive(path: Path, written: Mapping) -> list:
    """All values that rounds may choose."""
    settings = Adaptive.parse(written["adaptive"])
    if problems := list(settings.problems()):
        raise ProblemError(problem.below(*path, "adaptive") for problem in problems)
    return [_tidy(settings.value(notch)) for notch in settings.notches()]


def is_as_needed(written: object) -> bool:
    """Whether an axis holds seeds of which more run where claims need them."""
    return isinstance(written, Mapping) and AS_NEEDED in written


def _as_needed(_: Path, written: Mapping) -> list:
    """All seeds that may run."""
    return list(range(written[AS_NEEDED][-1]))


def _without_numbers(path: Path) -> str:
    """Why an axis cannot be `as_needed`."""
    if path and path[-1] != "seed":
        return f"only the axis seed can be {AS_NEEDED}: list the values"
    return (
        f"{AS_NEEDED} takes the numbers of seeds from `spending` of the study, which is missing or "
        "has problems: write `spending: {core_minutes: …, seeds: [4, 10]}`, or list the seeds"
    )


def _check_count(path: Path, written: object, count: int) -> None:
    if count > MOST_VALUES:
        raise ProblemError.at(path, written, f"at most {MOST_VALUES} values")


def _tidy(value: float) -> float | int:
    value = float(f"{value:.{DIGITS}g}")
    return int(value) if value == int(value) and abs(value) < 2**53 else value
