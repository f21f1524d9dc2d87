"""The patches of scales: their merge with a study's values, and changes without a place there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hypertransfer.catalogue.config_schemas import scales, schema
from hypertransfer.claims.registration import JUDGED
from hypertransfer.runs.problem import NO_VALUE, Problem, known_names
from hypertransfer.studies import axes

# Sections whose entries have names; a scale can change entries, or add entries that are complete.
_NAMED = {"grids": "grid", "searches": "search", "suites": "suite", "replays": "replay"}
# Lists of entries with ids, which a scale can change by id.
_LISTED = {"figures": "figure", "claims": "claim"}


def by_id(entries: Any) -> dict[str, Any] | None:
    """The entries of a list by id; None for what is no list of entries with ids."""
    listed = entries if isinstance(entries, list) else []
    ids = [entry.get("id") for entry in listed if isinstance(entry, Mapping)]
    whole = ids and len(ids) == len(listed) and all(isinstance(name, str) for name in ids)
    return dict(zip(ids, listed, strict=True)) if whole else None


def merge(base: Any, patch: Any) -> Any:
    """Apply a patch to a base: mappings are merged, other values replaced, and null removes a key.

    An axis whose values have another form in the patch, such as `logspace` instead of `powers`, is
    replaced. A mapping of ids to changes, laid over a list of entries with ids such as `claims`,
    changes these entries and keeps their order.
    """
    if isinstance(patch, Mapping) and by_id(base) is not None:
        merged = ((entry, merge(entry, patch.get(entry["id"], {}))) for entry in base)
        return [new for entry, new in merged if patch.get(entry["id"], {}) is not None]
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


def at_scale(study: Mapping[str, Any], scale: str) -> dict[str, Any]:
    """The values of a study's file, which has no problems, at a scale."""
    base = {key: value for key, value in study.items() if key != "scales"}
    return merge(base, study.get("scales", {}).get(scale) or {})


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
    claims = patch.get("claims", {})
    if not isinstance(claims, Mapping) and (claims is not None or "claims" in base):
        text = "every scale has the same claims: write a mapping of their ids to changes of texts"
        yield Problem(("claims",), NO_VALUE, text)
    for section in _LISTED:
        if isinstance(patch.get(section), Mapping):
            yield from (p.below(section) for p in _listed_problems(section, base, patch[section]))
    yield from _removals_of_nothing(base, patch)


def _listed_problems(
    section: str, base: Mapping[str, Any], changes: Mapping[Any, Any]
) -> Iterator[Problem]:
    """Problems of changes of figures or claims by id; paths start at the ids.

    Every scale has the same claims, which are judged in the same way: a scale changes their texts.
    """
    known = by_id(base.get(section)) or {}
    for name, change in changes.items():
        path = (str(name),)
        if name not in known:
            text = f"the study has no {_LISTED[section]} {name!r}; {known_names(str(name), known)}"
            yield Problem(path, NO_VALUE, text)
        elif change is None and section == "claims":
            yield Problem(path, NO_VALUE, "a scale cannot remove a claim")
        elif not isinstance(change, Mapping | None):
            yield Problem(path, change, "a mapping of changes")
        for key in ("id", *(JUDGED if section == "claims" else ())):
            if isinstance(change, Mapping) and key in change:
                text = "is the same at every scale: a scale can change other keys, such as sentence"
                yield Problem((*path, key), NO_VALUE, text)


def _removals_of_nothing(base: Mapping[str, Any], patch: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of keys that a scale removes by null, and that the study does not have."""
    for key, value in patch.items():
        if value is None and key not in base:
            text = f"null removes a key, and there is no such key; {known_names(key, base)}"
            yield Problem((str(key),), NO_VALUE, text)
            continue
        listed = by_id(base.get(key))
        inner = base.get(key) if listed is None else listed
        if isinstance(value, Mapping) and isinstance(inner, Mapping):
            if listed is not None:  # unknown ids are problems already
                value = {name: change for name, change in value.items() if name in listed}
            yield from (problem.below(key) for problem in _removals_of_nothing(inner, value))


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
