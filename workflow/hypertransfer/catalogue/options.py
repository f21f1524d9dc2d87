"""JSON schemas of options, and the validator that reads them."""

from __future__ import annotations

from jsonschema import Draft202012Validator
from jsonschema.validators import extend

# JSON takes 2.0 for an integer, and range(2.0) is an error: here an integer is a Python int.
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
