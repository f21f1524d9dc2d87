"""Options of parts that a config names: JSON schemas with a default and a description.

Only the card of a part holds the defaults of its options. `catalogue.complete` fills them into the
specs of runs, so that they are part of the runs' keys; constructors have no defaults of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.validators import extend

# JSON schemas accept 2.0 as an integer, but range(2.0) is an error: here only Python ints are.
Validator = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)
COUNT = {"type": "integer", "minimum": 1}
FLAG = {"type": "boolean"}
FRACTION = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
POSITIVE = {"type": "number", "exclusiveMinimum": 0}

Option = Mapping[str, Any]  # a JSON schema with the keys `description` and, mostly, `default`


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
