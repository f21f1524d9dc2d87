"""The statements of a paper's abstract, with the claims that test them, their rigs and verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypertransfer.analysis.numerals import percent
from hypertransfer.report.numbers import value_text

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


@dataclass(frozen=True)
class Line:
    """One claim that tests a statement; a statement without claims has a line without a claim.

    Attributes:
        statement: what the paper states.
        place: where it does.
        measure: how the claims measure the statement, and what they leave out.
        claim: the row of the table of claims; None without a claim.
        rig: networks, sizes, training and seeds of the runs, or the suite of a replay.
    """

    statement: str
    place: str
    measure: str
    claim: Mapping[str, Any] | None
    rig: str

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
        study: the config of the study.
        tables: `claims` and `runs` of the study, and `replays` if it has some.
    """
    rows = {claim["claim"]: claim for claim in tables["claims"].to_dict("records")}
    written = {claim["id"]: claim for claim in study.get("claims", ())}
    for entry in study.get("headlines", ()):
        about = entry["statement"], entry["place"], _measure(entry)
        for name in entry["claims"]:
            yield Line(*about, rows.get(name), rig(written[name].get("where", {}), tables))
        if not entry["claims"]:
            yield Line(*about, None, "")


def _measure(entry: Mapping[str, Any]) -> str:
    """How the claims measure a statement, and which part cannot be measured here."""
    parts = entry.get("measure", ""), entry.get("not_here", "")
    return " ".join(f"{part.rstrip('.')}." for part in parts if part)


def rig(where: Mapping[str, Any] | Sequence[Any], tables: Mapping[str, pd.DataFrame]) -> str:
    """The networks, sizes, training and seeds of the runs that a claim reads, in short.

    `where` is the condition of the claim, or several of them. Runs are told apart by their grid.
    """
    conditions = [where] if isinstance(where, Mapping) else list(where)
    parts = []
    for column, table, describe in (("grid", "runs", _runs), ("replay", "replays", _replays)):
        names = {name for condition in conditions for name in _listed(condition.get(column))}
        if names and table in tables and column in tables[table]:
            selected = tables[table][tables[table][column].isin(names)]
            parts += [describe(selected)] if len(selected) else []
    return "; ".join(parts)


def _listed(value: Any) -> Sequence[Any]:
    """The values of a condition on names: one, several or none."""
    return [] if value is None else value if isinstance(value, list) else [value]


def _runs(runs: pd.DataFrame) -> str:
    texts = [" or ".join(dict.fromkeys(runs["model"])), "on " + ", ".join(_data(runs))]
    for column, (one, several) in COLUMNS.items():
        values = sorted(runs[column].dropna().unique()) if column in runs else []
        if values:
            texts.append(f"{one if len(values) == 1 else several} {_values(values)}")
    seeds = runs["seed"].nunique()
    return "; ".join((*texts, f"{seeds} seed{'' if seeds == 1 else 's'}"))


def _data(runs: pd.DataFrame) -> Iterable[str]:
    return dict.fromkeys(name.replace("_", " ") for name in runs["data"])


def _values(values: Sequence[float]) -> str:
    """Numbers in ascending order: all of them, or the first and the last of many."""
    texts = [f"{value:g}" for value in values]
    return ", ".join(texts) if len(texts) <= MOST_VALUES else f"{texts[0]} … {texts[-1]}"


def _replays(replays: pd.DataFrame) -> str:
    suites = ", ".join(dict.fromkeys(replays["suite"]))
    counts = {name: replays[name].nunique() for name in ("task", "group", "repeat")}
    return f"suite {suites}; " + ", ".join(
        f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items()
    )
