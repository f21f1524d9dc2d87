"""The runs of a search: a generation proposed and tried, and results carried to other shapes."""

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
    """The proposals of one generation, and a row for each with what came of it.

    `earlier` are the tables of the generations before, in order.

    Raises:
        StalePlan: code or data of its runs changed after planning.
    """
    search = _search(parts)
    method, number = parts["method"], parts["generation"]
    options = {k: v for k, v in method.items() if k not in ("name", "kind", "over")}
    limits = SearchRange(search.labels(method["over"]), search.values["octaves"])
    before = Trials([_tried(path, limits.labels) for path in earlier])
    # A method's own stream: another method added changes nothing here.
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
    """Rows of the runs that try each method's best point with other seeds, at every target.

    Raises:
        StalePlan: code or data of its runs changed after planning.
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
    """The point of least loss of each method; the first of several, the start if all diverged."""
    out: dict[str, tuple[float, Point]] = {}
    for path in files:
        table = parquet.read(path, ["method", "proposal", "final_loss"])
        for row in table.to_pylist():
            loss, known = row["final_loss"], out.get(row["method"])
            if known is None or loss < known[0]:
                out[row["method"]] = loss, json.loads(row["proposal"])
    return {method: point for method, (_, point) in out.items()}


def _search(parts: Mapping[str, Any]) -> Search:
    values = parts["values"]
    search = Search.parse(parts["search"], values)
    if keys.run_key(search.base).partition("-")[2] != parts["context"]:
        raise StalePlan(f"the code or data of {search.name} changed after planning: {AGAIN}")
    return search


def _tried(path: str, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    table = parquet.read(path, ["proposal", "final_loss"])
    points = [json.loads(text) for text in table.column("proposal").to_pylist()]
    losses = np.array(table.column("final_loss").to_pylist(), dtype=float)
    return np.array([[point[label] for label in labels] for point in points]), losses


def _work(places: Sequence[Mapping[str, Any]], specs: Sequence[RunSpec]) -> list[CellRun]:
    contexts = keys.Contexts()
    return [
        CellRun(contexts.key(spec), place, spec) for place, spec in zip(places, specs, strict=True)
    ]
