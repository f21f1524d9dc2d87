"""Tables that the planned runs of a study could give, with invented numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from hypertransfer.catalogue.cards.probes import PROBES
from hypertransfer.runs.canonical import digest
from hypertransfer.runs.columns import HISTORY, SUMMARY
from hypertransfer.runs.conditions import matches
from hypertransfer.runs.spec import FIELDS
from hypertransfer.storage import parquet
from hypertransfer.studies import grid
from hypertransfer.studies.placed_run import Run
from hypertransfer.studies.planned import Planned

RECORDS = 12  # of a run's history


def tables(planned: Planned) -> dict[str, pd.DataFrame]:
    """The tables `runs`, `history` and `probes` of planned runs that all finished."""
    random = np.random.default_rng(0)
    runs, history, probes = [], [], []
    for name, members in planned.runs.items():
        own = {} if name in planned.probes else {"search": name}
        keys = [_key(run, own) for run in members]
        runs.append(_runs(name, members, keys, random))
        for key, run in dict(zip(keys, members, strict=True)).items():
            history.append(_history(name, key, run, random))
        for probe_name, probe in planned.probes.get(name, {}).items():
            for run, key in zip(members, keys, strict=True):
                if matches(probe.where, run.point):
                    probes.append(_probed(name, probe_name, probe, run.spec, key, random))
    joined = pa.concat_tables(runs, promote_options="permissive").to_pandas()
    columns = [column for card in PROBES.values() for column in card.columns]
    looks = pd.concat(probes) if probes else pd.DataFrame(columns=["grid", "key", "probe", "step"])
    return {
        "runs": joined,
        "history": pd.concat(history, ignore_index=True),
        "probes": looks.reindex(columns=dict.fromkeys([*looks, *columns])).reset_index(drop=True),
    }


def _key(run: Run, own: dict) -> str:
    """The key of a run; runs of a search have specs of their own, which are not planned."""
    plain = {name: run.spec.plain_value(name) for name in FIELDS if name != "checkpoints"}
    return digest([plain, {**own, **run.point} if own else {}])


def _runs(name, members, keys, random) -> pa.Table:
    points = [{**run.spec.columns(), **run.point} for run in members]
    table = parquet.points_table(name, keys, points)
    summary = {
        column: pa.array(["finished"] * len(keys))
        if column == "status"
        else pa.array(["x"] * len(keys))
        if kind == "text"
        else pa.array(random.uniform(1, 2, len(keys)))
        for column, kind in SUMMARY.items()
    }
    summary["proposal"] = pa.array(['{"lr/query": 0.5, "lr/depth0": 0.1}'] * len(keys))
    for column, values in summary.items():
        table = table.append_column(column, values)
    return table


def _history(name, key, run, random) -> pd.DataFrame:
    steps = np.unique(np.linspace(0, run.spec.steps, RECORDS).astype(int))
    numbers = {c: random.uniform(1, 2, len(steps)) for c in HISTORY if c != "step"}
    falling = 2 - steps / run.spec.steps * (1 + 0.1 / run.spec.shape.width)
    numbers["train_loss"] = falling  # the same for all arms, so that each reaches the others' loss
    return pd.DataFrame({"grid": name, "key": key, "step": steps, **numbers})


def _probed(name, probe_name, probe, spec, key, random) -> pd.DataFrame:
    steps = grid.checkpoints(probe.checkpoints, spec.steps)
    columns = {
        column: random.uniform(1, 2, len(steps))
        if kind == "number"
        else [random.uniform(0.1, 0.5, 4) for _ in steps]
        for column, kind in PROBES[probe.probe].columns.items()
    }
    place = {"grid": name, "key": key, "probe": probe_name, "step": steps}
    return pd.DataFrame({**place, **columns})
