"""Check values against the JSON schemas of configs, with readable errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hypertransfer.catalogue import options as catalogue_options
from hypertransfer.catalogue.config_schemas import schema
from hypertransfer.runs.numbers import is_finite_number
from hypertransfer.runs.problem import NO_VALUE, Problem, known_names


def with_defaults(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, completed with the defaults of top-level keys that are left out."""
    keys = schema(name)["properties"].items()
    defaults = {key: part["default"] for key, part in keys if "default" in part}
    return {**defaults, **values}


def with_whole_numbers(name: str, values: Any) -> Any:
    """The values, where a float without fraction is an int if the schema wants a whole number."""
    if not _has_whole_floats(values):
        return values  # which most configs are, and the schema of a study takes long
    validator = catalogue_options.Validator(schema(name))
    for error in _innermost(validator.iter_errors(values)):
        whole = isinstance(error.instance, float) and error.instance.is_integer()
        if whole and error.validator == "type" and error.validator_value == "integer":
            values = _replaced(values, list(error.absolute_path), int(error.instance))
    return values


def _has_whole_floats(values: Any) -> bool:
    if isinstance(values, Mapping):
        return any(map(_has_whole_floats, values.values()))
    if isinstance(values, list):
        return any(map(_has_whole_floats, values))
    return isinstance(values, float) and values.is_integer()


def _innermost(errors: Iterable[Any]) -> Iterator[Any]:
    """The errors, and those of the alternatives of which a value meets none."""
    for error in errors:
        yield error
        yield from _innermost(error.context)


def _replaced(values: Any, path: list[Any], value: object) -> Any:
    """A copy of nested values with another value at a path."""
    if not path:
        return value
    key, *rest = path
    copy = list(values) if isinstance(values, list) else dict(values)
    copy[key] = _replaced(copy[key], rest, value)
    return copy


def schema_problems(name: str, values: Any) -> list[Problem]:
    """Every problem of values with respect to the schema of that name."""
    validator = catalogue_options.Validator(schema(name))
    errors = sorted(validator.iter_errors(values), key=lambda error: list(map(str, error.path)))
    problems = [problem for error in errors for problem in explain_schema_error(error)]
    # If several keys are missing from one mapping, each is an error with the same text.
    return list({(problem.path, problem.text): problem for problem in problems}.values())


def explain_schema_error(error: Any) -> Iterator[Problem]:
    """The problems that correspond to one error of a JSON schema."""
    path = tuple(map(str, error.absolute_path))
    if isinstance(error.instance, float) and not is_finite_number(error.instance):
        yield Problem(path, error.instance, "a finite number")
    elif error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        for key in error.instance:
            if key not in known:
                text = f"unknown key; {known_names(key, known)}"
                yield Problem((*path, str(key)), NO_VALUE, text)
    elif error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        words = ("key", "is") if len(missing) == 1 else ("keys", "are")
        text = f"the {words[0]} {', '.join(map(repr, missing))} {words[1]} missing"
        yield Problem(path, NO_VALUE, text)
    elif error.validator == "uniqueItems":
        names = error.instance
        twice = next(name for name in names if names.count(name) > 1)
        yield Problem(path, NO_VALUE, f"{twice!r} occurs twice")
    elif inner := _inside(error):
        for one in inner:
            yield from explain_schema_error(one)
    else:
        yield catalogue_options.problem(error)


def _inside(error: Any) -> list[Any]:
    """The missing and unknown keys inside the form that a value takes, of several that it may take.

    A value of an axis such as `{adaptive: {finest: 0.5}}` takes the form `adaptive`, and lacks the
    key `start` inside this form.
    """
    if error.validator != "oneOf":
        return []
    return [
        inner
        for inner in error.context
        if inner.path and inner.validator in ("required", "additionalProperties")
    ]
