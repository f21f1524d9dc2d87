"""Suites of tasks and replays on them, as a study's config has them.

A suite says where tasks come from, a replay what is learned from some of them and tried on the
others. Both are checked here when the workflow is planned, so this module imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hypertransfer.spaces.tasks import sources, suites, tables

SEARCHERS: Mapping[str, Mapping[str, tuple[int, int]]] = {  # options, each within bounds
    "random": {},
    "bayesian": {"start": (1, 1000)},
    "halving": {"factor": (2, 100), "brackets": (1, 100)},
}
TABLES = ("replays", "regions", "winners")
PARTS = 2  # jobs of a replay, unless it says otherwise
OWN = {  # keys of a suite beside source, by where it comes from
    **dict.fromkeys(sources.TABLES, ("split",)),
    **dict.fromkeys(suites.SUITES, ("points", "seed")),
    sources.RUNS: ("study", "grids", "about"),
    sources.FILE: ("file", "about"),
}
Fault = tuple[tuple[str, ...], str]  # the path below the section, and what is wrong


def suite_problems(suite: Mapping[str, Any], grids: Sequence[str]) -> Iterator[Fault]:
    """What a schema cannot see of a suite: where, and what is wrong."""
    source = suite["source"]
    if source not in sources.NAMES:
        yield ("source",), f"{source!r} is not one of {', '.join(sources.NAMES)}"
        return
    for key in suite:
        if key not in ("source", "description", "winners", *OWN[source]):
            yield (key,), f"is not for source: {source}; known: {', '.join(OWN[source])}"
    if source in suites.SUITES and "points" not in suite:
        yield ("points",), "is missing: the number of configurations that each task is evaluated at"
    for name in suite.get("split", ()):
        if source in sources.TABLES and name not in sources.TABLES[source].dimensions:
            known = ", ".join(sources.TABLES[source].dimensions)
            yield ("split",), f"{name!r} is no dimension of {source}; known: {known}"
    if source == sources.RUNS:
        for name in suite.get("grids", ()):
            if name not in grids and "study" not in suite:  # another study's are looked at later
                yield ("grids",), f"no grid {name!r}; known: {', '.join(grids)}"
        if not suite.get("grids"):
            yield ("grids",), "is missing: the grids whose runs are evaluations"
    if source == sources.FILE and "file" not in suite:
        yield ("file",), "is missing: the CSV or Parquet file"
    if source in (sources.RUNS, sources.FILE):
        yield from _about_problems(suite)


def _about_problems(suite: Mapping[str, Any]) -> Iterator[Fault]:
    if not isinstance(suite.get("about"), Mapping):
        yield ("about",), "is missing: what the table's columns mean"
        return
    about = dict(suite["about"])
    work = about.pop("work", None)
    if work is not None and suite["source"] == sources.RUNS and not tables.are_shares(work):
        yield ("about", "work"), f"{work!r} is not a list of rising shares that ends with 1"
    for path, text in tables.problems(about):
        yield ("about", *path), text


def replay_problems(
    replay: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]
) -> Iterator[Fault]:
    """What a schema cannot see of a replay, for the study's suites: where, and what is wrong."""
    if replay["suite"] not in known:
        yield ("suite",), f"no suite {replay['suite']!r}; known: {', '.join(known) or 'none'}"
        return
    suite = known[replay["suite"]]
    try:
        written = sources.dimensions(suite)
        names = [name for name, d in written.items() if "choices" not in d]
    except (KeyError, TypeError, AttributeError):
        return  # the suite's own fault, and said there
    for name, region in replay.get("regions", {}).items():
        for one in region.get("drifting", ()):
            if one not in names:
                text = f"{one!r} is no numeric dimension; known: {', '.join(names)}"
                yield ("regions", name, "drifting"), text
        if "drifting" in region and "drift" not in region:
            yield ("regions", name, "drifting"), "needs drift: what winners move with"
    for name, method in replay["methods"].items():
        yield from (
            (("methods", name, *path), text)
            for path, text in _method_problems(method, replay, suite)
        )
    places = place_names(suite)
    for key in ("targets", "priors"):
        for one in replay.get(key, {}):
            if one not in places:
                yield (key, one), f"nothing of a task's place; known: {', '.join(places)}"
    drifts = [region["drift"] for region in replay.get("regions", {}).values() if "drift" in region]
    for key, wanted in (("same", replay.get("same", [])), ("regions", drifts),
                        ("size", [replay["size"]] if "size" in replay else [])):  # fmt: skip
        for one in wanted:
            if one not in places:
                yield (key,), f"{one!r} is nothing of a task's place; known: {', '.join(places)}"


def place_names(suite: Mapping[str, Any]) -> list[str]:
    """What is known of where the tasks of a sound suite stand."""
    if suite["source"] in (sources.RUNS, sources.FILE):
        return list(suite["about"]["task"])
    return ["data", *suite.get("split", ())]


def _method_problems(
    method: Mapping[str, Any], replay: Mapping[str, Any], suite: Mapping[str, Any]
) -> Iterator[Fault]:
    searcher, regions = method["searcher"], replay.get("regions", {})
    if method.get("region", next(iter(regions), None)) not in (*regions, None):
        known = ", ".join(regions) or "none"
        yield ("region",), f"no region {method['region']!r} of this replay; known: {known}"
    if "region" in method and not regions:
        yield ("region",), "this replay has no regions"
    options = SEARCHERS[searcher]
    for key, value in method.items():
        if key in ("searcher", "region", "warm"):
            continue
        if key not in options:
            known = ", ".join(options) or "none"
            yield (key,), f"unknown option of {searcher}; known: {known}"
        elif not options[key][0] <= value <= options[key][1]:
            yield (key,), f"{value!r} is not within {options[key][0]} and {options[key][1]}"
    if searcher == "halving" and method.get("warm"):
        yield ("warm",), "is not for halving"
    about = suite.get("about", {})
    if searcher == "halving" and not (about.get("work") or about.get("curves")):
        yield ("searcher",), "halving wants a suite with learning curves: about.work, about.curves"


def groups(suite: Mapping[str, Any]) -> dict[str, list[str]]:
    """The tasks of a live suite that jobs evaluate, by group; none for others."""
    out: dict[str, list[str]] = {}
    if suite["source"] in suites.SUITES:
        for task, group in suites.SUITES[suite["source"]].tasks.items():
            out.setdefault(group, []).append(task)
    return out


def rows(study: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    """What claims can select rows of the tables of replays by, as far as it is known before."""
    out: dict[str, list[dict[str, str]]] = {"replays": [], "regions": [], "winners": []}
    for name, replay in study.get("replays", {}).items():
        place = {"replay": name, "suite": replay["suite"]}
        out["replays"] += [place | {"method": method} for method in replay["methods"]]
        out["regions"] += [place | {"region": region} for region in replay.get("regions", {})]
    for name, suite in study.get("suites", {}).items():
        try:
            written = sources.dimensions(suite)
        except (KeyError, TypeError):
            continue
        out["winners"] += [{"suite": name, "dimension": one} for one in written]
    return out
