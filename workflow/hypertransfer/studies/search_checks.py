"""Check a search: its references, its runs, and the runs that carry its results over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hypertransfer.catalogue import multiplier_checks
from hypertransfer.runs.problem import NO_VALUE, Problem, ProblemError
from hypertransfer.studies.grid_checks import in_base, spec_problems
from hypertransfer.studies.searches import LINE, Search, Settings


def check(name: str, values: Mapping[str, Any]) -> tuple[Search | None, list[Problem]]:
    """The search of a mapping that the schema has accepted, or every problem of it.

    Paths of problems start at the root of the study.
    """
    problems = list(_reference_problems(Settings.parse(values)))
    try:
        search = Search.parse(name, values)
        problems += _space_problems(search)
        specs = [search.base, *search.transfer_specs()]
        run_problems = [p for spec in specs for p in spec_problems(spec)]
    except ProblemError as error:
        run_problems = error.problems
    problems += {str(p): in_base(values["base"], p) for p in run_problems}.values()
    return None if problems else search, [p.below("searches", name) for p in problems]


def _space_problems(search: Search) -> Iterator[Problem]:
    """Problems of hyperparameters and types of modules that the base run does not have."""
    for name, part in search.settings.space.items():
        if text := multiplier_checks.absent(search.base, name):
            yield Problem(("space", name), NO_VALUE, text)
        for group, types in part.groups.items():
            text = multiplier_checks.unknown_types(search.base.model.name, name, types)
            if text:
                yield Problem(("space", name, "groups", group), NO_VALUE, text)


def _reference_problems(settings: Settings) -> Iterator[Problem]:
    """Problems of keys of a search that refer to names of other keys."""
    grouped = any(part.groups for part in settings.space.values())
    kinds = {method.over for method in settings.methods.values()}
    for name, part in settings.space.items():
        for key, needed in (("groups", {"types", "factored"}), ("depth", {"factored"})):
            if getattr(part, key) and not needed & kinds:
                text = f"has no effect: no method has over: {' or '.join(sorted(needed))}"
                yield Problem(("space", name, key), NO_VALUE, text)
    for name, method in settings.methods.items():
        for option in method.options if method.kind != "trust_region" else ():
            text = f"has no effect: {option} is an option of the kind trust_region"
            yield Problem(("methods", name, option), NO_VALUE, text)
        if method.over != "global" and not grouped:
            yield Problem(("methods", name, "over"), NO_VALUE, "needs groups of types in the space")
    yield from _transfer_problems(settings)
    transfer = settings.transfer
    if transfer is None or transfer.line is None:
        return
    if transfer.line.first == transfer.line.second:
        yield Problem(("transfer", LINE, "to"), NO_VALUE, "is the method of from: name another one")
    for key in ("points", "targets"):
        values = getattr(transfer.line, key)
        if len(set(values)) < len(values):
            yield Problem(("transfer", LINE, key), values, "free of duplicates")
    for key, method in (("from", transfer.line.first), ("to", transfer.line.second)):
        if method not in settings.methods:
            text = f"{method!r} is not a method; known: {', '.join(settings.methods)}"
            yield Problem(("transfer", LINE, key), NO_VALUE, text)
    for target in transfer.line.targets:
        if target not in transfer.targets:
            text = f"{target!r} is not a target; known: {', '.join(transfer.targets)}"
            yield Problem(("transfer", LINE, "targets"), NO_VALUE, text)


def _ends(seeds: range) -> str:
    """The only number of a range, or its first and its last."""
    return str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} … {seeds[-1]}"


def _transfer_problems(settings: Settings) -> Iterator[Problem]:
    """Problems of the seeds and methods that evaluate the results of a search."""
    transfer = settings.transfer
    if transfer is None:
        return
    number, first = len(transfer.seeds), settings.base.get("seed")
    of_trials = range(first, first + settings.repeats) if isinstance(first, int) else ()
    if shared := sorted(set(transfer.seeds) & set(of_trials)):
        text = (
            f"has the seed {shared[0]} of trials: results, which were chosen by their losses with "
            f"the seeds {_ends(of_trials)}, need other seeds for a fair evaluation"
        )
        yield Problem(("transfer", "seeds"), NO_VALUE, text)
    if settings.repeats > 1 and number != settings.repeats:
        text = (
            f"has {number} seeds for {settings.repeats} independent searches: list one seed for "
            "each, so that intervals over seeds are over searches"
        )
        yield Problem(("transfer", "seeds"), NO_VALUE, text)
    for target, methods in transfer.methods.items():
        path = ("transfer", "methods", target)
        if target not in transfer.targets:
            text = f"is not a target; known: {', '.join(transfer.targets)}"
            yield Problem(path, NO_VALUE, text)
        for method in methods:
            if method not in settings.methods:
                text = f"{method!r} is not a method; known: {', '.join(settings.methods)}"
                yield Problem(path, NO_VALUE, text)
