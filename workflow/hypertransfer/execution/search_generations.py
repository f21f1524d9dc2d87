"""Train the runs of a search: the trials of its generations, and runs at other targets."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from hypertransfer.execution import train_cell
from hypertransfer.execution.errors import AGAIN, StalePlan
from hypertransfer.execution.proposals import SearchBox, Trials, propose
from hypertransfer.execution.train_cell import CellRun
from hypertransfer.planning import keys
from hypertransfer.runs.canonical import digest
from hypertransfer.runs.spec import RunSpec
from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store
from hypertransfer.studies import searches
from hypertransfer.studies.searches import LINE, TRANSFER, Point, Search

log = logging.getLogger(__name__)

TRIAL = ["generation", "proposal", "final_loss"]  # columns that proposals are made from
Generation = tuple[np.ndarray, np.ndarray]  # see `Trials`


def generations(
    parts: Mapping[str, Any], earlier: Sequence[str], store: Store, device: str, save_minutes: float
) -> tuple[list[list[dict[str, float]]], pa.Table]:
    """Train the runs of consecutive generations, each of which is proposed from those before it.

    Args:
        parts: the parts of the planned job.
        earlier: files of the earlier generations' tables, in order.
        store: the run store.
        device: name of the device to train on.
        save_minutes: minutes between saved states of a run.

    Returns:
        The proposed points of each generation by coordinate, and a table with one row for each run.

    Raises:
        StalePlan: the code or data of the runs changed after planning.
    """
    search = _search(parts)
    _check_keys(search, [search.base], [parts["start"]])
    labels = search.labels(parts["method"]["over"])
    trials = [found for path in earlier for found in _trials(parquet.read(path, TRIAL), labels)]
    proposed: list[list[dict[str, float]]] = []
    tables = []
    for number in range(*parts["generations"]):
        points = _proposals(search, parts["method"], number, trials)
        places = [
            {
                "method": parts["method"]["name"],
                "generation": number,
                "trial": trial,
                "proposal": searches.text(point),
            }
            for trial, point in enumerate(points)
        ]
        runs = _cell_runs(places, [search.spec(point) for point in points])
        table = train_cell.train_cell(search.name, runs, store, device, save_minutes)
        best = min(table.column("final_loss").to_pylist())
        log.info("best of generation %d: %.4f", number, best)
        proposed.append(points)
        tables.append(table)
        trials += _trials(table, labels)
    return proposed, pa.concat_tables(tables)


def _proposals(
    search: Search, method: Mapping[str, Any], number: int, trials: Sequence[Generation]
) -> list[dict[str, float]]:
    """The points of a generation by coordinate, from the trials of the earlier generations."""
    options = {k: v for k, v in method.items() if k not in ("name", "kind", "over")}
    box = SearchBox(search.labels(method["over"]), search.settings.octaves)
    # The random numbers of a method do not depend on other methods.
    seed = [int(digest([search.name, method], 12), 16), search.base.seed, number]
    rows = propose(method["kind"], options, box, search.settings.trials, Trials(trials), seed)
    return [dict(zip(box.labels, map(float, row), strict=True)) for row in rows]


def carry_over(
    parts: Mapping[str, Any], earlier: Sequence[str], store: Store, device: str, save_minutes: float
) -> pa.Table:
    """Train runs at each method's best point, with the seeds and at the targets of the transfer.

    The arguments are as for `generations`, with the tables of all generations of all methods.

    Returns:
        A table with one row for each run.

    Raises:
        StalePlan: the code or data of the runs changed after planning.
    """
    search = _search(parts)
    _check_keys(search, search.transfer_specs(), parts["starts"])
    best = best_points(earlier)
    transfer = search.settings.transfer
    places, specs = [], []
    for place, changes in search.transfer_runs():
        of_search = best[search.seed_of_trials(place["seed"])]
        if place["method"] == LINE:
            ends = of_search[transfer.line.first], of_search[transfer.line.second]
            point = searches.between(*ends, place["place"])
        else:
            point = of_search[place["method"]]
        places.append({**place, "proposal": searches.text(point)})
        specs.append(search.spec(point, changes))
    grid = search.name + TRANSFER
    return train_cell.train_cell(grid, _cell_runs(places, specs), store, device, save_minutes)


def best_points(files: Sequence[str]) -> dict[int, dict[str, Point]]:
    """The first point of least loss by the seed of the trials and by method.

    If all runs of a method diverged, its first point.
    """
    best: dict[tuple[int, str], tuple[float, Point]] = {}
    for path in files:
        table = parquet.read(path, ["seed", "method", "proposal", "final_loss"])
        for row in table.to_pylist():
            loss, place = row["final_loss"], (row["seed"], row["method"])
            known = best.get(place)
            if known is None or loss < known[0]:
                best[place] = loss, json.loads(row["proposal"])
    points: dict[int, dict[str, Point]] = {}
    for (seed, method), (_, point) in best.items():
        points.setdefault(seed, {})[method] = point
    return points


def _search(parts: Mapping[str, Any]) -> Search:
    # Methods are not among the values, so that they do not change the names of files.
    return Search.parse(parts["search"], {"methods": {}, **parts["values"]})


def _check_keys(search: Search, specs: Sequence[RunSpec], planned: Sequence[str]) -> None:
    """Check that the runs have the keys that they were planned with, in any order.

    The order can differ, because the job reads its parts from JSON with sorted keys, and the config
    lists targets in any order.

    Raises:
        StalePlan: a key differs.
    """
    if set(map(keys.Contexts().key, specs)) != set(planned):
        raise StalePlan(f"the code or data of {search.name} changed after planning: {AGAIN}")


def _trials(table: pa.Table, labels: Sequence[str]) -> Iterator[Generation]:
    """The points (trials, dimension) and losses (trials,) of each generation in a table."""
    rows = table.select(TRIAL).to_pylist()
    for _, members in groupby(rows, key=itemgetter("generation")):
        trials = list(members)
        points = [json.loads(row["proposal"]) for row in trials]
        losses = np.array([row["final_loss"] for row in trials], dtype=float)
        yield np.array([[point[label] for label in labels] for point in points]), losses


def _cell_runs(places: Sequence[Mapping[str, Any]], specs: Sequence[RunSpec]) -> list[CellRun]:
    contexts = keys.Contexts()
    return [
        CellRun(contexts.key(spec), place, spec) for place, spec in zip(places, specs, strict=True)
    ]
