"""Check that figures, claims and counterparts of a study refer to existing rows and ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hypertransfer.catalogue.cards import figures as cards_figures
from hypertransfer.catalogue.options import Option, Validator
from hypertransfer.claims.claim import Claim, Control
from hypertransfer.claims.families import measures
from hypertransfer.runs.canonical import canonical
from hypertransfer.runs.columns import SUMMARY
from hypertransfer.runs.conditions import matches
from hypertransfer.runs.problem import NO_VALUE, Problem
from hypertransfer.runs.spec import RunSpec
from hypertransfer.studies import placed_run
from hypertransfer.studies.figure import Figure
from hypertransfer.studies.schema import explain_schema_error

Runs = Mapping[str, Sequence[placed_run.Run]]  # by the name of their grid
Rows = Mapping[str, Sequence[Mapping[str, str]]]  # of the tables of replays, as far as planned


def figure_problems(figure: Figure, runs: Runs, rows: Rows) -> Iterator[Problem]:
    """Problems of a figure's kind and options; paths start at the figure's keys.

    Columns, grids and other names that options refer to are checked as far as they are planned.
    """
    if figure.kind not in cards_figures.FIGURES:
        yield Problem(("kind",), figure.kind, f"one of {', '.join(cards_figures.FIGURES)}")
        return
    card = cards_figures.FIGURES[figure.kind]
    of_grid = {key: wanted for key, wanted in figure.where.items() if key == "grid"}
    selected = {name: runs[name] for name in runs if _selected(of_grid, {"grid": name})}
    for option, value in figure.options.items():
        if option not in card.options:
            text = f"unknown option of {figure.kind}; known: {', '.join(card.options) or 'none'}"
            yield Problem(("options", str(option)), NO_VALUE, text)
            continue
        problems = _value_problems(card.options[option], value, figure.options, selected, rows)
        yield from (problem.below("options", option) for problem in problems)
    for option in card.required:
        if option not in figure.options:
            yield Problem(("options", option), NO_VALUE, f"is missing, and {figure.kind} needs it")


def _value_problems(
    option: Option, value: Any, options: Mapping[str, Any], runs: Runs, rows: Rows
) -> Iterator[Problem]:
    """Problems of an option's value: its type, or else the names in it that are not planned.

    `options` has the values of all options of the figure.
    """
    errors = list(Validator(option).iter_errors(value))
    for error in errors:
        yield from explain_schema_error(error)
    for path, schema, name in () if errors else _names(option, value):
        if "column_of" in schema:
            kind, known = "column", _columns(runs)
        else:
            table, kind = schema.get("value_of") or ("runs", str(options[schema["value_in"]]))
            known = _values(table, kind, runs, rows)
        if name != "" and known and name not in known:
            text = f"no {kind} {name!r}; known: {', '.join(map(str, known))}"
            yield Problem(path, NO_VALUE, text)


def _names(
    schema: Option, value: Any, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Option, str]]:
    """Each name in a value that refers to a column or to a value of one: path, schema, name."""
    if {"column_of", "value_of", "value_in"} & set(schema):
        yield path, schema, value
    if "items" in schema:
        for index, inner in enumerate(value):
            yield from _names(schema["items"], inner, (*path, str(index)))
    for key, inner in schema.get("properties", {}).items():
        if key in value:
            yield from _names(inner, value[key], (*path, key))


def _columns(runs: Runs) -> list[str]:
    """The columns that some of the runs have in their table; none if there are no runs."""
    planned = dict.fromkeys(key for name in runs for key in _row(name, runs[name][0]))
    return [*planned, *SUMMARY] if runs else []


def _values(table: str, column: str, runs: Runs, rows: Rows) -> list[Any]:
    """The values of a column that are known when a study is planned.

    Lists and mappings are canonical texts, as tables hold them.
    """
    if table != "runs":
        return sorted({row[column] for row in rows.get(table, ()) if column in row})
    if column == "grid":
        return list(runs)
    planned = (_row(name, run) for name, members in runs.items() for run in members)
    values = (row[column] for row in planned if column in row)
    texts = (canonical(v) if isinstance(v, list | tuple | Mapping) else v for v in values)
    return list(dict.fromkeys(texts))


def id_problems(part: str, ids: Mapping[int, str]) -> Iterator[Problem]:
    """Problems of figures or claims with the same id; `ids` has the id of each index."""
    names = list(ids.values())
    for index, name in ids.items():
        if names.count(name) > 1:
            yield Problem((part, str(index)), NO_VALUE, f"the id {name!r} occurs twice")


def condition_problems(entry: Mapping[str, Any], runs: Runs, rows: Rows) -> Iterator[Problem]:
    """Problems of the rows that a figure or claim as written, and its control, select.

    `rows` has the planned rows of the tables of replays. Without runs, whose grids then have
    problems, conditions on runs are not checked.
    """
    for path, part in ((), entry), (("control",), entry.get("control")):
        if not isinstance(part, Mapping) or not isinstance(part.get("where"), Mapping):
            continue
        measure = measures().get(str(part.get("measure")))
        table = measure.table if measure else "runs"
        if table != "runs":
            text = _names_nothing(part["where"], rows.get(table, ()))
        else:
            text = _selects_nothing(part["where"], runs) if runs else ""
        if text:
            yield Problem((*path, "where"), NO_VALUE, text)


def twin_problems(claim: Claim, runs: Runs) -> Iterator[Problem]:
    """Problems of a claim or control that selects runs which its measure cannot distinguish."""
    for path, part in ((), claim), (("control",), claim.control):
        if part and (text := _twins(part, runs)):
            yield Problem((*path, "where"), NO_VALUE, text)


def _twins(part: Control, runs: Runs) -> str:
    """A text on selected runs that the measure cannot distinguish; empty if there are none.

    A sweep has one run for each size, learning rate and seed, and a trajectory has one run for each
    size and seed.
    """
    measure = measures()[part.measure]
    if measure.table != "runs":
        return ""
    options = measure.options | dict(part.options)
    told = [options[k] for k in ("size", "column", "between", "tuned_at") if options.get(k)]
    swept = options.get("axis") or options.get("along") or "lr"
    columns = [*told, *([swept] if {"loss", "axis"} & set(options) else []), "seed"]
    of_grid = {key: wanted for key, wanted in part.where.items() if key == "grid"}
    seen: dict[str, RunSpec] = {}
    for name, members in runs.items():
        if not _selected(of_grid, {"grid": name}):
            continue  # skips all runs of other grids at once
        for run in members:
            row = _row(name, run)
            if not _selected(part.where, row) or not {*columns} <= set(row):
                continue
            place = [row[column] for column in columns]
            if seen.setdefault(canonical(place), run.spec) != run.spec:
                point = ", ".join(f"{c} {v}" for c, v in zip(columns, place, strict=True))
                return f"several runs at {point}: narrow the condition to one of them"
    return ""


def _selected(where: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Whether a condition selects a row; False if bounds and value cannot be compared."""
    try:
        return set(where) <= set(row) and matches(where, row)
    except TypeError:
        return False


def counterpart_problems(
    counterparts: Sequence[Mapping[str, Any]], ids: Mapping[str, Sequence[str]]
) -> Iterator[Problem]:
    """Problems of the ids of figures and claims in counterparts."""
    for index, entry in enumerate(counterparts):
        for part, known in ids.items():
            for name in entry[part]:
                if name not in known:
                    path = ("counterparts", str(index), part)
                    yield Problem(path, NO_VALUE, f"{name!r} is not an id of the study's {part}")


def _names_nothing(where: Mapping[str, Any], rows: Sequence[Mapping[str, str]]) -> str:
    """The first value that no planned row of replays, regions or winners has; empty if none.

    Columns that describe tasks are left out: they are unknown until the tasks are read.
    """
    for column, wanted in where.items():
        known = sorted({row[column] for row in rows if column in row})
        names = wanted if isinstance(wanted, list) else [wanted]
        for name in names if known else ():
            if name not in known:
                return f"no {column} {name!r}; known: {', '.join(known)}"
    return ""


def _selects_nothing(where: Mapping[str, Any], runs: Runs) -> str:
    """The reason why a condition selects no run; empty if it selects some."""
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


def _row(name: str, run: placed_run.Run) -> dict[str, Any]:
    """The columns by which claims and figures can select a planned run."""
    return {**run.spec.columns(), **run.point, "grid": name}
