"""Claims as data: what a paper says, how to measure it here, and the verdict on it.

    - id: mup-width
      sentence: Under µP the best learning rate does not move with width.
      source: Noci et al., Fig. 1
      paper_value: 1 grid step in 16×
      confidence: high
      measure: optimum_shift
      where: {grid: width, parameterisation: mup}
      bar: {max: 1}
      control: {measure: optimum_shift, where: {grid: width, parameterisation: sp}, bar: {min: 2}}

A claim holds when the whole interval meets the bar, fails when the whole interval violates it,
and is undecided otherwise. Claims are checked for sense when the workflow is planned, so this
module stays free of pandas and scipy until something is measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import hypertransfer.comparisons
import hypertransfer.space_measures  # noqa: F401 - both register their measures
from hypertransfer import measures
from hypertransfer.measures import MEASURES, ClaimError, Measured, Tables, need
from hypertransfer.runs import conditions

if TYPE_CHECKING:
    import pandas as pd

CONFIDENCE = ("high", "medium", "low")
MIN_SEEDS = 3
CONTROL_KEYS = {"measure": True, "where": True, "bar": True, "options": False, "unit": False}
CLAIM_KEYS = {
    "id": True, "sentence": True, "source": True, "confidence": True, **CONTROL_KEYS,
    "paper_value": False, "control": False, "min_seeds": False,
}  # fmt: skip
COLUMNS = (
    "study", "claim", "sentence", "source", "paper_value", "value", "low", "high", "bar",
    "verdict", "confidence", "scale", "edition", "reason", "unit",
)  # fmt: skip
NUMBERS = ("value", "low", "high")
TOLERANCE = 1e-9  # a value meets a bar that it misses by rounding


@dataclass(frozen=True)
class Verdict:
    """What the runs say about a claim: `holds`, `fails` or `undecided`, and why."""

    id: str
    sentence: str
    source: str
    paper_value: str | None
    value: float
    low: float
    high: float
    bar: str
    verdict: str
    reason: str
    confidence: str
    seeds: int
    unit: str


# Checking claims at planning time ----------------------------------------------------------


def validate(claims: Iterable[Any]) -> list[str]:
    """Everything that is wrong with a list of claims as written, in words; no tables needed."""
    claims = list(claims)
    ids = [claim.get("id") for claim in claims if isinstance(claim, Mapping)]
    doubles = [name for name in dict.fromkeys(map(str, ids)) if list(map(str, ids)).count(name) > 1]
    problems = [text for _, text in validate_each(claims)]
    return problems + [
        f"claim {name!r}: the id stands twice; give each its own" for name in doubles
    ]


def validate_each(claims: Iterable[Any]) -> Iterator[tuple[int, str]]:
    """What is wrong with each claim by itself: its place in the list, and the words."""
    for index, claim in enumerate(claims):
        if not isinstance(claim, Mapping):
            yield index, f"claim {index}: {claim!r} is not a mapping"
            continue
        name = f"claim {claim.get('id', index)!r}"
        for text in _claim_problems(claim):
            yield index, f"{name}: {text}"


def _claim_problems(claim: Mapping[str, Any]) -> Iterator[str]:
    yield from _part_problems(claim, CLAIM_KEYS)
    for key in ("id", "sentence", "source"):
        if key in claim and not (isinstance(claim[key], str) and claim[key].strip()):
            yield f"{key}: {claim[key]!r} is not a text"
    if not isinstance(claim.get("paper_value"), str | None):
        yield f"paper_value: {claim['paper_value']!r} is not a text or null; put it in quotes"
    if "confidence" in claim and claim["confidence"] not in CONFIDENCE:
        yield f"confidence: {claim['confidence']!r} is not one of {', '.join(CONFIDENCE)}"
    if not _is(claim.get("min_seeds", 1), int) or claim.get("min_seeds", 1) < 1:
        yield f"min_seeds: {claim['min_seeds']!r} is not a whole number of at least 1"
    control = claim.get("control", {})
    if not isinstance(control, Mapping):
        yield f"control: {control!r} is not a mapping"
    elif "control" in claim:
        yield from (f"control.{text}" for text in _part_problems(control, CONTROL_KEYS))


def _part_problems(part: Mapping[str, Any], keys: Mapping[str, bool]) -> Iterator[str]:
    """Problems of what claims and controls share: keys, measure, options, where, bar."""
    for key in part:
        if key not in keys:
            yield f"{key}: unknown key; known: {', '.join(keys)}"
    yield from (f"{key}: is missing" for key, needed in keys.items() if needed and key not in part)
    if "where" in part and not isinstance(part["where"], Mapping):
        yield f"where: {part['where']!r} is not a mapping of columns to values"
    if "unit" in part and not isinstance(part["unit"], str):
        yield f"unit: {part['unit']!r} is not a text"
    if "bar" in part:
        yield from _bar_problems(part["bar"])
    if "measure" in part:
        yield from _measure_problems(part["measure"], part.get("options", {}))


def _bar_problems(bar: Any) -> Iterator[str]:
    if not conditions.is_bounds(bar):
        yield f"bar: {bar!r} is not {{max: x}}, {{min: x}} or {{min: a, max: b}}"
        return
    wrong = [end for end, x in bar.items() if not _is(x, float) or not math.isfinite(x)]
    yield from (f"bar.{end}: {bar[end]!r} is not a finite number" for end in wrong)
    if not wrong and bar.get("min", -math.inf) > bar.get("max", math.inf):
        yield f"bar: min {bar['min']} is above max {bar['max']}"


def _measure_problems(name: Any, options: Any) -> Iterator[str]:
    if not isinstance(name, str) or name not in MEASURES:
        yield f"measure: {name!r} is unknown; known: {', '.join(MEASURES)}"
        return
    if not isinstance(options, Mapping):
        yield f"options: {options!r} is not a mapping"
        return
    known = MEASURES[name].options
    for key, value in options.items():
        if key not in known:
            yield f"options.{key}: unknown option of {name}; known: {', '.join(known)}"
        elif expected := _expected(key, value, known[key], MEASURES[name].choices):
            yield f"options.{key}: {value!r} is not {expected}"


def _expected(key: str, value: Any, default: object, choices: Mapping[str, tuple[str, ...]]) -> str:
    """What an option should have been; empty if it is that."""
    kind = str if default is None else type(default)
    if not _is(value, kind):
        words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
        return words[kind]
    if key in choices and value not in choices[key]:
        return f"one of {', '.join(choices[key])}"
    low, high = measures.RANGES.get(key, (-math.inf, math.inf))
    return "" if kind in (bool, str) or low <= value <= high else f"within {low:g} and {high:g}"


def _is(value: object, kind: type) -> bool:
    """Whether a value of a config is of a type: whole numbers are numbers, booleans are not."""
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float if kind is float else kind)


# Verdicts ----------------------------------------------------------------------------------


def check(claim: Mapping[str, Any], tables: Tables, seed: int = 0) -> Verdict:
    """Measure a claim on the tables `runs`, `history` and `probes`, and judge it.

    `seed` is that of the generator that resamples.

    Raises:
        ClaimError: the claim is malformed, selects nothing, or names what is not there.
    """
    if problems := validate([claim]):
        raise ClaimError("\n".join(problems))
    name = f"claim {claim['id']!r}"
    measured = _measure(claim, tables, seed, name)
    unit = _unit(claim)
    verdict, reason = _judge(claim["bar"], measured, unit, claim.get("min_seeds", MIN_SEEDS))
    if "control" in claim and measured.seeds >= claim.get("min_seeds", MIN_SEEDS):
        fault = _control_fault(claim, tables, seed, name)
        verdict, reason = ("undecided", f"{fault}; by itself: {reason}") if fault else (
            verdict, reason)  # fmt: skip
    return Verdict(
        id=claim["id"], sentence=claim["sentence"], source=claim["source"],
        paper_value=claim.get("paper_value"), value=measured.value, low=measured.low,
        high=measured.high, bar=bar_text(claim["bar"], unit), verdict=verdict, reason=reason,
        confidence=claim["confidence"], seeds=measured.seeds, unit=unit,
    )  # fmt: skip


def scorecard(
    claims: Iterable[Mapping[str, Any]], tables: Tables, *, study: str, scale: str, edition: str,
    seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """One row a claim, with the columns `COLUMNS`.

    Raises:
        ClaimError: everything that keeps claims from being measured, a line each.
    """
    import pandas as pd

    rows, problems = [], []
    for claim in claims:
        try:
            verdict = asdict(check(claim, tables, seed))
        except ClaimError as error:
            problems.append(str(error))
            continue
        rows.append({"study": study, "claim": verdict["id"], **verdict,
                     "scale": scale, "edition": edition})  # fmt: skip
    if problems:
        raise ClaimError("\n".join(problems))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({name: float if name in NUMBERS else "str" for name in COLUMNS})


def bar_text(bar: Mapping[str, float], unit: str = "") -> str:
    """A bar in words: `≤ 1 octave`, `≥ 2 octaves`, `0.5 to 2 octaves`."""
    if len(bar) == 2:
        text = f"{bar['min']:g} to {bar['max']:g}"
    else:
        text = f"≤ {bar['max']:g}" if "max" in bar else f"≥ {bar['min']:g}"
        unit = unit.replace("octaves", "octave") if 1 in bar.values() else unit
    return f"{text} {unit}".strip()


def _unit(part: Mapping[str, Any]) -> str:
    return part.get("unit", MEASURES[part["measure"]].unit)


def _measure(part: Mapping[str, Any], tables: Tables, seed: int, name: str) -> Measured:
    """Select the runs of a claim or control and measure them; errors name the claim."""
    from hypertransfer.transfer import TransferError

    try:
        measure = MEASURES[part["measure"]]
        if measure.table not in tables:
            given = ", ".join(tables) or "none"
            raise ClaimError(f"the table {measure.table!r} is needed; given: {given}")
        rows = _select(tables[measure.table], part["where"], measure.table)
        selected = {**tables, measure.table: rows}
        return measure.function(selected, seed, **part.get("options", {}))
    except (ClaimError, TransferError) as error:
        raise ClaimError(f"{name}: {error}") from error


def _select(runs: pd.DataFrame, where: Mapping[str, Any], table: str) -> pd.DataFrame:
    """The rows whose columns are as wanted; an empty selection names the column to blame."""
    need(table, runs, where)
    if runs.empty:
        raise ClaimError(f"the table {table!r} is empty: nothing was trained or collected")
    for column, wanted in where.items():
        known = runs[column].tolist()
        try:
            kept = [conditions.matches({column: wanted}, {column: value}) for value in known]
        except TypeError as error:
            raise ClaimError(f"where.{column}: {wanted!r} cannot be compared: {error}") from error
        if not any(kept):
            rows = "run" if table == "runs" else "row"
            there = ", ".join(sorted({str(value) for value in known}))
            raise ClaimError(
                f"where.{column}: no {rows} has {wanted!r}; with the conditions before it there is "
                f"{there}: change the claim or the grid"
            )
        runs = runs[kept]
    return runs


def _control_fault(claim: Mapping[str, Any], tables: Tables, seed: int, name: str) -> str:
    """Why a control does not show that the claim could have failed; empty if it does."""
    control = claim["control"]
    measured = _measure(control, tables, seed, f"{name} (control)")
    unit = _unit(control)
    verdict, reason = _judge(control["bar"], measured, unit, claim.get("min_seeds", MIN_SEEDS))
    if verdict == "holds":
        return ""
    bar = bar_text(control["bar"], unit)
    return f"the control does not hold, so these runs have no power ({bar} {verdict}: {reason})"


def _judge(
    bar: Mapping[str, float], measured: Measured, unit: str, min_seeds: int
) -> tuple[str, str]:
    """The verdict on an interval, and the reason for a reader."""
    if measured.seeds < min_seeds:
        noun = measured.over[:-1] if measured.seeds == 1 else measured.over
        return "undecided", f"{measured.seeds} {noun} ran, and {min_seeds} are asked for"
    least, most = bar.get("min", -math.inf) - TOLERANCE, bar.get("max", math.inf) + TOLERANCE
    text, words = _interval(measured), bar_text(bar, unit)
    caveat = f"; {measured.caveat}" if measured.caveat else ""
    if least <= measured.low and measured.high <= most:
        return "holds", f"{text}, all of it meets the bar {words}{caveat}"
    if measured.high < least or measured.low > most:
        return "fails", f"{text}, all of it violates the bar {words}{caveat}"
    return "undecided", f"{text}, on both sides of the bar {words}{caveat}"


def _interval(measured: Measured) -> str:
    one, many = measured.over[:-1], measured.over
    seeds = f"over {measured.seeds} {many}" if measured.seeds > 1 else f"from one {one}"
    if math.isnan(measured.value) or (measured.low, measured.high) == (-math.inf, math.inf):
        return "the value is open"
    if measured.lower_bound_only:
        return f"at least {measured.low:.3g} {seeds}"
    if measured.upper_bound_only:
        return f"at most {measured.high:.3g} {seeds}"
    if measured.low == math.inf:
        return f"infinite {seeds}"
    low, high = f"{measured.low:.3g}", f"{measured.high:.3g}"
    return f"{low} {seeds}" if low == high else f"{low} to {high} {seeds}"
