"""Columns of the tables of replays, regions and winners, with the kind of each.

The kinds are those of `storage.schemas`. Planning checks names against these columns.
"""

from __future__ import annotations

from collections.abc import Mapping

_PLACE = {"replay": "text", "suite": "text", "task": "text", "group": "text", "size": "number"}
REPLAYS: Mapping[str, str] = {
    **_PLACE, "method": "text", "repeat": "count", "regrets": "list", "seconds": "number",
}  # fmt: skip
REGIONS: Mapping[str, str] = {
    **_PLACE, "region": "text", "repeat": "count", "points": "count", "volume": "number",
    "share": "number", "inflation": "number", "needed": "number", "covered": "number",
    "coverage": "number", "coverage_nearest": "number", "excluded": "count",
    "planted_out": "number", "picture": "text", "seconds": "number",
}  # fmt: skip
# Attributes of tasks are further columns of this table.
WINNERS: Mapping[str, str] = {
    **dict.fromkeys(("suite", "task", "group", "dimension"), "text"),
    "winner": "number",
}
TABLES: Mapping[str, Mapping[str, str]] = {
    "replays": REPLAYS,
    "regions": REGIONS,
    "winners": WINNERS,
}
