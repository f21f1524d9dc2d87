"""Rows of the table that the benchmarks write."""

from __future__ import annotations

from typing import Any


def row(
    metric: str,
    ours: float,
    rival: float,
    target: float | None,
    unit: str,
    benchmark: str = "train",
    ratio: float | None = None,
) -> dict[str, Any]:
    """A row of the benchmarks' table; the ratio is ours over the rival's unless one is given."""
    return {
        "benchmark": benchmark,
        "metric": metric,
        "ours": ours,
        "rival": rival,
        "ratio": ours / rival if ratio is None else ratio,
        "target": target,
        "unit": unit,
    }
