"""Config schemas, and their errors in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from hypertransfer.catalogue import options as catalogue_options
from hypertransfer.studies.document import Document, Problem

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"


@lru_cache
def _schema(name: str) -> Any:
    schema = yaml.safe_load((SCHEMAS / f"{name}.schema.yaml").read_text(encoding="utf-8"))
    return catalogue_options.Validator(schema)


def schema_problems(name: str, document: Document, values: Any, scale: str = "") -> list[Problem]:
    """Where values do not have the form of a schema, in words."""
    errors = sorted(_schema(name).iter_errors(values), key=lambda e: list(map(str, e.path)))
    return [
        document.problem(
            path_in_file(document, scale, path), words, key=".".join(map(str, path)) or "(top)"
        )
        for error in errors
        for path, words in explain_schema_error(error)
    ]


def path_in_file(document: Document, scale: str, path: Iterable[object]) -> tuple[str, ...]:
    """The path under the scale's patch where that sets it, else in the body of the file."""
    keys = tuple(str(part) for part in path)
    patched = ("scales", scale, *keys)
    return patched if patched in document.lines else keys


def explain_schema_error(error: Any) -> Iterator[tuple[tuple[object, ...], str]]:
    """Path and words of each thing that an error of the schema stands for."""
    path = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        for key in error.instance:
            if key not in known:
                yield (*path, key), f"unknown key; known: {', '.join(known)}"
    elif error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        yield path, f"the key {', '.join(map(repr, missing))} is missing"
    elif error.validator == "enum":
        known = ", ".join(map(str, error.validator_value))
        yield path, f"{error.instance!r} is not one of {known}"
    elif "expected" in error.schema:
        yield path, f"{error.instance!r} is not {error.schema['expected']}"
    else:
        yield path, error.message
