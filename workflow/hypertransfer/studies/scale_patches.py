"""The patches of scales: their merge with a study's values, and changes without a place there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hypertransfer.catalogue.config_schemas import scales, schema
from hypertransfer.runs.problem import NO_VALUE, Problem, known_names
from hypertransfer.studies import axes

# Sections whose entries have names; a scale can change entries, or add entries that are complete.
_NAMED = {"grids": "grid", "searches": "search", "suites": "suite", "replays": "replay"}


def merge(base: Any, patch: Any) -> Any:
    """Apply a patch to a base: mappings are merged, other values replaced, and null removes a key.

    An axis whose values have another form in the patch, such as `logspace` instead of `powers`, is
    replaced.
    """
    if not isinstance(base, Mapping) or not isinstance(patch, Mapping):
        return patch
    if {*base, *patch} <= axes.FORMS and set(base) != set(patch):
        return patch
    merged = dict(base)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged[key], value) if key in merged else value
    return merged


def _unknown_entries(
    base: Mapping[str, Any], values: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Section and name of entries of `values` that neither `base` has nor are complete."""
    for section, kind in _NAMED.items():
        known, entries = base.get(section, {}), values.get(section)
        required = schema("study")["$defs"][kind]["required"]
        for name, entry in entries.items() if isinstance(entries, Mapping) else ():
            new = not isinstance(known, Mapping) or name not in known
            if new and isinstance(entry, Mapping) and not {*required} <= set(entry):
                yield section, name


def without_unknown(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a scale without entries that `problems` reports as unknown."""
    kept = dict(values)
    for section, name in _unknown_entries(base, values):
        kept[section] = {key: entry for key, entry in kept[section].items() if key != name}
    return kept


def _patch_problems(base: Mapping[str, Any], patch: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of changes that the study has no place for; paths start at the patch's keys."""
    if "scales" in patch:
        yield Problem(("scales",), NO_VALUE, "is not a key that a scale can change")
    for section, name in _unknown_entries(base, patch):
        kind, known = _NAMED[section], base.get(section, {})
        required = ", ".join(schema("study")["$defs"][kind]["required"])
        words = known_names(name, known if isinstance(known, Mapping) else {})
        text = f"the study has no {kind} {name!r}, and a new one needs {required}; {words}"
        yield Problem((section, str(name)), NO_VALUE, text)
    yield from _removals_of_nothing(base, patch)


def _removals_of_nothing(base: Mapping[str, Any], patch: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of keys that a scale removes by null, and that the study does not have."""
    for key, value in patch.items():
        if value is None and key not in base:
            text = f"null removes a key, and there is no such key; {known_names(key, base)}"
            yield Problem((str(key),), NO_VALUE, text)
        elif isinstance(value, Mapping) and isinstance(base.get(key), Mapping):
            yield from (problem.below(key) for problem in _removals_of_nothing(base[key], value))


def problems(base: Mapping[str, Any], patches: object) -> Iterator[Problem]:
    """Problems of the names of scales, and of changes for which `base` has no place."""
    if not isinstance(patches, Mapping):
        yield Problem(("scales",), patches, "a mapping of scales to changes")
        return
    for name, patch in patches.items():
        path = ("scales", str(name))
        if name not in scales():
            yield Problem(path, NO_VALUE, f"unknown scale; known: {', '.join(scales())}")
        elif not isinstance(patch, Mapping | None):
            yield Problem(path, patch, "a mapping of changes")
        elif patch is not None:
            yield from (problem.below(*path) for problem in _patch_problems(base, patch))
