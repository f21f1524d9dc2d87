"""Check that figures, claims and counterparts of a study refer to existing rows and ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypertransfer.catalogue.cards import figures as cards_figures
from hypertransfer.catalogue.cards.figures import FigureCard
from hypertransfer.catalogue.cards.probes import PROBES
from hypertransfer.catalogue.options import Validator
from hypertransfer.claims.claim import Claim, Control
from hypertransfer.claims.families import measures
from hypertransfer.claims.measure import Measure
from hypertransfer.runs.problem import NO_VALUE, Problem, known_names
from hypertransfer.studies.double_runs import doubles
from hypertransfer.studies.figure import Figure
from hypertransfer.studies.option_checks import Reader, bounds_text, condition_text
from hypertransfer.studies.planned import Planned, Row, as_text, in_table, row_of, selects
from hypertransfer.studies.schema import explain_schema_error

MOST_SHOWN = 20  # values of a column that a message lists


def figure_problems(figure: Figure, planned: Planned) -> Iterator[Problem]:
    """Problems of a figure's kind and options; paths start at the figure's keys.

    Columns, grids and other names that options refer to are checked as far as they are planned.
    """
    if figure.kind not in cards_figures.FIGURES:
        expected = f"one of {', '.join(cards_figures.FIGURES)}"
        yield Problem(("kind",), figure.kind, expected)
        return
    card = cards_figures.FIGURES[figure.kind]
    problems = list(_option_problems(figure, card))
    yield from problems
    reader = Reader(planned, figure.options, planned.selected(figure.where))
    wrong = {problem.path[1] for problem in problems if len(problem.path) > 1}
    named = [
        problem.below("options", option)
        for option, value in figure.options.items()
        if option not in wrong
        for problem in reader.problems(card.options[option], value)
    ]
    yield from named
    if not problems and not named:
        yield from _reading_problems(figure, card, reader)


def _option_problems(figure: Figure, card: FigureCard) -> Iterator[Problem]:
    """Problems of a figure's options without regard to what they refer to."""
    for option, value in figure.options.items():
        if option not in card.options:
            text = f"unknown option of {figure.kind}; {known_names(option, card.options)}"
            yield Problem(("options", str(option)), NO_VALUE, text)
            continue
        for error in Validator(card.options[option]).iter_errors(value):
            yield from (p.below("options", option) for p in explain_schema_error(error))
    for option in card.required:
        if option not in figure.options:
            yield Problem(("options", option), NO_VALUE, f"is missing, and {figure.kind} needs it")
    if figure.where and not card.reads_runs:
        yield Problem(("where",), NO_VALUE, f"has no effect: {figure.kind} reads no runs")


def _reading_problems(figure: Figure, card: FigureCard, reader: Reader) -> Iterator[Problem]:
    """Problems of the runs that a figure with sound options reads, and options without effect."""
    idle = list(_idle_options(figure.options))
    yield from idle
    if idle or not reader.runs or not card.reads_runs:
        return
    known = dict.fromkeys(key for run in reader.runs for key in run.row)
    for column in card.columns:
        if lacking := [run.row["grid"] for run in reader.runs if column not in run.row]:
            text = (
                f"the runs of the grid {lacking[0]} have no column {column!r}, which "
                f"{figure.kind} reads; known: {', '.join(known)}"
            )
            yield Problem(("where",), NO_VALUE, text)
            return
    of_grid = reader.options[card.probed_in] if card.probed_in else None
    runs = [run for run in reader.runs if of_grid in (None, run.row["grid"])]
    for column in card.probed:
        if text := replace(reader, runs=runs).unmeasured(column, "some"):
            yield Problem(("where",), NO_VALUE, text)
    if card.distinct and (text := doubles(card.distinct, reader)):
        yield Problem(("where",), NO_VALUE, text)
    else:
        yield from _arm_problems(figure, reader)


def _idle_options(options: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of options of figures that have no effect with the values of other options."""
    shown = options.get("quantities", ())
    for index, quantity in enumerate(options.get("relative", ())):
        if quantity not in shown:
            text = f"{quantity!r} has no panel; {known_names(quantity, shown)}"
            yield Problem(("options", "relative", str(index)), NO_VALUE, text)
    probed = {name for card in PROBES.values() for name in card.columns}
    if options.get("level") is not None and not probed & {*shown}:
        text = "has no effect: no probe measures one of the quantities"
        yield Problem(("options", "level"), NO_VALUE, text)
    if options.get("tuned_at") and options.get("best"):
        text = "has no effect: tuned_at chooses the learning rates"
        yield Problem(("options", "best"), NO_VALUE, text)
    for first, second in (("over", "of"), ("y", "x")):
        if second in options and options[first] == options[second]:
            text = f"{options[first]!r} is the value of `{second}`, too"
            yield Problem(("options", first), NO_VALUE, text)


def _arm_problems(figure: Figure, reader: Reader) -> Iterator[Problem]:
    """Problems of the arms, or the parts, that a figure compares."""
    options = figure.options
    if figure.kind == "race":
        column, over = options["column"], options["over"]
        lengths: dict[bool, set[int]] = {True: set(), False: set()}
        for run in reader.runs:
            if in_table(run.row[column]) in (over, options["of"]):
                lengths[in_table(run.row[column]) == over].add(run.row["steps"])
        if max(lengths[True]) not in lengths[False]:
            text = f"has no run of {max(lengths[True])} steps, the longest of {over}"
            yield Problem(("options", "of"), NO_VALUE, text)
    if figure.kind == "overview":
        names: dict[bool, set[str]] = {True: set(), False: set()}
        for run in reader.runs:
            names[run.row["grid"] == options["sweep"]].add(run.row["parameterisation"])
        for name in sorted(names[False] - names[True]):
            text = f"the grid {options['sweep']} has no run of parameterisation {name}"
            yield Problem(("options", "sweep"), NO_VALUE, text)
    for index, part in enumerate(options.get("parts", ())):
        column = part["column"]
        rows = [run.row for run in reader.runs if run.row["grid"] == part["grid"]]
        if len({str(in_table(row.get(column))) for row in rows}) < 2:
            text = f"the grid {part['grid']} has no two values of {column} to compare"
            yield Problem(("options", "parts", str(index), "column"), NO_VALUE, text)


def claim_problems(claim: Claim, planned: Planned) -> Iterator[Problem]:
    """Problems of what a claim without other problems, and its control, read."""
    for path, part in ((), claim), (("control",), claim.control):
        if part is None or not _rows_are_known(part, planned):
            continue  # `condition_problems` says why no row is selected
        yield from (problem.below(*path) for problem in _part_problems(part, planned))
    yield from _seed_problems(claim, planned)


def _rows_are_known(part: Control, planned: Planned) -> bool:
    table = measures()[part.measure].table
    if table == "runs":
        return bool(planned.selected(part.where))
    return bool(planned.rows_of(table, part.where))


def _part_problems(part: Control, planned: Planned) -> Iterator[Problem]:
    measure = measures()[part.measure]
    options = {**measure.options, **part.options}
    runs = planned.selected(part.where) if measure.table == "runs" else []
    rows = planned.rows_of(measure.table, part.where) if measure.table != "runs" else []
    reader = Reader(planned, options, runs, measure.table, rows, texts=True)
    problems = [
        problem.below("options", option)
        for option, value in options.items()
        if value is not None
        for problem in reader.problems(measure.schema(option), value)
    ]
    yield from problems
    if problems:
        return
    yield from _method_problems(measure, reader)
    if measure.distinct:
        yield from _run_problems(measure, reader)


def _run_problems(measure: Measure, reader: Reader) -> Iterator[Problem]:
    """Problems of the runs that a measure with sound options reads."""
    options = reader.options
    if measure.schema("loss").get("measured") and options["loss"] in _measured():
        # A measure leaves out runs in which no probe measured the loss that it compares.
        measured = [run for run, names in reader.measuring(options["loss"]) if names]
        reader = replace(reader, runs=measured or reader.runs)
    if text := doubles(measure.distinct, reader):
        yield Problem(("where",), NO_VALUE, text)
    elif "best" in options:
        yield from _arm_rate_problems(options, reader)


def _measured() -> set[str]:
    return {name for card in PROBES.values() for name in card.columns}


def _arm_rate_problems(options: Mapping[str, Any], reader: Reader) -> Iterator[Problem]:
    """Problems of the number of arms, and of learning rates between which no option chooses."""
    column = options["column"]
    wanted = [options[name] for name in ("of", "over") if name in options]
    rates: dict[str, set[float]] = {}
    for run in reader.runs:
        arm = as_text(run.row[column])
        if not wanted or "" in wanted or arm in wanted:
            rates.setdefault(arm, set()).add(run.row["lr"])
    if len(rates) < 2:
        text = f"a comparison needs two values of {column}; only {', '.join(rates)} is selected"
        yield Problem(("where",), NO_VALUE, text)
        return
    several = [arm for arm, tried in rates.items() if len(tried) > 1]
    if several and not options["best"] and not options["tuned_at"]:
        text = (
            f"{several[0]} has several learning rates: set best: true or tuned_at in options, or "
            "choose one in where"
        )
        yield Problem(("where",), NO_VALUE, text)


def _method_problems(measure: Measure, reader: Reader) -> Iterator[Problem]:
    """Problems of methods that several of the selected replays have."""
    for option in ("of", "over"):
        if measure.schema(option).get("value_of") != ["replays", "method"]:
            continue
        name = reader.options[option]
        replays = list(dict.fromkeys(r["replay"] for r in reader.rows if r["method"] == name))
        if len(replays) > 1:
            text = (
                f"several replays have the method {name!r}, {', '.join(replays)}: "
                f"add `replay: {replays[0]}` to where"
            )
            yield Problem(("where",), NO_VALUE, text)
            return


def _seed_problems(claim: Claim, planned: Planned) -> Iterator[Problem]:
    """The problem of a claim that asks for more seeds than any scale plans.

    A scale may plan fewer seeds, where the claim is undecided. Only a number that the claim gives
    counts, not the default.
    """
    if "min_seeds" not in claim.plain() or measures()[claim.measure].table != "runs":
        return
    planned_seeds = {run.row["seed"] for run in planned.selected(claim.where)}
    counts = [len(planned_seeds)]
    for grids in planned.axes_elsewhere():
        seeds = {
            seed
            for name, axes in grids.items()
            if selects({k: v for k, v in claim.where.items() if k == "grid"}, {"grid": name})
            for seed in axes.get("seed", ())
            if "seed" not in claim.where or selects({"seed": claim.where["seed"]}, {"seed": seed})
        }
        counts.append(len(seeds))
    if planned_seeds and max(counts) < claim.min_seeds:
        noun = "seed is" if max(counts) == 1 else "seeds are"
        text = f"{max(counts)} {noun} planned at most, so that no scale can decide this claim"
        yield Problem(("min_seeds",), claim.min_seeds, f"within reach: {text}")


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
    for path, part in ((), entry), (("control",), entry.get("control")):
        if not isinstance(part, Mapping) or not isinstance(part.get("where"), Mapping):
            continue
        measure = measures().get(str(part.get("measure")))
        if measure and measure.table != "runs":
            text = _no_row(part["where"], measure.table, planned)
        else:
            text = _no_run(part["where"], planned)
        if text:
            yield Problem((*path, "where"), NO_VALUE, text)


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


def _no_row(where: Mapping[str, Any], table: str, planned: Planned) -> str:
    """Why a condition selects no planned row of replays, regions or winners; empty if it may.

    Values in columns that describe tasks are not known until the tasks are read.
    """
    rows = planned.rows.get(table)
    if rows is None:
        return ""  # suites or replays have problems
    if not rows:
        kind = "suites" if table == "winners" else "replays"
        return f"the table {table} has no rows: the study has no {kind}"
    columns = planned.columns(table, rows)
    for column, wanted in where.items():
        if column not in columns:
            return f"no column {column!r} in the table {table}; {known_names(column, columns)}"
        known = sorted({row[column] for row in rows if column in row})
        names = wanted if isinstance(wanted, list) else [wanted]
        for name in names if known else ():
            if name not in known:
                return f"no {column} {name!r}; {known_names(name, known)}"
    return "" if planned.rows_of(table, where) else f"no row has {condition_text(where)}"


def _no_run(where: Mapping[str, Any], planned: Planned) -> str:
    """The reason why a condition selects no run; empty if it selects some."""
    first = [row_of(name, members[0]) for name, members in planned.runs.items() if members]
    if not first or next(planned.iterate(where), None):
        return ""
    if text := next((text for row in _with(where, first) if (text := bounds_text(where, row))), ""):
        return text
    known = dict.fromkeys(key for row in first for key in row)
    if unknown := [key for key in where if key not in known]:
        names = ", ".join(map(repr, unknown))
        return f"no column {names}; {known_names(unknown[0], known)}"
    text = f"no run of this scale is selected by {condition_text(where)}"
    reasons = [_no_value_text(column, where[column], planned) for column in where]
    return "; ".join([text, *filter(None, reasons)])


def _with(where: Mapping[str, Any], rows: Sequence[Row]) -> Iterator[Row]:
    return (row for row in rows if {*where} <= {*row})


def _no_value_text(column: str, wanted: Any, planned: Planned) -> str:
    """The known values of a column of which no run has the wanted one; empty if some run has it."""
    rows = (row_of(name, run) for name, members in planned.runs.items() for run in members)
    values = dict.fromkeys(in_table(row[column]) for row in rows if column in row)
    if any(selects({column: wanted}, {column: value}) for value in values):
        return ""
    return f"{column}: {known_names(wanted, list(values)[:MOST_SHOWN])}"
