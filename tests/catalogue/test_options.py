"""Values that schemas of options refuse, in words."""

import pytest

from hypertransfer.catalogue.options import Validator, or_null, problem


@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        ({"type": "array"}, {"seed": [0]}, "{'seed': [0]} is not a list"),
        ({"type": "array"}, None, "null is not a list"),
        ({"type": "array", "minItems": 2}, ["x"], "['x'] is not a list of at least 2 entries"),
        ({"type": "object", "minProperties": 1}, {}, "{} is not a mapping of at least 1 entry"),
        ({"type": "string", "minLength": 1}, "", "'' is not a text of at least one character"),
        ({"type": "integer"}, True, "true is not a whole number"),
        ({"type": ["integer", "string"]}, 0.5, "0.5 is not a whole number or a text"),
        ({"type": "number", "minimum": 1}, 0, "0 is not at least 1"),
        ({"type": "number", "exclusiveMaximum": 1}, 1, "1 is not below 1"),
        (or_null({"type": "number"}), "8", "'8' is not a number or null"),
        ({"enum": ["a", "b"]}, "c", "'c' is not one of a, b"),
        ({"type": "number", "expected": "a rate"}, "c", "'c' is not a rate"),
    ],
)
def test_words_of_schemas(schema, value, text):
    (error,) = Validator(schema).iter_errors(value)
    found = problem(error, "base", "x")
    assert (found.path, found.text) == (("base", "x"), text)
