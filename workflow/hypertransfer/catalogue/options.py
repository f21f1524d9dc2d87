"""Options of parts that a config names: JSON schemas with a default and a description.

Only the card of a part holds the defaults of its options. `catalogue.complete` fills them into the
specs of runs, so that they are part of the runs' keys; constructors have no defaults of their own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from itertools import chain, repeat
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from hypertransfer.runs.numbers import is_finite_number
from hypertransfer.runs.problem import NO_VALUE, Problem, one_of

# JSON schemas accept 2.0 as an integer, but range(2.0) is an error: here only Python ints are. They
# also accept infinities, and whole numbers of any length, which cannot be converted to floats.
Validator = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: isinstance(value, int) and not isinstance(value, bool),
            "number": lambda _, value: is_finite_number(value),
        }
    ),
)
MOST_COUNT = 10**9  # of anything that an option counts
COUNT = {"type": "integer", "minimum": 1, "maximum": MOST_COUNT}
FLAG = {"type": "boolean"}
FRACTION = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
POSITIVE = {"type": "number", "exclusiveMinimum": 0}

TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "a mapping",
    "string": "a text",
}

# A JSON schema with the keys `description` and, mostly, `default`. Schemas of figures and measures
# may have keywords of this library, by which `studies.option_checks` checks the names in a value:
#   column_of: the value is a column of that table;
#   numbers: the column holds numbers that are `positive`, or `any`;
#   least_values: the number of different values that the column has to have;
#   value_of: a table and a column, in which the value occurs;
#   value_in: an option that names the column in which the value occurs;
#   of_each: an option with a list, and a column: the value is in the rows of each of its values;
#   keys_of: the keys of a mapping occur in one of these: `value_of`, or an option as `value_in`;
#   separator: the value is a text of several names;
#   measured: the value is a quantity that one probe measures in `every` run, or in some run
#     (`once`);
#   within_budget: the value is a number of evaluations that the searches have.
Option = Mapping[str, Any]


def column(table: str = "runs", **keywords: Any) -> dict[str, Any]:
    """The schema of an option that names a column of a table; `keywords` are added to it."""
    expected = "a column of the runs" if table == "runs" else f"a column of the table {table}"
    schema = {"type": "string", "minLength": 1, "expected": expected, "column_of": table}
    return {**schema, **keywords}


def option(schema: Mapping[str, Any], default: Any, description: str) -> Option:
    """An option with its schema, its default and its description."""
    return {**schema, "default": default, "description": description}


def or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema that also accepts null."""
    return {"anyOf": [dict(schema), {"type": "null"}]}


def defaults(options: Mapping[str, Option]) -> dict[str, Any]:
    """The default of each option that has one; options without a default are required."""
    return {name: option["default"] for name, option in options.items() if "default" in option}


def completed(options: Mapping[str, Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """The given values, and the default of each option that is not given."""
    return {**defaults(options), **given}


def typed_options(options: Mapping[str, Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """The given values, `typed` by their options; values of unknown options stay as written."""
    return {
        name: typed(options[name], value) if name in options else value
        for name, value in given.items()
    }


def typed(schema: Mapping[str, Any], value: Any) -> Any:
    """A value with its numbers as the schema's types have them, so that equal values are one value.

    Where the schema has `number`, a number becomes a float, and −0.0 becomes 0.0; where the schema
    has `integer`, a whole float becomes an int. A value that the schema refuses stays as written.
    """
    changed = _typed(schema, value)
    return changed if Validator(schema).is_valid(changed) else value


def _typed(schema: Mapping[str, Any], value: Any) -> Any:
    if "anyOf" in schema:
        branches = (b for b in schema["anyOf"] if b.get("type") != "null")
        return value if value is None else _typed(next(branches), value)
    kind = schema.get("type")
    if kind == "array" and isinstance(value, list | tuple):
        first = schema.get("prefixItems", ())
        schemas = chain(first, repeat(schema.get("items", {})))
        return [_typed(inner, item) for inner, item in zip(schemas, value, strict=False)]
    if kind == "object" and isinstance(value, Mapping):
        inner = schema.get("properties", {})
        return {key: _typed(inner.get(key, {}), item) for key, item in value.items()}
    return typed_number(kind, value)


def typed_number(kind: str | None, value: Any) -> Any:
    """A number as a schema's type has it, `number` or `integer`; other values as they are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "number" and abs(value) <= sys.float_info.max:
        return float(value) + 0.0  # −0.0 + 0.0 is 0.0
    return value


def problem(error: ValidationError, *path: str) -> Problem:
    """The problem of a value that a schema refuses; `path` leads to the checked value."""
    place = (*path, *map(str, error.absolute_path))
    expected = _expected(error)
    return Problem(place, error.instance if expected else NO_VALUE, expected or error.message)


def _expected(error: ValidationError) -> str:
    """The values that a schema expects, in words that follow "is not"; empty without words."""
    keyword, value = error.validator, error.validator_value
    if keyword == "enum":
        return one_of(error.instance, value)
    if "expected" in error.schema:
        return error.schema["expected"]
    if keyword == "anyOf":
        parts = [_expected(inner) for inner in error.context if not inner.path]
        return " or ".join(dict.fromkeys(parts)) if parts and all(parts) else ""
    if keyword == "type":
        return " or ".join(TYPES[kind] for kind in ([value] if isinstance(value, str) else value))
    entries = f"{value} {'entry' if value == 1 else 'entries'}"
    words = {
        "minItems": f"a list of at least {entries}",
        "maxItems": f"a list of at most {entries}",
        "minProperties": f"a mapping of at least {entries}",
        "maxProperties": f"a mapping of at most {entries}",
        "minLength": "a text of at least one character",
        "minimum": f"at least {value}",
        "maximum": f"at most {value}",
        "exclusiveMinimum": f"above {value}",
        "exclusiveMaximum": f"below {value}",
    }
    return words.get(keyword, "")
