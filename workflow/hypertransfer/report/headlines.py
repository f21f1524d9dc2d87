"""The statements of a paper's abstract, with the claims that test them, their rigs and verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypertransfer.analysis.estimate import AnalysisError
from hypertransfer.analysis.numerals import percent
from hypertransfer.claims.claim import Control
from hypertransfer.claims.families import measures
from hypertransfer.claims.measure import ClaimError
from hypertransfer.claims.measuring import selected_rows
from hypertransfer.report.numbers import counted, units_text, value_text

if TYPE_CHECKING:
    import pandas as pd

MOST_VALUES = 4  # of a column that are listed one by one
# What tells the networks and the training of runs apart, with the noun for the values.
COLUMNS: Mapping[str, tuple[str, str]] = {
    "shape.width": ("width", "widths"),
    "shape.depth": ("depth", "depths"),
    "batch_size": ("batch size", "batch sizes"),
    "steps": ("steps", "steps"),
}
SIZES = ("size", "tuned_at")  # options of measures that name the column of a size
COUNTED = ("task", "group", "repeat")  # columns of tables of replays


@dataclass(frozen=True)
class Line:
    """One claim that tests a statement; a statement without claims has a line without a claim.

    Attributes:
        key: the place of the statement in the list, and the id of the claim or an empty text.
        statement: what the paper states.
        place: where it does.
        measure: how the claims measure the statement, and what they leave out.
        claim: the row of the table of claims; None without a claim, or if the table lacks it.
        rig: networks, sizes and training of the runs, or suite and tasks of a replay, and what the
            interval is over; empty without a row.
    """

    key: tuple[int, str]
    statement: str
    place: str
    measure: str
    claim: Mapping[str, Any] | None = None
    rig: str = ""

    @property
    def value(self) -> str:
        """The value with its interval, and the bar."""
        return f"{value_text(self.claim)}; bar {self.claim['bar']}" if self.claim else ""

    @property
    def power(self) -> str:
        """The probability that the claim holds if the paper's value is true, if it is known."""
        known = self.claim is not None and self.claim["power"] == self.claim["power"]
        return percent(self.claim["power"]) if self.claim and known else ""


def lines(study: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> Iterator[Line]:
    """A line for each claim of each statement, in the order of the config.

    Args:
        study: the config of the study at the scale of the tables.
        tables: `claims` and `runs` of the study, and the tables of replays that claims read.

    Raises:
        ClaimError: a claim reads a table that is not given.
    """
    rows = {claim["claim"]: claim for claim in tables["claims"].to_dict("records")}
    return lines_of_rows(study, rows, rigs(study, rows, tables))


def lines_of_rows(
    study: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]], rigs: Mapping[str, str]
) -> Iterator[Line]:
    """As `lines`, from the rows of the table of claims and the rigs of claims, both by id."""
    for number, entry in enumerate(study.get("headlines", ())):
        about = entry["statement"], entry["place"], _measure(entry)
        for name in entry["claims"]:
            yield Line((number, name), *about, rows.get(name), rigs.get(name, ""))
        if not entry["claims"]:
            yield Line((number, ""), *about)


def rigs(
    study: Mapping[str, Any],
    rows: Mapping[str, Mapping[str, Any]],
    tables: Mapping[str, pd.DataFrame],
) -> dict[str, str]:
    """The rig of each claim of the study's statements that has a row, by id.

    Args:
        study: the config of the study at the scale of the tables.
        rows: the rows of the table of claims, by id.
        tables: `runs` of the study, and the tables of replays that claims read.

    Raises:
        ClaimError: a claim reads a table that is not given.
    """
    written = {claim["id"]: claim for claim in study.get("claims", ())}
    named = [name for entry in study.get("headlines", ()) for name in entry["claims"]]
    there = dict.fromkeys(name for name in named if name in rows)
    return {name: rig(written[name], rows[name], tables) for name in there}


def _measure(entry: Mapping[str, Any]) -> str:
    """How the claims measure a statement, and which part cannot be measured here."""
    parts = entry.get("measure", ""), entry.get("not_here", "")
    return " ".join(f"{part.rstrip('.')}." for part in parts if part)


def rig(
    written: Mapping[str, Any], row: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> str:
    """The networks, sizes and training of the rows that a claim reads, in short.

    Args:
        written: the claim as in the config.
        row: the row of the claim in the table of claims, which says what its interval is over.
        tables: as in `lines`.

    Raises:
        ClaimError: the claim reads a table that is not given.
    """
    part = Control(**{key: written[key] for key in ("measure", "where", "bar")})
    measure = measures()[part.measure]
    if measure.table not in tables:
        given = ", ".join(tables)
        raise ClaimError(f"{written['id']!r} reads the table {measure.table!r}; given: {given}")
    try:
        selected = selected_rows(part, tables)
    except (ClaimError, AnalysisError):  # the claim is undecided for this reason
        return "no rows"
    options = {**measure.options, **written.get("options", {})}
    sizes = [options[name] for name in SIZES if options.get(name)]
    describe = _runs if measure.table == "runs" else _replays
    return "; ".join((*describe(selected, sizes, row["over"]), units_text(row)))


def _runs(runs: pd.DataFrame, sizes: Iterable[str], _: str) -> Iterator[str]:
    """Networks, data and the values of columns."""
    yield " or ".join(dict.fromkeys(runs["model"]))
    yield "on " + ", ".join(dict.fromkeys(name.replace("_", " ") for name in runs["data"]))
    yield from _columns(runs, (*COLUMNS, *sizes))


def _replays(rows: pd.DataFrame, sizes: Iterable[str], over: str) -> Iterator[str]:
    """Suites, sizes of tasks, and how many there are of everything but the claim's own units."""
    yield f"suite {', '.join(dict.fromkeys(rows['suite']))}"
    yield from _columns(rows, sizes)
    for name in COUNTED:
        if name in rows and f"{name}s" != over:
            yield counted(rows[name].nunique(), f"{name}s")


def _columns(rows: pd.DataFrame, columns: Iterable[str]) -> Iterator[str]:
    """The values of each column that the rows have, after the noun for them."""
    for column in dict.fromkeys(columns):
        values = sorted(rows[column].dropna().unique()) if column in rows else []
        if values:
            noun = column.rpartition(".")[2].replace("_", " ")
            one, several = COLUMNS.get(column, (noun, noun))
            yield f"{one if len(values) == 1 else several} {_values(values)}"


def _values(values: Sequence[float]) -> str:
    """Numbers in ascending order: all of them, or the first and the last of many."""
    texts = [f"{value:g}" for value in values]
    return ", ".join(texts) if len(texts) <= MOST_VALUES else f"{texts[0]} … {texts[-1]}"
