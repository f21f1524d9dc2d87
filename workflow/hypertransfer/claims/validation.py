"""Claims as a config writes them, checked when the workflow is planned."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hypertransfer.claims import measure as claims_measure
from hypertransfer.claims.families import measures
from hypertransfer.runs import conditions

CONFIDENCE = ("high", "medium", "low")
MIN_SEEDS = 3
CONTROL_KEYS = {"measure": True, "where": True, "bar": True, "options": False, "unit": False}
CLAIM_KEYS = {
    "id": True, "sentence": True, "source": True, "confidence": True, **CONTROL_KEYS,
    "paper_value": False, "control": False, "min_seeds": False,
}  # fmt: skip


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
    if not isinstance(name, str) or name not in measures():
        yield f"measure: {name!r} is unknown; known: {', '.join(measures())}"
        return
    if not isinstance(options, Mapping):
        yield f"options: {options!r} is not a mapping"
        return
    known = measures()[name].options
    for key, value in options.items():
        if key not in known:
            yield f"options.{key}: unknown option of {name}; known: {', '.join(known)}"
        elif expected := _expected(key, value, known[key], measures()[name].choices):
            yield f"options.{key}: {value!r} is not {expected}"


def _expected(key: str, value: Any, default: object, choices: Mapping[str, tuple[str, ...]]) -> str:
    """What an option should have been; empty if it is that."""
    kind = str if default is None else type(default)
    if not _is(value, kind):
        words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
        return words[kind]
    if key in choices and value not in choices[key]:
        return f"one of {', '.join(choices[key])}"
    low, high = claims_measure.RANGES.get(key, (-math.inf, math.inf))
    return "" if kind in (bool, str) or low <= value <= high else f"within {low:g} and {high:g}"


def _is(value: object, kind: type) -> bool:
    """Whether a value of a config is of a type: whole numbers are numbers, booleans are not."""
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float if kind is float else kind)
