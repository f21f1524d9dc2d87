"""Check the claims of a config when the workflow is planned."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any

from hypertransfer.catalogue.config_schemas import confidences, ids, kinds
from hypertransfer.catalogue.options import COUNT, MOST_COUNT, Validator, typed_number
from hypertransfer.claims.bars import TOLERANCE
from hypertransfer.claims.claim import Claim, Control
from hypertransfer.claims.families import measures
from hypertransfer.claims.measure import Measure
from hypertransfer.runs import conditions
from hypertransfer.runs.columns import ALONG_TRAINING
from hypertransfer.runs.numbers import is_finite_number
from hypertransfer.runs.problem import NO_VALUE, Problem, known_names, one_of
from hypertransfer.runs.scorecard import PAPER
from hypertransfer.runs.section import default_of

# Words that name a place in a paper, or in the code and notebooks that its authors published.
PLACE = re.compile(
    r"\b(abstract|title|page|section|appendix|fig(ure|\.)|table|theorem|lemma|proposition"
    r"|corollary|algorithm|equation|eq\.|notebooks?|code)|§",
    re.IGNORECASE,
)


def validate(claims: Iterable[Any]) -> list[str]:
    """Every problem of a list of claims as written in a config, each with the claim's id."""
    claims = list(claims)
    ids = [str(claim.get("id")) for claim in claims if isinstance(claim, Mapping)]
    doubles = [name for name in dict.fromkeys(ids) if ids.count(name) > 1]
    return [
        *(f"{_name(claim, i)}: {p}" for i, claim in enumerate(claims) for p in problems(claim)),
        *(f"claim {name!r}: the id occurs twice; give each claim its own" for name in doubles),
    ]


def _name(claim: Any, index: int) -> str:
    if not isinstance(claim, Mapping):
        return f"claim {index}"
    return f"claim {claim.get('id', index)!r}"


def with_whole_numbers(claim: Any) -> Any:
    """A claim as written, where a float without fraction is an int if a whole number is wanted."""
    if not isinstance(claim, Mapping):
        return claim
    changed = dict(claim)
    if "min_seeds" in claim:
        changed["min_seeds"] = typed_number("integer", claim["min_seeds"])
    if "control" in claim:
        changed["control"] = with_whole_numbers(claim["control"])
    measure = measures().get(str(claim.get("measure")))
    if measure and isinstance(claim.get("options"), Mapping):
        counts = [name for name, default in measure.options.items() if type(default) is int]
        changed["options"] = {
            name: typed_number("integer", value) if name in counts else value
            for name, value in claim["options"].items()
        }
    return changed


def problems(claim: Any) -> Iterator[Problem]:
    """Every problem of one claim as written in a config; paths start at the claim's keys."""
    if not isinstance(claim, Mapping):
        yield Problem((), claim, "a mapping")
        return
    yield from _part_problems(claim, Claim)
    if "id" in claim and not Validator(ids()).is_valid(claim["id"]):
        yield Problem(("id",), claim["id"], ids()["expected"])
    yield from _origin_problems(claim)
    if not isinstance(claim.get("paper_value"), str | None):
        yield Problem(("paper_value",), claim["paper_value"], "a text or null; put it in quotes")
    if "confidence" in claim and claim["confidence"] not in confidences():
        yield Problem(
            ("confidence",), claim["confidence"], one_of(claim["confidence"], confidences())
        )
    if "min_seeds" in claim and not Validator(COUNT).is_valid(claim["min_seeds"]):
        expected = f"a whole number of at least 1 and at most {MOST_COUNT}"
        yield Problem(("min_seeds",), claim["min_seeds"], expected)
    control = claim.get("control", {})
    if not isinstance(control, Mapping):
        yield Problem(("control",), control, "a mapping")
    elif "control" in claim:
        yield from (problem.below("control") for problem in _part_problems(control, Control))


def _origin_problems(claim: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of who makes a claim, and of where its bar comes from."""
    for key in ("sentence", "source", "bar_from"):
        if key in claim and not (isinstance(claim[key], str) and claim[key].strip()):
            yield Problem((key,), claim[key], "a text")
    if "kind" in claim and claim["kind"] not in kinds():
        yield Problem(("kind",), claim["kind"], one_of(claim["kind"], kinds()))
    source = claim.get("source")
    if claim.get("kind") == PAPER and isinstance(source, str) and not PLACE.search(source):
        text = (
            "names no place in the paper: add its figure, table, section, page or abstract, or "
            "change kind to ours"
        )
        yield Problem(("source",), NO_VALUE, text)
    yield from _paper_number_problems(claim)


def _paper_number_problems(claim: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of the source's value as a number: it must not be an end of the bar.

    A bar at the value that is to be confirmed has no power: such a claim is undecided at any number
    of seeds if the source is right.
    """
    number, bar = claim.get("paper_number"), claim.get("bar")
    if number is None:
        return
    if not is_finite_number(number):
        yield Problem(("paper_number",), number, "a finite number or null")
    elif conditions.is_bounds(bar):
        for end, value in bar.items():
            if is_finite_number(value) and abs(value - number) <= TOLERANCE:
                text = (
                    f"{value:g} is the value of the source (paper_number), so that no number of "
                    "seeds could decide the claim: choose another bar or another measure"
                )
                yield Problem(("bar", end), NO_VALUE, text)


def _part_problems(part: Mapping[str, Any], kind: type[Control]) -> Iterator[Problem]:
    """Problems of the parts that claims and controls share: keys, measure, options, where, bar."""
    defaults = {f.name: default_of(f) for f in fields(kind)}
    own = kind.__annotations__
    names = [*own, *(name for name in defaults if name not in own)]  # a claim's own keys first
    for key in part:
        if key not in names:
            yield Problem((str(key),), NO_VALUE, f"unknown key; {known_names(key, names)}")
    for key in names:
        if key not in part and defaults[key] is MISSING:
            yield Problem((key,), NO_VALUE, "is missing")
    if "where" in part and not isinstance(part["where"], Mapping):
        yield Problem(("where",), part["where"], "a mapping of columns to values")
    if "unit" in part and not isinstance(part["unit"], str):
        yield Problem(("unit",), part["unit"], "a text")
    if "bar" in part:
        yield from _bar_problems(part["bar"])
    if "measure" in part:
        yield from _measure_problems(part["measure"], part.get("options", {}))


def _bar_problems(bar: Any) -> Iterator[Problem]:
    if not conditions.is_bounds(bar):
        yield Problem(("bar",), bar, "{max: x}, {min: x} or {min: a, max: b}")
        return
    wrong = [end for end, x in bar.items() if not is_finite_number(x)]
    yield from (Problem(("bar", end), bar[end], "a finite number") for end in wrong)
    if not wrong and bar.get("min", -math.inf) > bar.get("max", math.inf):
        yield Problem(("bar",), NO_VALUE, f"min {bar['min']} is above max {bar['max']}")


def _measure_problems(name: Any, options: Any) -> Iterator[Problem]:
    if not isinstance(name, str) or name not in measures():
        text = f"{name!r} is unknown; {known_names(name, measures())}"
        yield Problem(("measure",), NO_VALUE, text)
        return
    if not isinstance(options, Mapping):
        yield Problem(("options",), options, "a mapping")
        return
    measure = measures()[name]
    for key, value in options.items():
        if key not in measure.options:
            text = f"unknown option of {name}; {known_names(key, measure.options)}"
            yield Problem(("options", str(key)), NO_VALUE, text)
        elif expected := _expected(value, measure.options[key], measure.schema(key)):
            yield Problem(("options", key), value, expected)
    for key in measure.options:
        if key not in options and measure.needs(key):
            yield Problem(("options", key), NO_VALUE, f"is missing, and {name} needs it")
    yield from _idle_problems(measure, options)


def _idle_problems(measure: Measure, options: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of options that have no effect with the values of other options."""
    if options.get("tuned_at") and options.get("best"):
        text = "has no effect: tuned_at chooses the learning rates"
        yield Problem(("options", "best"), NO_VALUE, text)
    if options.get("probe") is not None:
        quantity = options.get("quantity", measure.options.get("quantity"))
        if quantity in ALONG_TRAINING:
            text = f"has no effect: no probe measures {quantity}"
            yield Problem(("options", "probe"), NO_VALUE, text)
    yield from _repeated_names(measure, options)
    if options.get("of", "") != "" and options["of"] == options.get("over"):
        text = f"{options['of']!r} is compared with itself: of and over are equal"
        yield Problem(("options", "over"), NO_VALUE, text)


def _repeated_names(measure: Measure, options: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of options that list names: a name that occurs twice, or in another option, too."""
    pairs = ((options.get(name), name) for name in ("base", "joint"))
    arms = {arm: name for arm, name in pairs if arm and isinstance(arm, str)}
    if "base" not in arms.values() and options.get("base") in (*arms,):
        yield Problem(
            ("options", "joint"), NO_VALUE, f"{options['joint']!r} is the value of `base`, too"
        )
    for option, value in options.items():
        separator = measure.schema(option).get("separator")
        if not separator or not isinstance(value, str):
            continue
        names = [name.strip() for name in value.split(separator)]
        if twice := next((name for name in names if names.count(name) > 1), None):
            yield Problem(("options", option), NO_VALUE, f"{twice!r} occurs twice")
        for name in names if option == "single" else ():
            if name in arms:
                text = f"{name!r} is the value of `{arms[name]}`, too"
                yield Problem(("options", option), NO_VALUE, text)


def _expected(value: Any, default: object, schema: Mapping[str, Any]) -> str:
    """A description of the values that an option accepts; empty if the value is accepted."""
    kind = str if default is None else type(default)
    if not _is(value, kind):
        words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
        return words[kind]
    if "enum" in schema and value not in schema["enum"]:
        return one_of(value, schema["enum"])
    if kind is str:
        return "" if value or not schema.get("minLength") else "a name"
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    if kind is float and not is_finite_number(value):
        return "a finite number"
    return "" if kind is bool or low <= value <= high else f"between {low} and {high}"


def _is(value: object, kind: type) -> bool:
    """Whether a value of a config has a type; integers are also floats, booleans are neither."""
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float if kind is float else kind)
