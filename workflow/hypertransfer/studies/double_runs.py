"""Find runs that a figure or a measure cannot tell apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypertransfer.catalogue.distinct_runs import DistinctRuns
from hypertransfer.runs.table_values import in_table, name_of
from hypertransfer.studies.axes import equality_text
from hypertransfer.studies.document import flow
from hypertransfer.studies.option_checks import Selection
from hypertransfer.studies.planned import PlannedRun

MOST_SHOWN = 3  # values of a column in which runs differ


def doubles(distinct: DistinctRuns, selection: Selection) -> str:
    """A text on the first selected runs that cannot be told apart; empty if all can."""
    if distinct.each:
        parts = selection.options[distinct.each]
        inner = replace(distinct, each="")
        texts = (doubles(inner, replace(selection, options=part)) for part in parts)
        return next(filter(None, texts), "")
    if distinct.when and not selection.options[distinct.when]:
        return ""
    columns = [selection.options.get(name, name) for name in distinct.by]
    columns = [column for column in columns if column != ""]
    seen: dict[tuple, PlannedRun] = {}
    for run in _read(distinct, selection):
        if not {*columns} <= set(run.row):
            continue  # `option_checks` names the column
        place = _at(run, columns)
        first = seen.setdefault(place, run)
        if first is not run and not (distinct.by_key and _are_one(first, run, selection)):
            members = [r for r in _read(distinct, selection) if _at(r, columns) == place]
            return _text(columns, members, selection)
    return ""


def _are_one(first: PlannedRun, second: PlannedRun, selection: Selection) -> bool:
    return selection.planned.identity(first) == selection.planned.identity(second)


def _at(run: PlannedRun, columns: Sequence[str]) -> tuple:
    return tuple(in_table(run.row.get(column)) for column in columns)


def _read(distinct: DistinctRuns, selection: Selection) -> Iterator[PlannedRun]:
    """The selected runs that the figure or measure reads."""
    grid = selection.options[distinct.grid] if distinct.grid else None
    arms = _arms(distinct, selection.options)
    column = selection.options.get("column")
    for run in of_one_value(selection):
        if grid is not None and run.row["grid"] != grid:
            continue
        if arms and column in run.row and name_of(run.row[column]) not in arms:
            continue
        yield run


def of_one_value(selection: Selection) -> Iterator[PlannedRun]:
    """The selected runs, and of alternatives of which one is run, the first."""
    seen: set[str] = set()
    for run in selection.runs:
        if found := selection.planned.one_of.get(run.row["grid"]):
            place = equality_text({k: value for k, value in run.row.items() if k not in found})
            if place in seen:
                continue
            seen.add(place)
        yield run


def _arms(distinct: DistinctRuns, options: Mapping[str, Any]) -> list[str]:
    """The arms that are read, as texts; none for all arms."""
    values = [options[name] for name in distinct.arms]
    if "" in values:  # compared with all others
        return []
    texts = list(map(name_of, values))
    # A text may list arms, and the text of an arm may have commas.
    return [*texts, *(part.strip() for text in texts for part in text.split(","))]


def _text(columns: Sequence[str], members: Sequence[PlannedRun], selection: Selection) -> str:
    """The runs at one point, the columns in which they differ, and how to choose one."""
    row = members[0].row
    shown = [(c, row[c]) for c in columns]
    point = ", ".join(f"{column} {in_table(value)}" for column, value in shown)
    differing = _differing(members)
    if not differing:
        return f"several runs at {point}: they differ in nothing that a condition can select"
    texts = [f"{column}: {_listed(values)}" for column, values in differing.items()]
    chosen = _preferred(members, selection)
    narrower = {column: in_table(chosen.row.get(column)) for column in differing}
    narrower = {column: value for column, value in narrower.items() if value is not None}
    if not narrower:
        return f"several runs at {point}: they differ in {'; '.join(texts)}"
    first = next(iter(narrower))
    advice = flow({first: narrower[first]})[1:-1]
    return (
        f"several runs at {point}: they differ in {'; '.join(texts)}; narrow the condition to one "
        f"of them: add `{advice}` to where"
    )


def _listed(values: Sequence[Any]) -> str:
    more = ", …" if len(values) > MOST_SHOWN else ""
    shown = ("null" if value is None else str(value) for value in values[:MOST_SHOWN])
    return ", ".join(shown) + more


def _differing(members: Sequence[PlannedRun]) -> dict[str, list[Any]]:
    """The values of the columns in which runs differ; of their grids only if nothing else does."""
    names = dict.fromkeys(key for run in members for key in run.row)
    values = {
        name: list(dict.fromkeys(in_table(run.row.get(name)) for run in members)) for name in names
    }
    differing = {name: held for name, held in values.items() if len(held) > 1}
    others = {name: held for name, held in differing.items() if name != "grid"}
    return others or differing


def _preferred(members: Sequence[PlannedRun], selection: Selection) -> PlannedRun:
    """The run that is measured, if the options name a quantity that a probe measures."""
    quantity = selection.options.get("quantity")
    if isinstance(quantity, str):
        for run in members:
            if selection.planned.probes_of(run, quantity):
                return run
    return members[0]
