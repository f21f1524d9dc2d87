"""Whether figures, claims and counterparts of a study refer to what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hypertransfer.catalogue.cards import figures as cards_figures
from hypertransfer.claims.families import measures
from hypertransfer.runs.conditions import matches
from hypertransfer.runs.spec import RunSpec
from hypertransfer.studies import grid, replays
from hypertransfer.studies.document import Document, Problem
from hypertransfer.studies.schema import path_in_file


def sound_entries(study: Mapping, part: str, broken: set[str]) -> Iterator[tuple[Any, Any]]:
    """Grids by name, figures and claims by index, without those the schema objects to."""
    written = study.get(part)
    if part in broken or not isinstance(written, Mapping | list):
        return
    for name, entry in written.items() if isinstance(written, Mapping) else enumerate(written):
        if f"{part}.{name}" not in broken:
            yield name, entry


def reference_problems(
    document: Document,
    scale: str,
    study: Mapping,
    broken: set[str],
    runs: Mapping[str, list[grid.Run]],
) -> Iterator[Problem]:
    """Figures have a known kind; figures and claims an id of their own, and select runs.

    What they select is not looked at where there are no sound grids to select from.
    """
    for index, figure in sound_entries(study, "figures", broken):
        home = path_in_file(document, scale, ("figures", index))
        if figure["kind"] not in cards_figures.FIGURES:
            known = ", ".join(cards_figures.FIGURES)
            yield document.problem((*home, "kind"), f"{figure['kind']!r} is not one of {known}")
            continue
        options = cards_figures.FIGURES[figure["kind"]].options
        for option in figure.get("options", {}):
            if option not in options:
                text = f"unknown option of {figure['kind']}; known: {', '.join(options)}"
                yield document.problem((*home, "options", option), text)
    spaces = replays.rows(study) if not broken else {name: [] for name in replays.TABLES}
    for part in ("figures", "claims"):
        entries = dict(sound_entries(study, part, broken))
        ids = [entry["id"] for entry in entries.values()]
        for index, entry in entries.items():
            home = path_in_file(document, scale, (part, index))
            if ids.count(entry["id"]) > 1:
                yield document.problem(home, f"the id {entry['id']!r} stands twice")
            for table, wanted in _conditions(entry):
                if table != "runs":
                    text = _names_nothing(wanted, spaces[table])
                else:
                    text = _selects_nothing(wanted, runs) if runs else ""
                if text:
                    yield document.problem(home, f"where: {text}")
            if part == "claims" and (text := _compares_twins(entry, runs)):
                yield document.problem(home, f"where: {text}")


def _compares_twins(claim: Mapping[str, Any], runs: Mapping[str, list[grid.Run]]) -> str:
    """Which two runs a measure would take for one; empty if it tells all apart.

    A sweep has one run for each size, learning rate and seed, a path one for each size and seed.
    """
    for part in (claim, claim.get("control")):
        if not isinstance(part, Mapping) or part.get("measure") not in measures():
            continue
        if measures()[part["measure"]].table != "runs":
            continue
        options = measures()[part["measure"]].options | dict(part.get("options") or {})
        told = [options[k] for k in ("size", "column", "between", "tuned_at") if options.get(k)]
        swept = options.get("axis") or options.get("along") or "lr"
        columns = [*told, *([swept] if {"loss", "axis"} & set(options) else []), "seed"]
        seen: dict[tuple, RunSpec] = {}
        where = part.get("where")
        for name, members in runs.items():
            if not _selected({k: v for k, v in dict(where or {}).items() if k == "grid"},
                             {"grid": name}):  # fmt: skip
                continue  # most claims are about one grid
            for run in members:
                row = _row(name, run)
                if not _selected(where, row) or not {*columns} <= set(row):
                    continue
                place = tuple(row[column] for column in columns)
                if seen.setdefault(place, run.spec) != run.spec:
                    point = ", ".join(f"{c} {v}" for c, v in zip(columns, place, strict=True))
                    return f"several runs at {point}: choose one of them"
    return ""


def _selected(where: Any, row: Mapping[str, Any]) -> bool:
    """Whether a condition, as far as it is well-formed, selects a row."""
    try:
        return isinstance(where, Mapping) and set(where) <= set(row) and matches(where, row)
    except TypeError:
        return False


def counterpart_problems(document: Document, study: Mapping) -> Iterator[Problem]:
    """The figures and claims that counterparts name are there."""
    for index, entry in enumerate(study.get("counterparts", [])):
        for part in ("figures", "claims"):
            known = [one.get("id") for one in study.get(part, []) if isinstance(one, Mapping)]
            for name in entry.get(part, []):
                if name not in known:
                    home = ("counterparts", str(index), part)
                    yield document.problem(home, f"{name!r} is no id of the study's {part}")


def _conditions(entry: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Table and well-formed condition of a figure or claim and of its control."""
    for part in (entry, entry.get("control")):
        if isinstance(part, Mapping) and isinstance(part.get("where"), Mapping):
            measure = measures().get(str(part.get("measure")))
            yield measure.table if measure else "runs", part["where"]


def _names_nothing(where: Mapping[str, Any], rows: list[dict[str, str]]) -> str:
    """Why a condition on replays, regions or winners names what is not planned; empty if all is.

    Of tasks nothing is known before they are read, so columns of theirs are not looked at.
    """
    for column, wanted in where.items():
        known = sorted({row[column] for row in rows if column in row})
        names = wanted if isinstance(wanted, list) else [wanted]
        for name in names if known else ():
            if name not in known:
                return f"no {column} {name!r}; known: {', '.join(known)}"
    return ""


def _selects_nothing(where: Mapping[str, Any], runs: Mapping[str, list[grid.Run]]) -> str:
    """Why a condition on runs selects none of them; empty if it selects some."""
    known: set[str] = set()
    for name, members in runs.items():
        names = {*_row(name, members[0])}
        known |= names
        for run in members if names >= set(where) else ():  # a grid's points have the same names
            row = _row(name, run)
            try:
                if matches(where, row):
                    return ""
            except TypeError:
                return f"{dict(where)!r} bounds a column that does not hold numbers"
    unknown = [key for key in where if key not in known]
    if unknown:
        return f"no column {', '.join(map(repr, unknown))}; known: {', '.join(sorted(known))}"
    return f"no run of this scale is selected by {dict(where)!r}"


def _row(name: str, run: grid.Run) -> dict[str, Any]:
    """The columns that claims and figures can select a planned run by."""
    return {**run.spec.columns(), **run.point, "grid": name}
