"""Check the options of figures, and the runs that figures read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypertransfer.catalogue.cards.figures import FIGURES, FigureCard
from hypertransfer.catalogue.cards.probes import COLUMNS
from hypertransfer.catalogue.options import Validator
from hypertransfer.runs.problem import NO_VALUE, Problem, known_names, one_of
from hypertransfer.runs.table_values import in_table
from hypertransfer.studies.double_runs import doubles, of_one_value
from hypertransfer.studies.figure import Figure
from hypertransfer.studies.option_checks import Selection, several_rates
from hypertransfer.studies.planned import Planned, PlannedRun
from hypertransfer.studies.references import no_rows
from hypertransfer.studies.schema import explain_schema_error


def figure_problems(figure: Figure, planned: Planned) -> Iterator[Problem]:
    """Problems of a figure's kind and options; paths start at the figure's keys.

    Columns, grids and other names that options refer to are checked as far as they are planned.
    """
    if figure.kind not in FIGURES:
        yield Problem(("kind",), figure.kind, one_of(figure.kind, FIGURES))
        return
    card = FIGURES[figure.kind]
    problems = list(_option_problems(figure, card))
    yield from problems
    selection = Selection(planned, figure.options, planned.selected(figure.where))
    wrong = {problem.path[1] for problem in problems if len(problem.path) > 1}
    named = [
        problem.below("options", option)
        for option, value in figure.options.items()
        if option not in wrong
        for problem in selection.problems(card.options[option], value)
    ]
    yield from named
    if not problems and not named:
        yield from _reading_problems(figure, card, selection)


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
    if figure.where and card.table != "runs":
        yield Problem(("where",), NO_VALUE, f"has no effect: {figure.kind} reads no runs")


def _reading_problems(figure: Figure, card: FigureCard, selection: Selection) -> Iterator[Problem]:
    """Problems of the runs that a figure with sound options reads, and options without effect."""
    idle = list(_idle_options(figure.options))
    yield from idle
    if card.table != "runs" and (text := no_rows(card.table, selection.planned)):
        yield Problem(("kind",), NO_VALUE, text)
    if idle or not selection.runs or card.table != "runs":
        return
    known = dict.fromkeys(key for run in selection.runs for key in run.row)
    for column in card.columns:
        if lacking := [run.row["grid"] for run in selection.runs if column not in run.row]:
            text = (
                f"the runs of the grid {lacking[0]} have no column {column!r}, which "
                f"{figure.kind} reads; known: {', '.join(known)}"
            )
            yield Problem(("where",), NO_VALUE, text)
            return
    of_grid = selection.options[card.probed_in] if card.probed_in else None
    runs = [run for run in selection.runs if of_grid in (None, run.row["grid"])]
    for column in card.probed:
        if text := replace(selection, runs=runs).unmeasured(column, "once"):
            yield Problem(("where",), NO_VALUE, text)
    if text := _probe_fault(figure, card, selection):
        yield Problem(("options", "probe"), NO_VALUE, text)
    if text := _doubles_fault(figure, card, selection):
        yield Problem(("where",), NO_VALUE, text)
    elif figure.kind in COMPARED:
        yield from COMPARED[figure.kind](figure.options, selection)


def _doubles_fault(figure: Figure, card: FigureCard, selection: Selection) -> str:
    """A text on runs that the figure cannot tell apart; empty if all can be."""
    if card.distinct and (text := doubles(card.distinct, selection)):
        return text
    for quantity in figure.options.get("quantities", card.probed) if card.shown else ():
        drawn = _drawn(selection, quantity)
        # Of a sweep, the probed runs are shown along training.
        if quantity not in COLUMNS and figure.options.get("sweep"):
            drawn = [run for run in drawn if selection.planned.is_probed(run)]
        if text := doubles(card.shown, replace(selection, runs=drawn or selection.runs)):
            return text
    return ""


def _probe_fault(figure: Figure, card: FigureCard, selection: Selection) -> str:
    """What is wrong with the probe that a figure names; empty if it measures what is shown."""
    wanted = figure.options.get("probe")
    shown = figure.options.get("quantities", card.probed)
    if wanted is None or not selection.planned.probes:
        return ""
    found = (selection.planned.probes_of(r, q) for r in selection.runs for q in shown)
    known = dict.fromkeys(name for names in found for name in names)
    if wanted in known:
        return ""
    text = f"no probe {wanted!r} of the selected runs measures {' or '.join(shown)}"
    return f"{text}; {known_names(wanted, known)}"


def _idle_options(options: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of options of figures that have no effect with the values of other options."""
    shown = options.get("quantities", ())
    for index, quantity in enumerate(options.get("relative", ())):
        if quantity not in shown:
            text = f"{quantity!r} has no panel; {known_names(quantity, shown)}"
            yield Problem(("options", "relative", str(index)), NO_VALUE, text)
    if options.get("level") is not None and not COLUMNS & {*shown}:
        text = "has no effect: no probe measures one of the quantities"
        yield Problem(("options", "level"), NO_VALUE, text)
    if options.get("tuned_at") and options.get("best"):
        text = "has no effect: tuned_at chooses the learning rates"
        yield Problem(("options", "best"), NO_VALUE, text)
    for first, second in (("over", "of"), ("y", "x")):
        if second in options and options[first] == options[second]:
            text = f"{options[first]!r} is the value of `{second}`, too"
            yield Problem(("options", first), NO_VALUE, text)


def _race_problems(options: Mapping[str, Any], selection: Selection) -> Iterator[Problem]:
    column, over = options["column"], options["over"]
    lengths: dict[bool, set[int]] = {True: set(), False: set()}
    for run in selection.runs:
        if in_table(run.row[column]) in (over, options["of"]):
            lengths[in_table(run.row[column]) == over].add(run.row["steps"])
    longest = max(lengths[True])
    if longest not in lengths[False]:
        text = f"{options['of']} has no run of {longest} steps, the longest of {over}"
        yield Problem(("options", "of"), NO_VALUE, text)


def _arms_problems(options: Mapping[str, Any], selection: Selection) -> Iterator[Problem]:
    yield from _unmeasured_parts(options, selection, options["rows"])
    if not options["best"] and not options["tuned_at"]:
        rates: dict[tuple, set[float]] = {}
        for quantity in options["quantities"]:
            drawn = replace(selection, runs=_drawn(selection, quantity))
            for run in of_one_value(drawn):
                panel = tuple(in_table(run.row[options[name]]) for name in ("rows", "column"))
                rates.setdefault((*panel, quantity), set()).add(run.row["lr"])
        for panel in (panel for panel, tried in rates.items() if len(tried) > 1):
            yield Problem(("where",), NO_VALUE, several_rates(panel[1]))
            return


def _drawn(selection: Selection, quantity: str) -> Sequence[PlannedRun]:
    """The runs of which a figure shows a quantity: those that a probe measures, or all."""
    if quantity not in COLUMNS:
        return selection.runs
    return [run for run, names in selection.measuring(quantity) if names] or selection.runs


def _levels_problems(options: Mapping[str, Any], selection: Selection) -> Iterator[Problem]:
    yield from _unmeasured_parts(options, selection, "parameterisation")


def _unmeasured_parts(
    options: Mapping[str, Any], selection: Selection, column: str
) -> Iterator[Problem]:
    """Problems of quantities that are not measured in the runs of each value of a column."""
    for value in dict.fromkeys(in_table(run.row[column]) for run in selection.runs):
        runs = [run for run in selection.runs if in_table(run.row[column]) == value]
        for index, quantity in enumerate(options["quantities"]):
            if text := replace(selection, runs=runs).unmeasured(quantity, "once"):
                path = ("options", "quantities", str(index))
                yield Problem(path, NO_VALUE, f"{column} {value}: {text}")


def _overview_problems(options: Mapping[str, Any], selection: Selection) -> Iterator[Problem]:
    names: dict[bool, set[str]] = {True: set(), False: set()}
    for run in selection.runs:
        names[run.row["grid"] == options["sweep"]].add(run.row["parameterisation"])
    for name in sorted(names[False] - names[True]):
        text = f"the grid {options['sweep']} has no run of parameterisation {name}"
        yield Problem(("options", "sweep"), NO_VALUE, text)


def _guidelines_problems(options: Mapping[str, Any], selection: Selection) -> Iterator[Problem]:
    for index, part in enumerate(options["parts"]):
        column = part["column"]
        rows = [run.row for run in selection.runs if run.row["grid"] == part["grid"]]
        if len({str(in_table(row.get(column))) for row in rows}) < 2:
            text = f"the grid {part['grid']} has no two values of {column} to compare"
            yield Problem(("options", "parts", str(index), "column"), NO_VALUE, text)


# Problems of the runs that figures of a kind compare; their options are sound.
COMPARED: Mapping[str, Callable[[Mapping[str, Any], Selection], Iterator[Problem]]] = {
    "race": _race_problems,
    "arms": _arms_problems,
    "levels": _levels_problems,
    "overview": _overview_problems,
    "guidelines": _guidelines_problems,
}
