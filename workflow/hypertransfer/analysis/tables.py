"""Selections from a study's tables: series of a quantity, last values of runs, means over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hypertransfer.analysis.estimate import AnalysisError
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.lazy import pandas as pd
from hypertransfer.runs.columns import HISTORY

COLLECTED = ("runs", "history", "probes")  # the tables that every study has
Tables = Mapping[str, "pd.DataFrame"]  # by name: `runs`, `history`, `probes` and others


def need(name: str, table: pd.DataFrame, columns: Iterable[str]) -> None:
    """Check that a table has the columns.

    Raises:
        AnalysisError: a column is missing; the message names the missing and the known columns.
    """
    if missing := [column for column in columns if column not in table]:
        raise AnalysisError(
            f"the table {name!r} has no column {', '.join(map(repr, missing))}; "
            f"known: {', '.join(map(str, table))}"
        )


def table_of(quantity: str) -> str:
    """The name of the table that holds a quantity along training."""
    return "history" if quantity in HISTORY else "probes"


def unique_runs(tables: Tables) -> pd.DataFrame:
    """The table of runs with one row for each run key.

    A run may belong to several grids, of which only some are probed. If there is a probed grid, the
    row of that grid is kept, since rows of probes belong to a grid and a key.
    """
    runs = tables["runs"]
    if "grid" not in runs or "grid" not in tables.get("probes", ()):
        return runs.drop_duplicates("key")
    probed = set(zip(tables["probes"]["grid"], tables["probes"]["key"], strict=True))
    bare = [place not in probed for place in zip(runs["grid"], runs["key"], strict=True)]
    order = np.argsort(bare, kind="stable")
    return runs.iloc[order].drop_duplicates("key").sort_index()


def series_of(
    tables: Tables, runs: pd.DataFrame, quantity: str, probe: str | None = None
) -> pd.DataFrame:
    """The rows of the given runs in the training history, or of one probe of the quantity.

    A run may belong to several grids with different probes: those of all selected grids count.

    Raises:
        AnalysisError: the table or its columns are missing, no probe measured the quantity, or
            several did and `probe` names none of them.
    """
    name = table_of(quantity)
    if name not in tables:
        raise AnalysisError(f"{quantity} needs the table {name!r}; given: {', '.join(tables)}")
    series = tables[name]
    need(name, series, ("key", "step", quantity))
    if name == "probes":
        series = _of_selected(tables, series)
        series = series[series["key"].isin(runs["key"])]
        return _of_probe(series, quantity, _probe(series, quantity, probe))
    owner = [column for column in ("grid", "key") if column in series and column in runs]
    return series.merge(runs[owner], on=owner)


def _of_selected(tables: Tables, probes: pd.DataFrame) -> pd.DataFrame:
    """The rows of probes of the grids and keys in the table of runs."""
    runs = tables["runs"]
    owner = [column for column in ("grid", "key") if column in probes and column in runs]
    return probes.merge(runs[owner].drop_duplicates(), on=owner)


def _of_probe(rows: pd.DataFrame, quantity: str, probe: str) -> pd.DataFrame:
    """The rows of a probe, one for each run and step, of any grid that has the run.

    If several grids have probes of this name, a row with the quantity is kept, of the grid whose
    name is first: the order of the grids makes no difference.
    """
    rows = rows[rows["probe"] == probe]
    ordered = rows.sort_values("grid", kind="stable") if "grid" in rows else rows
    ordered = ordered.iloc[np.argsort(ordered[quantity].isna(), kind="stable")]
    return ordered.drop_duplicates(["key", "step"]).sort_index()


def _probe(series: pd.DataFrame, quantity: str, probe: str | None) -> str:
    """The name of the probe that measured a quantity."""
    measured = sorted(series.loc[series[quantity].notna(), "probe"].unique())
    if probe is None and len(measured) > 1:
        raise AnalysisError(
            f"{quantity} was measured by several probes: name one as the option `probe`; "
            f"known: {', '.join(measured)}"
        )
    if not measured or (probe is not None and probe not in measured):
        known = ", ".join(measured) or "none"
        wanted = f"probe {probe!r} with" if probe else "probe that measured"
        raise AnalysisError(
            f"the selected runs have no {wanted} {quantity}; known probes of {quantity}: {known}"
        )
    return probe or measured[0]


def named_probe(tables: Tables, quantity: str, probe: str | None) -> str | None:
    """The probe, if it measured the quantity; None if the quantity is another probe's."""
    series = tables["probes"]
    measured = quantity in series and set(series.loc[series[quantity].notna(), "probe"])
    return probe if measured and probe in measured else None


def probed_rows(tables: Tables, quantity: str, probe: str | None) -> pd.DataFrame:
    """The rows of the one probe that measured a quantity; each run and step has one row.

    `probe` chooses between several probes of the quantity.

    Raises:
        AnalysisError: several probes measured the quantity, and `probe` is none of them.
    """
    rows = tables["probes"]
    if rows[quantity].isna().all():
        return rows.iloc[:0]
    return _of_probe(rows, quantity, _probe(rows, quantity, named_probe(tables, quantity, probe)))


def with_measured(tables: Tables, quantity: str, probe: str | None = None) -> pd.DataFrame:
    """The table of runs, one row for each run key, with a column of the quantity.

    If the quantity is not a column of the runs, the column holds the value that a probe measured
    at each run's last checkpoint. `probe` names the probe if several measured the quantity.

    Raises:
        AnalysisError: no probe, or several probes measured the quantity.
    """
    runs = unique_runs(tables)
    if quantity in runs or quantity not in tables.get("probes", ()):
        return runs
    series = series_of(tables, runs, quantity, probe).dropna(subset=[quantity]).sort_values("step")
    return runs.merge(series.groupby("key")[quantity].last().reset_index(), on="key")


def with_axes(table: pd.DataFrame, runs: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The table with columns of its runs, which replace columns of the same names."""
    axes = runs.drop_duplicates("key").set_index("key")[list(columns)]
    return table.drop(columns=[c for c in columns if c in table]).join(axes, on="key")


def last_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The row of each run at its last step."""
    return table.sort_values("step").groupby("key").tail(1)


def across_seeds(table: pd.DataFrame, by: str, quantity: str) -> pd.DataFrame:
    """The columns `mean`, `min` and `max` of a quantity, with a row for each value of `by`."""
    return table.groupby(by)[quantity].agg(["mean", "min", "max"])


def smoothed(history: pd.DataFrame, quantity: str, window: int) -> pd.Series:
    """Means over the last `window` records of each run, fewer at the start of a run."""
    rolled = history.groupby("key")[quantity].rolling(window, min_periods=1).mean()
    return rolled.reset_index(level=0, drop=True)


def cell_means(runs: pd.DataFrame, x: str, y: str, quantity: str) -> pd.DataFrame:
    """Means of a quantity over seeds: a row for each `y`, largest first, a column for each `x`.

    The means leave out runs that diverged; a cell in which every run diverged is nan.
    """
    values = runs[quantity].astype(float).mask(runs["status"] == "diverged")
    table = runs.assign(value=values).pivot_table(
        index=y, columns=x, values="value", aggfunc="mean", dropna=False
    )
    return table.sort_index(ascending=False)


def diverged_cells(runs: pd.DataFrame, x: str, y: str) -> pd.DataFrame:
    """Whether a seed diverged in each of the cells of `cell_means`."""
    gone = runs.assign(gone=runs["status"] == "diverged")
    table = gone.pivot_table(index=y, columns=x, values="gone", aggfunc="max", dropna=False)
    return table.sort_index(ascending=False) == 1


def best_cell(cells: pd.DataFrame, *, highest: bool) -> tuple[int, int] | None:
    """Row and column number of the highest (or lowest) cell; None if none is a number."""
    if cells.isna().all(axis=None):
        return None
    best = np.nanargmax(cells) if highest else np.nanargmin(cells)
    row, column = np.unravel_index(best, cells.shape)
    return int(row), int(column)


def eigenvalue_density(probes: pd.DataFrame, edges: np.ndarray) -> np.ndarray:
    """Share of the eigenvalues per decade in bins of log₁₀ λ, averaged over rows; shape (bins,).

    `nodes` and `shares` of a row are quadrature nodes and their weights, which sum to 1. `edges`
    (bins + 1) are equally spaced. Nodes that are not positive are left out.
    """
    nodes = np.concatenate(probes["nodes"].to_list())
    shares = np.concatenate(probes["shares"].to_list()) / len(probes)
    positive = nodes > 0
    sums, _ = np.histogram(np.log10(nodes[positive]), bins=edges, weights=shares[positive])
    return sums / (edges[1] - edges[0])
