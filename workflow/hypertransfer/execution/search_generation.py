"""Jobs of a search: one trains a generation of proposals, one trains the results elsewhere."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from hypertransfer.execution import train_cell
from hypertransfer.execution.errors import AGAIN, StalePlan
from hypertransfer.execution.proposals import SearchRange, Trials, propose
from hypertransfer.execution.train_cell import CellRun
from hypertransfer.planning import keys
from hypertransfer.runs.canonical import digest
from hypertransfer.runs.spec import RunSpec
from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store
from hypertransfer.studies import searches
from hypertransfer.studies.searches import LINE, TRANSFER, Point, Search

log = logging.getLogger(__name__)


def generation(
    parts: Mapping[str, Any], earlier: Sequence[str], store: Store, device: str, save_minutes: float
) -> tuple[list[dict[str, float]], pa.Table]:
    """Propose one generation of a method, and train its runs.

    Args:
        parts: the job's inputs: the search's name and values, the method, the generation's number
            and the context of the planned runs' keys.
        earlier: tables of the method's earlier generations, in order.
        store: where runs are stored, and looked up before they are trained.
        device: the device to train on.
        save_minutes: minutes between saved states of a run.

    Returns:
        The proposals, in octaves by coordinate, and a table with a row for each run.

    Raises:
        StalePlan: code or data of the runs changed after planning.
    """
    search = _search(parts)
    method, number = parts["method"], parts["generation"]
    options = {k: v for k, v in method.items() if k not in ("name", "kind", "over")}
    limits = SearchRange(search.labels(method["over"]), search.values["octaves"])
    before = Trials([_tried(path, limits.labels) for path in earlier])
    # Random numbers depend on the method alone, so that other methods can be added.
    seed = [int(digest([search.name, method], 12), 16), search.base.seed, number]
    found = propose(method["kind"], options, limits, search.trials, before, seed)
    points = [dict(zip(limits.labels, map(float, row), strict=True)) for row in found]
    places = [
        {
            "method": method["name"],
            "generation": number,
            "trial": trial,
            "proposal": searches.text(p),
        }
        for trial, p in enumerate(points)
    ]
    specs = [search.spec(point) for point in points]
    table = train_cell.train_cell(search.name, _work(places, specs), store, device, save_minutes)
    log.info("best of generation %d: %.4f", number, min(table.column("final_loss").to_pylist()))
    return points, table


def carry_over(
    parts: Mapping[str, Any], earlier: Sequence[str], store: Store, device: str, save_minutes: float
) -> pa.Table:
    """Train each method's best point, and points between two, at every target with other seeds.

    The arguments are those of `generation`; `earlier` are the tables of all generations.

    Raises:
        StalePlan: code or data of the runs changed after planning.
    """
    search = _search(parts)
    best = bests(earlier)
    line = search.transfer.get(LINE, {})
    places, specs = [], []
    for place, changes in search.carried():
        if place["method"] == LINE:
            point = searches.between(best[line["from"]], best[line["to"]], place["place"])
        else:
            point = best[place["method"]]
        places.append({**place, "proposal": searches.text(point)})
        specs.append(search.spec(point, changes))
    grid = search.name + TRANSFER
    return train_cell.train_cell(grid, _work(places, specs), store, device, save_minutes)


def bests(files: Sequence[str]) -> dict[str, Point]:
    """The first point of least loss of each method; the start if all trials diverged."""
    best: dict[str, tuple[float, Point]] = {}
    for path in files:
        table = parquet.read(path, ["method", "proposal", "final_loss"])
        for row in table.to_pylist():
            loss, known = row["final_loss"], best.get(row["method"])
            if known is None or loss < known[0]:
                best[row["method"]] = loss, json.loads(row["proposal"])
    return {method: point for method, (_, point) in best.items()}


def _search(parts: Mapping[str, Any]) -> Search:
    """The search of a job.

    Raises:
        StalePlan: the key of the base run has another context than when the job was planned.
    """
    values = parts["values"]
    search = Search.parse(parts["search"], values)
    if keys.run_key(search.base).partition("-")[2] != parts["context"]:
        raise StalePlan(f"the code or data of {search.name} changed after planning: {AGAIN}")
    return search


def _tried(path: str, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Points (trials, dimension) and losses (trials,) of a generation's table."""
    table = parquet.read(path, ["proposal", "final_loss"])
    points = [json.loads(text) for text in table.column("proposal").to_pylist()]
    losses = np.array(table.column("final_loss").to_pylist(), dtype=float)
    return np.array([[point[label] for label in labels] for point in points]), losses


def _work(places: Sequence[Mapping[str, Any]], specs: Sequence[RunSpec]) -> list[CellRun]:
    contexts = keys.Contexts()
    return [
        CellRun(contexts.key(spec), place, spec) for place, spec in zip(places, specs, strict=True)
    ]
