"""Check what the measures of claims and controls read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from hypertransfer.analysis.spaces import several, split_columns
from hypertransfer.catalogue.cards.probes import COLUMNS
from hypertransfer.claims import group_reach, reach
from hypertransfer.claims.bars import bar_text
from hypertransfer.claims.claim import Claim, Control
from hypertransfer.claims.families import measures
from hypertransfer.claims.measure import Measure
from hypertransfer.claims.space_measures import ONE_OF
from hypertransfer.runs.problem import NO_VALUE, Problem
from hypertransfer.runs.table_values import name_of
from hypertransfer.studies.double_runs import doubles, of_one_value
from hypertransfer.studies.option_checks import Selection, several_rates
from hypertransfer.studies.planned import Planned, Row, ScaleValues, selects


def claim_problems(
    claim: Claim, planned: Planned, *, asks_for_seeds: bool = False
) -> Iterator[Problem]:
    """Problems of what a claim without other problems, and its control, read.

    `asks_for_seeds` says whether the config gives `min_seeds`, which then has to be planned.
    """
    for path, part in ((), claim), (("control",), claim.control):
        selection = _selection(part, planned) if part else None
        if (
            part and selection and (selection.runs or selection.rows)
        ):  # else the condition has a problem
            problems = _part_problems(measures()[part.measure], selection)
            yield from (problem.below(*path) for problem in problems)
    if asks_for_seeds:
        yield from _seed_problems(claim, planned)


def reach_problems(
    claim: Claim, planned: Planned, adaptive: Mapping[str, Collection[str]] | None = None
) -> Iterator[Problem]:
    """Problems of bars that a claim, or its control, cannot meet or cannot violate on its runs.

    Args:
        claim: a claim without other problems.
        planned: what is known of the study's tables.
        adaptive: for each grid, the axes whose values are found while the grid runs.
    """
    for path, part in ((), claim), (("control",), claim.control):
        if part is None:
            continue
        measure, selection = measures()[part.measure], _selection(part, planned)
        if measure.table == "runs" and not selection.runs:
            continue
        rows, remedy = _bounding_rows(measure, selection, part.where, adaptive or {})
        unit = measure.unit if part.unit is None else part.unit
        if text := reach.fault(measure.values.reach(rows, selection.options), part.bar, unit):
            bar = bar_text(part.bar, unit)
            yield Problem((*path, "bar"), NO_VALUE, f"{text}; the bar is {bar}: {remedy}")


def _bounding_rows(
    measure: Measure,
    selection: Selection,
    where: Mapping[str, Any],
    adaptive: Mapping[str, Collection[str]],
) -> tuple[list[Row], str]:
    """The planned rows that bound the values of a measure, none if nothing does, and a remedy."""
    if measure.table == "runs":
        return _rows_of_runs(measure, selection, adaptive)
    rows = selection.planned.rows_of_tasks(selection.rows, where)
    if not rows:
        return [], "choose another measure"
    count = group_reach.count(rows, selection.options)
    planned = "1 group of tasks is" if count == 1 else f"{count} groups of tasks are"
    return rows, f"{planned} planned, so choose another bar or measure, or plan more groups"


def _rows_of_runs(
    measure: Measure, selection: Selection, adaptive: Mapping[str, Collection[str]]
) -> tuple[list[Row], str]:
    """The same for a measure of runs.

    Nothing bounds an axis whose values are found while the grid runs. Of a grid that takes the best
    values of another one, one value runs at each point.
    """
    swept = measure.values.swept_column(selection.options)
    grids = {run.row["grid"] for run in selection.runs}
    finding = {grid for grid in grids if swept in adaptive.get(grid, ())}
    if finding and (finding != grids or finding - selection.planned.one_of.keys()):
        return [], ""
    if not finding:
        rows = [run.row for run in selection.runs]
        return rows, "widen the grid's axis, or choose another measure"
    text = f"{min(finding)} runs one {swept} at each point; select the grid whose best it takes"
    return [run.row for run in of_one_value(selection)], text


def _selection(part: Control, planned: Planned) -> Selection:
    """The measure of a claim or control with all options, and the rows that it reads."""
    measure = measures()[part.measure]
    of_runs = measure.table == "runs"
    runs = planned.selected(part.where) if of_runs else []
    rows = [] if of_runs else planned.rows_of(measure.table, part.where)
    options = {**measure.options, **part.options}
    return Selection(planned, options, runs, measure.table, rows, texts=True)


def _part_problems(measure: Measure, selection: Selection) -> Iterator[Problem]:
    """Problems of what a claim or control with sound rows reads."""
    options = selection.options
    problems = [
        problem.below("options", _place(option, options))
        for option, value in options.items()
        if value is not None
        for problem in selection.problems(measure.schema(option), value)
    ]
    yield from problems
    if problems:
        return
    yield from _method_problems(measure, selection)
    if text := _pooled(measure, selection):
        yield Problem(("where",), NO_VALUE, text)
    if measure.distinct:
        yield from _run_problems(measure, selection)


def _place(option: str, options: Mapping[str, Any]) -> str:
    """The option at which a problem is named: a quantity is wrong if the named probe is."""
    return "probe" if option == "quantity" and options.get("probe") is not None else option


def _run_problems(measure: Measure, selection: Selection) -> Iterator[Problem]:
    """Problems of the runs that a measure with sound options reads."""
    options = selection.options
    if measure.schema("loss").get("measured") and options["loss"] in COLUMNS:
        # A measure leaves out runs in which no probe measured the loss that it compares.
        measured = [run for run, names in selection.measuring(options["loss"]) if names]
        selection = replace(selection, runs=measured or selection.runs)
    if text := doubles(measure.distinct, selection):
        yield Problem(("where",), NO_VALUE, text)
    elif "best" in options:
        yield from _arm_rate_problems(options, selection)


def _arm_rate_problems(options: Mapping[str, Any], selection: Selection) -> Iterator[Problem]:
    """Problems of the number of arms, and of learning rates between which no option chooses."""
    column = options["column"]
    wanted = [options[name] for name in ("of", "over") if name in options]
    rates: dict[str, set[float]] = {}
    for run in of_one_value(selection):
        arm = name_of(run.row[column])
        if not wanted or "" in wanted or arm in wanted:
            rates.setdefault(arm, set()).add(run.row["lr"])
    if len(rates) < 2:
        text = f"a comparison needs two values of {column}; only {', '.join(rates)} is selected"
        yield Problem(("where",), NO_VALUE, text)
        return
    several = [arm for arm, tried in rates.items() if len(tried) > 1]
    if several and not options["best"] and not options["tuned_at"]:
        yield Problem(("where",), NO_VALUE, several_rates(several[0]))


def _method_problems(measure: Measure, selection: Selection) -> Iterator[Problem]:
    """Problems of methods that several of the selected replays have."""
    for option in ("of", "over"):
        if measure.schema(option).get("value_of") != ["replays", "method"]:
            continue
        name = selection.options[option]
        replays = list(dict.fromkeys(r["replay"] for r in selection.rows if r["method"] == name))
        if len(replays) > 1:
            text = (
                f"several replays have the method {name!r}, {', '.join(replays)}: "
                f"add `replay: {replays[0]}` to where"
            )
            yield Problem(("where",), NO_VALUE, text)
            return


def _pooled(measure: Measure, selection: Selection) -> str:
    """A text on regions or winners that would be averaged; empty if there are none."""
    if measure.table not in ONE_OF:
        return ""
    options, rows = selection.options, selection.rows
    parts = [rows]
    if "over" in options:  # two regions are compared
        names = (options["of"], options["over"])
        parts = [[row for row in rows if row.get(options["column"]) == name] for name in names]
    for part in parts:
        for column in ONE_OF[measure.table]:
            values = list(dict.fromkeys(row[column] for row in part if column in row))
            if len(values) > 1 and column not in split_columns(options["by"]):
                return several(column, values)
    return ""


def _seed_problems(claim: Claim, planned: Planned) -> Iterator[Problem]:
    """The problem of a claim that asks for more seeds than any scale plans.

    A scale may plan fewer seeds, where the claim is undecided.
    """
    if measures()[claim.measure].table != "runs":
        return
    here = {run.row["seed"] for run in planned.selected(claim.where)}
    if not here or len(here) >= claim.min_seeds:
        return
    most = max([len(here), *(len(_seeds(claim.where, scale)) for scale in planned.scales)])
    if most < claim.min_seeds:
        noun = "seed is" if most == 1 else "seeds are"
        text = (
            f"{claim.min_seeds} seeds are asked for, and at most {most} {noun} planned at a "
            "scale, so that the claim can never be decided"
        )
        yield Problem(("min_seeds",), NO_VALUE, text)


def _seeds(where: Mapping[str, Any], scale: ScaleValues) -> set[Any]:
    """The seeds that a condition selects at a scale, as far as the axes of its grids say it."""
    of_grid = {key: wanted for key, wanted in where.items() if key == "grid"}
    of_seed = {key: wanted for key, wanted in where.items() if key == "seed"}
    seeds: set[Any] = set()
    for name, columns in scale.runs.items():
        if not selects(of_grid, {"grid": name}):
            continue
        points = scale.seeded_points(name)
        if points is None:
            points = [{"seed": seed} for seed in columns.get("seed", ())]
            on_axes = of_seed
        else:
            on_axes = {key: wanted for key, wanted in where.items() if points and key in points[0]}
        seeds |= {point["seed"] for point in points if selects(on_axes, point)}
    return seeds
