"""Rows of the table that the benchmarks write."""

from __future__ import annotations

import math
from typing import Any

from hypertransfer.report.speed_page import SECTIONS


def row(
    metric: str,
    ours: float,
    rival: float | None,
    target: float | None,
    unit: str,
    benchmark: str = "train",
    rule: str = "ratio",
    ratio: float | None = None,
) -> dict[str, Any]:
    """A row of the benchmarks' table; the ratio is ours over the rival's unless one is given.

    `rule` says how the row is read: a key of the sections of the speed page.
    """
    if rule not in SECTIONS:
        raise ValueError(f"rule {rule!r} of {metric!r}: use one of {', '.join(SECTIONS)}")
    if ratio is None and rival is not None:
        ratio = ours / rival if rival else math.inf
    return {
        "benchmark": benchmark,
        "metric": metric,
        "rule": rule,
        "ours": ours,
        "rival": rival,
        "ratio": ratio,
        "target": target,
        "unit": unit,
    }
