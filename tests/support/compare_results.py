"""Compare the tables of two folders of results, without keys and measured times.

    python -m tests.support.compare_results OLD/results NEW/results

Every value must be the same, bit for bit, except run keys and what clocks measure.
Prints a line a table, and ends with exit code 1 if any differs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from hypertransfer.catalogue.cards.probes import TIMES

# Columns whose values clocks give, or that name code: they differ from call to call.
MEASURED = (
    "key",
    "seconds",
    "optimizer_seconds",
    "curvature_seconds",
    *TIMES,
)
TIMED_PROBES = ("decoding", "step_time")  # whose error is the spread of times
TIMED_UNITS = ("×",)


def table(path: Path) -> pd.DataFrame:
    """A table in its order, without what clocks measure."""
    frame = (
        pq.ParquetFile(path, pre_buffer=False)
        .read(use_threads=False)
        .to_pandas(ignore_metadata=True, use_threads=False)
    )
    if "probe" in frame:
        for speed in TIMES & set(frame):
            frame.loc[frame[speed].notna(), "error"] = np.nan
    return frame.drop(columns=[name for name in MEASURED if name in frame])


def difference(old: pd.DataFrame, new: pd.DataFrame) -> str:
    """What differs, in words; empty if nothing does."""
    if len(old) != len(new):
        return f"{len(old)} rows, now {len(new)}"
    if set(old) != set(new):
        return f"columns {sorted(set(old) ^ set(new))} are in one of them only"
    out = []
    for name in old:
        rows = [
            i for i, (a, b) in enumerate(zip(old[name], new[name], strict=True)) if not same(a, b)
        ]
        if rows:
            i = rows[0]
            out.append(f"{name}: {len(rows)} rows, first {i}: {old[name][i]!r}, {new[name][i]!r}")
    return "; ".join(out)


def same(one: object, other: object) -> bool:
    """Whether two cells are equal, missing values and lists among them."""
    if isinstance(one, list | np.ndarray) or isinstance(other, list | np.ndarray):
        return np.array_equal(np.asarray(one), np.asarray(other), equal_nan=True)
    if pd.isna(one) or pd.isna(other):
        return bool(pd.isna(one) and pd.isna(other))
    return one == other


def main(old: Path, new: Path) -> int:
    """Compare all studies that both folders have."""
    differ = 0
    for path in sorted(old.glob("*/tables/*.parquet")):
        place = path.relative_to(old)
        words = "is missing"
        if (new / place).is_file():
            words = difference(table(path), table(new / place)) or "the same"
        differ += words != "the same"
        print(f"{place}: {words}")
    return int(differ > 0)


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
