"""Arrow schemas of the Parquet tables in the run store."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from hypertransfer.catalogue.cards import probes as cards_probes
from hypertransfer.runs import columns

_TYPES = {
    "text": pa.string(),
    "flag": pa.bool_(),
    "count": pa.int32(),
    "large count": pa.int64(),
    "number": pa.float64(),
    "list": pa.list_(pa.float64()),
}


def schema(columns: Mapping[str, str]) -> pa.Schema:
    """The Arrow schema of columns.

    Args:
        columns: the kind of each column by name: text, flag, count, large count, number or list.
    """
    return pa.schema([(name, _TYPES[kind]) for name, kind in columns.items()])


HISTORY = schema(columns.HISTORY)
SUMMARY = schema(columns.SUMMARY)


def probe_schema(*probes: str) -> pa.Schema:
    """The schema of a table of probes, with one row for each checkpoint of a run."""
    own = {
        name: kind for probe in probes for name, kind in cards_probes.PROBES[probe].columns.items()
    }
    return schema({"step": "count", **own, **cards_probes.PROBED, "seconds": "number"})


# Columns that each Parquet file in the store must have; tables of probes have further columns.
FORMS = {"history.parquet": HISTORY, "probe.parquet": probe_schema()}
