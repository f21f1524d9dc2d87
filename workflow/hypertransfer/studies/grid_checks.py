"""Whether grids, searches, suites and replays of a study can be run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hypertransfer.catalogue import checks, lookup
from hypertransfer.catalogue import options as catalogue_options
from hypertransfer.catalogue.cards import optimizers, probes
from hypertransfer.runs import ratios
from hypertransfer.runs.conditions import matches
from hypertransfer.runs.parse import SpecError, SpecErrors
from hypertransfer.runs.spec import RunSpec
from hypertransfer.studies import axes, grid, replays, searches
from hypertransfer.studies.document import Document, Problem
from hypertransfer.studies.references import sound_entries
from hypertransfer.studies.schema import path_in_file
from hypertransfer.studies.searches import Search


def grid_problems(
    document: Document,
    scale: str,
    name: str,
    values: Mapping[str, Any],
    runs: list[grid.Run],
) -> Iterator[Problem]:
    """What is wrong with a grid; its runs, as far as they can be meant, are added to the list."""

    def place(error: axes.GridError | SpecError) -> tuple[str, ...]:
        *likely, last = _places(values, error)
        for path in likely:
            home = path_in_file(document, scale, ("grids", name, *path))
            if home in document.lines:
                return home
        return ("grids", name, *last)

    def problem(error: axes.GridError | SpecError) -> Problem:
        home = place(error)
        return document.problem(home, f"{error.value!r} is not {error.expected}")

    for probe, settings in values.get("probes", {}).items():
        yield from _probe_problems(document, scale, (name, probe), settings)
    wrong = list(grid.problems(values))
    yield from map(problem, wrong)
    if wrong:
        return
    try:
        empty = True
        for point, spec in grid.points(values):
            empty = False
            try:
                runs.append(grid.run(values, point, spec))
            except SpecErrors as errors:
                yield from map(problem, errors.errors)
            else:
                yield from map(problem, _objections(runs[-1].spec))
                yield from map(problem, _probe_objections(values, runs[-1]))
        if empty:
            yield document.problem(("grids", name), "exclude and only leave no run of this grid")
    except (axes.GridError, SpecError) as error:
        yield problem(error)
    except (KeyError, TypeError) as error:
        yield document.problem(("grids", name), f"cannot be expanded: {error!r}")


def search_problems(
    document: Document, scale: str, name: str, values: Mapping[str, Any], found: dict[str, Search]
) -> Iterator[Problem]:
    """What is wrong with a search, which is added if nothing is."""
    home = ("searches", name)
    wrong = [document.problem(path_in_file(document, scale, (*home, *path)), text)
             for path, text in searches.problems(values)]  # fmt: skip
    yield from wrong
    try:
        search = Search.parse(name, values)
        specs = [search.spec({}, changes) for _, changes in search.carried()]
    except SpecErrors as errors:
        for error in errors.errors:
            path = path_in_file(document, scale, (*home, "base", *error.path.split(".")))
            yield document.problem(path, f"{error.value!r} is not {error.expected}")
        return
    seen = set()
    for spec in (search.base, *specs):
        for error in _objections(spec):
            if str(error) not in seen:
                seen.add(str(error))
                path = path_in_file(document, scale, (*home, "base", *error.path.split(".")))
                yield document.problem(path, f"{error.value!r} is not {error.expected}")
    if not seen and not wrong:
        found[name] = search


def space_problems(
    document: Document, scale: str, study: Mapping, broken: set[str]
) -> Iterator[Problem]:
    """What is wrong with the study's suites and replays."""
    suites = dict(sound_entries(study, "suites", broken))
    found = [(("suites", name, *path), text) for name, suite in suites.items()
             for path, text in replays.suite_problems(suite, list(study["grids"]))]  # fmt: skip
    if not found and "suites" not in {key.partition(".")[0] for key in broken}:
        found = [(("replays", name, *path), text)
                 for name, replay in sound_entries(study, "replays", broken)
                 for path, text in replays.replay_problems(replay, suites)]  # fmt: skip
    for path, text in found:
        yield document.problem(path_in_file(document, scale, path), text, key=".".join(path))


def _places(
    values: Mapping[str, Any], error: axes.GridError | SpecError
) -> Iterator[tuple[str, ...]]:
    """Where in a grid an error may stand, the likeliest place first; the last one always fits."""
    keys = error.path.split(".")
    for index, override in enumerate(values.get("overrides", [])):
        if override.get("set", {}).get(error.path) == error.value is not None:
            yield ("overrides", str(index), "set", error.path)
        axis = override.get("axes", {}).get(error.path)
        if isinstance(axis, list) and error.value in axis:
            yield ("overrides", str(index), "axes", error.path)
    yield ("axes", error.path)
    for splits in (-1, 1, 3):  # the name of an axis may have dots: overrides.0.axes.shape.width
        yield tuple(error.path.split(".", splits))
    yield from (("base", *keys), ("base", keys[0]))
    yield tuple(keys) if isinstance(error, axes.GridError) else ("base", *keys)


def _objections(spec: RunSpec) -> list[SpecError]:
    return list(checks.objections(spec)) or list(_table_problems(spec))


def _probe_objections(values: Mapping[str, Any], run: grid.Run) -> Iterator[SpecError]:
    """What probes need of a run that they look at."""
    for probe in values.get("probes", {}).values():
        card = probes.PROBES.get(probe["probe"])
        if card and matches(probe.get("where", {}), run.point):
            yield from card.needs(run.spec)


def _table_problems(spec: RunSpec) -> Iterator[SpecError]:
    """Whether the parameterisation can be had, for the optimizer's gradient power."""
    try:
        table = lookup.table(spec)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        yield SpecError("parameterisation", spec.parameterisation, f"usable: {error}")
        return
    try:
        table.betas(optimizers.betas(spec.optimizer), ratios.ratios(spec))
    except ValueError as error:
        yield SpecError("batch_size", spec.batch_size, f"within reach of the table: {error}")


def _probe_problems(
    document: Document, scale: str, names: tuple[str, str], settings: Mapping[str, Any]
) -> Iterator[Problem]:
    home = ("grids", names[0], "probes", names[1])
    if settings["probe"] not in probes.PROBES:
        known = ", ".join(probes.PROBES)
        path = path_in_file(document, scale, (*home, "probe"))
        yield document.problem(path, f"{settings['probe']!r} is not one of {known}")
        return
    schemas = probes.PROBES[settings["probe"]].settings
    for key, value in settings.items():
        path = path_in_file(document, scale, (*home, key))
        if key in grid.PROBE_KEYS:
            continue
        if key not in schemas:
            yield document.problem(path, f"unknown setting; known: {', '.join(schemas)}")
            continue
        for error in catalogue_options.Validator(schemas[key]).iter_errors(value):
            yield document.problem(path, error.message)
