"""Markdown tables of options and config keys, from their JSON schemas."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hypertransfer.catalogue.options import MOST_COUNT
from hypertransfer.report.markdown import code, table

OPTION = ("option", "accepts", "default", "meaning")
KEY = ("key", "accepts", "default", "meaning")


def accepts(schema: Mapping[str, Any]) -> str:
    """A description of the values that a JSON schema accepts."""
    if "expected" in schema:
        return str(schema["expected"])
    if "$ref" in schema:
        return f"[{(name := schema['$ref'].rsplit('/', 1)[-1])}](#{name})"
    if "enum" in schema:
        return ", ".join(code(value) for value in schema["enum"])
    for kind in ("anyOf", "oneOf"):
        if kind in schema:
            return " or ".join(dict.fromkeys(accepts(part) for part in schema[kind]))
    return {
        "boolean": lambda: "`true` or `false`",
        "null": lambda: "`null`",
        "array": lambda: _accepted_list(schema),
        "object": lambda: _accepted_mapping(schema),
    }.get(schema.get("type", ""), lambda: _accepted_number(schema))()


def _accepted_number(schema: Mapping[str, Any]) -> str:
    """The kind and the bounds of a number, without a bound that serves to refuse slips only."""
    words = {"integer": "whole number", "number": "number", "string": "text"}
    bounds = [
        f"{sign} {schema[key]:g}"
        for key, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
        )
        if key in schema and not (key == "maximum" and schema[key] >= MOST_COUNT)
    ]
    return " ".join([words.get(schema.get("type", ""), ""), ", ".join(bounds)]).strip()


def _accepted_list(schema: Mapping[str, Any]) -> str:
    if "prefixItems" in schema:
        return f"list of {len(schema['prefixItems'])}: " + ", ".join(
            accepts(part) for part in schema["prefixItems"]
        )
    items = schema.get("items")
    return f"list of {accepts(items)}" if items else "list"


def _accepted_mapping(schema: Mapping[str, Any]) -> str:
    if "properties" in schema:
        return "mapping with the keys " + ", ".join(code(key) for key in schema["properties"])
    inner = schema.get("additionalProperties")
    return f"mapping of names to {accepts(inner)}" if isinstance(inner, dict) else "mapping"


def options_table(options: Mapping[str, Mapping[str, Any]] | Iterable[str]) -> str:
    """A table of options from their schemas, or a list of names if there are no schemas."""
    if not isinstance(options, Mapping):
        names = ", ".join(code(name) for name in options)
        return f"Options: {names}." if names else "No options."
    rows = []
    for name, schema in options.items():
        default = schema.get("default", UNKNOWN)
        meaning = schema.get("description", "")
        rows.append((code(name), accepts(schema), default_text(default), meaning))
    return filled_table(OPTION, rows) or "No options."


UNKNOWN = object()  # None is a default, so that an unknown default needs a value of its own


def filled_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table without the columns that are empty in every row."""
    kept = [number for number in range(len(head)) if any(row[number] for row in rows)]
    return table([head[n] for n in kept], [[row[n] for n in kept] for row in rows])


def default_text(value: object) -> str:
    """A default as YAML spells it, in a code span; an empty string for `UNKNOWN`."""
    if value is UNKNOWN:
        return ""
    if value is None or value == "" or isinstance(value, bool):
        return code(json.dumps(value))
    return code(value)


def keys_table(schema: Mapping[str, Any], prefix: str = "") -> str:
    """A table of the keys of a mapping's schema; an empty string if the schema names none."""
    return filled_table(KEY, list(_key_rows(schema, prefix)))


def _key_rows(schema: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    """A row for each key, with the keys of nested mappings below it."""
    required = schema.get("required", ())
    for name, value in schema.get("properties", {}).items():
        must = " (required)" if name in required else ""
        nested = [part for part in _nested(value) if part.get("properties")]
        kind = "list of mappings" if value.get("type") == "array" else "mapping"
        words = f"{kind}; keys below" if nested else accepts(value)
        default = default_text(value.get("default", UNKNOWN))
        yield code(f"{prefix}{name}"), words + must, default, str(value.get("description", ""))
        for part in nested:
            inner = "[]." if value.get("type") == "array" else ".*." if part is not value else "."
            yield from _key_rows(part, f"{prefix}{name}{inner}")


def _nested(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield schema
    for key in ("additionalProperties", "items"):
        if isinstance(schema.get(key), Mapping):
            yield schema[key]
