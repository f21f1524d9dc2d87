"""Measurements of claims and controls: rows are selected, and the measure is computed on them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from hypertransfer.analysis.estimate import AnalysisError, Estimate, undetermined
from hypertransfer.analysis.intervals import LEVEL
from hypertransfer.analysis.lazy import pandas as pd
from hypertransfer.analysis.looks import Looks
from hypertransfer.analysis.prospects import NARROW, Bar, Precision, precision
from hypertransfer.analysis.sweeps import NoCommonSeedError
from hypertransfer.analysis.tables import Tables, need
from hypertransfer.catalogue.cards.probes import TIMES
from hypertransfer.claims.claim import Claim, Control
from hypertransfer.claims.families import measures
from hypertransfer.claims.measure import ClaimError, Measure
from hypertransfer.runs import conditions
from hypertransfer.runs.columns import SECONDS

OF_MACHINE = "a time of the machine that measured it: another machine can have another verdict"


@dataclass(frozen=True)
class Measurement:
    """A claim or a control, measured on the tables of a study.

    Attributes:
        part: the claim or the control.
        estimate: the value with its interval.
        level: the level of the interval.
        at: the estimate at another level.
    """

    part: Control
    estimate: Estimate
    level: float
    at: Callable[[float], Estimate]

    @property
    def unit(self) -> str:
        """The unit of the value."""
        return unit_of(self.part)

    @property
    def bar(self) -> Bar:
        """The ends of the bar."""
        return Bar(**{"low" if end == "min" else "high": x for end, x in self.part.bar.items()})

    @cached_property
    def precision(self) -> Precision | None:
        """How far the ends of the interval are away, of which more units would change a part.

        None if the interval is open on both sides, or if there is no value.
        """
        measure = measures()[self.part.measure]
        return precision(
            self.estimate,
            self.at(NARROW),
            level=self.level,
            log=measure.is_ratio,
            bounds=measure.bounds(self.part.options),
            shrinks=measure.shrinks,
        )


def measured(
    part: Control, tables: Tables, claim: Claim, looks: Looks, searched: Collection[str] = ()
) -> Measurement:
    """A claim, or its control, measured at the level of the look that its seeds have reached.

    `searched` names the grids of which each seed is an independent search.

    Raises:
        ClaimError: the claim selects nothing, or names a column, table or arm that the study does
            not have. The message names the claim.
    """
    name = f"claim {claim.id!r}" + ("" if part is claim else " (control)")

    def at(level: float) -> Estimate:
        return _estimate(part, tables, level, name, searched)

    estimate = at(LEVEL)
    level = looks.level_of(claim.id, estimate)
    return Measurement(part, estimate if level == LEVEL else at(level), level, at)


def unit_of(part: Control) -> str:
    """The unit of a claim's or a control's value."""
    return measures()[part.measure].unit if part.unit is None else part.unit


def selected_rows(part: Control, tables: Tables) -> pd.DataFrame:
    """The rows of the measure's table that a claim or a control reads.

    Raises:
        ClaimError: the table is missing, no row is selected, or values cannot be compared.
        AnalysisError: the table has no such column.
    """
    measure = measures()[part.measure]
    return _select(_table(measure, tables), part.where, measure.table)


def _estimate(
    part: Control, tables: Tables, level: float, name: str, searched: Collection[str]
) -> Estimate:
    """Select the rows of a claim or control and measure them; errors name the claim."""
    measure = measures()[part.measure]
    try:
        selected = selected_rows(part, tables)
        tables = {**tables, measure.table: selected}
        found = measure.function(tables, level, **part.options)
        if reads_times(part):
            caveats = filter(None, (found.caveat, OF_MACHINE))
            found = found.with_caveats(caveats, found.left_out)
        return replace(found, over="searches") if _are_searches(selected, searched) else found
    except NoCommonSeedError as error:  # some runs were left out of the grid: the rest has verdicts
        return undetermined(0, str(error))
    except (ClaimError, AnalysisError) as error:
        raise ClaimError(f"{name}: {error}") from error


def reads_times(part: Control) -> bool:
    """Whether an option names a time or a speed, of a run or of a probe."""
    times = {*SECONDS, *TIMES}
    options = {**measures()[part.measure].options, **part.options}.values()
    named = [one for value in options for one in (value if isinstance(value, list) else [value])]
    return any(isinstance(value, str) and value in times for value in named)


def _are_searches(rows: pd.DataFrame, searched: Collection[str]) -> bool:
    """Whether each seed of the rows, of a table of runs, is an independent search."""
    return "grid" in rows and set(rows["grid"]) <= set(searched)


def _table(measure: Measure, tables: Tables) -> pd.DataFrame:
    if measure.table not in tables:
        given = ", ".join(tables) or "none"
        raise ClaimError(f"the table {measure.table!r} is needed; given: {given}")
    return tables[measure.table]


def _select(runs: pd.DataFrame, where: Mapping[str, Any], table: str) -> pd.DataFrame:
    need(table, runs, where)
    if runs.empty:
        raise ClaimError(f"the table {table!r} is empty: nothing was trained or collected")
    for column, wanted in where.items():
        known = runs[column].tolist()
        try:
            kept = [conditions.matches({column: wanted}, {column: value}) for value in known]
        except TypeError as error:
            raise ClaimError(f"where.{column}: {wanted!r} cannot be compared: {error}") from error
        if not any(kept):
            rows = "run" if table == "runs" else "row"
            there = ", ".join(sorted({str(value) for value in known}))
            raise ClaimError(
                f"where.{column}: no {rows} has {wanted!r}; where earlier conditions hold, there "
                f"is {there}: change the claim or the grid"
            )
        runs = runs[kept]
    return runs
