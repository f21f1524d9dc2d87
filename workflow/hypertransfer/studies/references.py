"""Check names that a study refers to, and the rows that figures and claims select."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hypertransfer.analysis.references import BASE
from hypertransfer.claims.families import measures
from hypertransfer.runs.canonical import is_plain
from hypertransfer.runs.numbers import is_number
from hypertransfer.runs.problem import NO_VALUE, Problem, known_names
from hypertransfer.runs.table_values import in_table
from hypertransfer.studies.document import condition_text
from hypertransfer.studies.option_checks import bounds_text
from hypertransfer.studies.planned import Planned, Row, row_of, selects

MOST_SHOWN = 20  # values of a column that a message lists


def id_problems(part: str, ids: Mapping[int, str]) -> Iterator[Problem]:
    """Problems of figures or claims with the same id; `ids` has the id of each index."""
    names = list(ids.values())
    for index, name in ids.items():
        if names.count(name) > 1:
            yield Problem((part, str(index)), NO_VALUE, f"the id {name!r} occurs twice")


def condition_problems(entry: Mapping[str, Any], planned: Planned) -> Iterator[Problem]:
    """Problems of the rows that a figure or claim as written, and its control, select.

    Without runs, whose grids then have problems, conditions on runs are not checked.
    """
    for path, part in parts_with_conditions(entry):
        measure = measures().get(str(part.get("measure")))
        if measure and measure.table != "runs":
            text = _no_row(part["where"], measure.table, planned)
        else:
            text = _no_run(part["where"], planned)
        if text:
            yield Problem((*path, "where"), NO_VALUE, text)


def parts_with_conditions(
    entry: Mapping[str, Any],
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """A figure or claim as written and its control, each with its path, if they have conditions."""
    for path, part in ((), entry), (("control",), entry.get("control")):
        if isinstance(part, Mapping) and isinstance(part.get("where"), Mapping):
            yield path, part


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


def paper_problems(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of a study without a paper that has statements of a paper."""
    if values.get("paper"):
        return
    for part in ("headlines", "counterparts"):
        if values.get(part):
            text = (
                f"the study names no paper whose {part} these are: add the key paper, with title "
                f"and authors, or leave {part} out"
            )
            yield Problem((part,), NO_VALUE, text)
    for index, entry in enumerate(values.get("claims", ())):
        if entry.get("kind") == "paper":
            path = ("claims", str(index), "kind")
            yield Problem(path, "paper", "'ours' or 'control', as the study has no key paper")


def headline_problems(
    headlines: Sequence[Mapping[str, Any]], claims: Mapping[str, Any]
) -> Iterator[Problem]:
    """Problems of the claims of headlines: unknown ids, no claim of the paper, and missing texts.

    `claims` has the kind of each claim by id.
    """
    for index, entry in enumerate(headlines):
        path = ("headlines", str(index))
        for name in entry["claims"]:
            if name not in claims:
                text = f"{name!r} is not an id of the study's claims; {known_names(name, claims)}"
                yield Problem((*path, "claims"), NO_VALUE, text)
        kinds = [claims[name] for name in entry["claims"] if name in claims]
        if kinds and "paper" not in kinds:
            text = (
                "no claim of kind paper among them: add one that tests the statement, or leave "
                "the list empty and name these claims in not_here"
            )
            yield Problem((*path, "claims"), NO_VALUE, text)
        if entry["claims"] and not entry.get("measure"):
            text = "is missing: say how the claims measure the statement"
            yield Problem((*path, "measure"), NO_VALUE, text)
        if not entry["claims"] and not entry.get("not_here"):
            text = "is missing: say why no claim tests the statement, and where one could"
            yield Problem((*path, "not_here"), NO_VALUE, text)


def comparison_problems(
    comparisons: Sequence[Mapping[str, Any]], replays: Mapping[str, Mapping[str, Any]]
) -> Iterator[Problem]:
    """Problems of comparisons: unknown names, numbers without a partner, and entries without any.

    `replays` are the replays of the study as written.
    """
    for index, entry in enumerate(comparisons):
        path = ("comparisons", str(index))
        if len(entry.get("at", ())) != len(entry.get("regrets", ())):
            text = f"{len(entry.get('regrets', ()))} numbers for {len(entry.get('at', ()))} in at"
            yield Problem((*path, "regrets"), NO_VALUE, text)
        if (entry.get("share") is None) != (entry.get("region") is None):
            yield Problem((*path, "region"), NO_VALUE, "share and region need each other")
        if not entry.get("at") and entry.get("evaluations") is None and entry.get("share") is None:
            text = (
                "compares nothing: give `at` and `regrets`, `evaluations`, or `region` and `share`"
            )
            yield Problem(path, NO_VALUE, text)
        if entry["replay"] not in replays:
            words = known_names(entry["replay"], replays)
            yield Problem((*path, "replay"), NO_VALUE, f"no replay {entry['replay']!r}; {words}")
            continue
        replay = replays[entry["replay"]]
        if entry.get("evaluations") is not None and BASE not in replay.get("methods", {}):
            text = (
                f"counts until the last regret of {BASE}, which {entry['replay']} lacks: add the "
                "method there, or leave evaluations out"
            )
            yield Problem((*path, "evaluations"), NO_VALUE, text)
        for key, section in (("method", "methods"), ("region", "regions")):
            known = replay.get(section, {})
            if entry.get(key) is not None and entry[key] not in known:
                words = known_names(entry[key], known)
                yield Problem((*path, key), NO_VALUE, f"no {key} {entry[key]!r}; {words}")


def no_rows(table: str, planned: Planned) -> str:
    """Why a table of replays has no rows; empty if it has some, or suites or replays have problems.

    Figures and claims cannot read a table without rows.
    """
    if planned.rows.get(table, True):
        return ""
    kind = "suites" if table == "winners" else "replays"
    return f"the table {table} has no rows: the study has no {kind}"


def _no_row(where: Mapping[str, Any], table: str, planned: Planned) -> str:
    """Why a condition selects no planned row of replays, regions or winners; empty if it may.

    Values in columns that describe tasks are not known until the tasks are read.
    """
    rows = planned.rows.get(table)
    if not rows:
        return no_rows(table, planned)
    columns = planned.columns(table, rows)
    for column, wanted in where.items():
        if column not in columns:
            return f"no column {column!r} in the table {table}; {known_names(column, columns)}"
        tables = [rows, *(scale.rows.get(table, ()) for scale in planned.scales)]
        known = sorted({row[column] for held in tables for row in held if column in row})
        names = wanted if isinstance(wanted, list) else [wanted]
        for name in names if known else ():
            if name not in known:
                return f"no {column} {name!r}; {known_names(name, known)}"
    return "" if planned.rows_of(table, where) else f"no row has {condition_text(where)}"


def _no_run(where: Mapping[str, Any], planned: Planned) -> str:
    """The reason why a condition selects no run; empty if it selects some."""
    first = [
        row_of(name, members[0], planned.points[name][0])
        for name, members in planned.runs.items()
        if members
    ]
    if not first:
        return ""
    if next(planned.iterate(where), None):
        return _unknown_member(where, planned)
    if text := next((text for row in _with(where, first) if (text := bounds_text(where, row))), ""):
        return text
    known = dict.fromkeys(key for row in first for key in row)
    if unknown := [key for key in where if key not in known]:
        names = ", ".join(map(repr, unknown))
        return f"no column {names}; {known_names(unknown[0], known)}"
    text = f"no run of this scale is selected by {condition_text(where)}"
    reasons = [_no_value_text(column, where[column], planned) for column in where]
    return "; ".join([text, *filter(None, reasons)])


def _unknown_member(where: Mapping[str, Any], planned: Planned) -> str:
    """The first member of a list that no run has at any scale; empty if there is none."""
    of_grid = {column: wanted for column, wanted in where.items() if column == "grid"}
    lists = {column: wanted for column, wanted in where.items() if isinstance(wanted, list)}
    for column, members in lists.items():
        known: dict[Any, None] = {}
        for grid, columns in planned.columns_of_runs.items():
            if column == "grid" or selects(of_grid, {"grid": grid}):
                known |= dict.fromkeys(columns.get(column, ()))
        for member in filter(is_plain, members):  # other values are reported as such
            if in_table(member) not in known:
                words = known_names(member, sorted(known, key=_order), most=MOST_SHOWN)
                return f"no {column} {member!r} at any scale; {words}"
    return ""


def _order(value: Any) -> tuple[bool, float, str]:
    """A key by which numbers are sorted as numbers, before other values."""
    return (not is_number(value), value if is_number(value) else 0.0, str(value))


def _with(where: Mapping[str, Any], rows: Sequence[Row]) -> Iterator[Row]:
    return (row for row in rows if {*where} <= {*row})


def _no_value_text(column: str, wanted: Any, planned: Planned) -> str:
    """The known values of a column of which no run has the wanted one; empty if some run has it."""
    rows = (run.row for run in planned.iterate({}))
    values = dict.fromkeys(in_table(row[column]) for row in rows if column in row)
    if any(selects({column: wanted}, {column: value}) for value in values):
        return ""
    return known_names(wanted, values, f"known values of {column}", most=MOST_SHOWN)
