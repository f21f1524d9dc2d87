"""Run the benchmarks, print a table, and write results/benchmarks.parquet."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pyarrow as pa
import torch
from tests.benchmarks import (
    bench_decoder,
    bench_decoding,
    bench_experts,
    bench_largest,
    bench_optimizer,
    bench_plan,
    bench_probe,
    bench_slurm,
    bench_spaces,
    bench_train,
    bench_workflow,
    verdicts,
)

from hypertransfer.execution.provenance import provenance
from hypertransfer.storage import parquet

BENCHMARKS = {
    "train": bench_train,
    "decoder": bench_decoder,
    "experts": bench_experts,
    "decoding": bench_decoding,
    "optimizer": bench_optimizer,
    "probe": bench_probe,
    "largest": bench_largest,
    "spaces": bench_spaces,
    "verdicts": verdicts,
    "plan": bench_plan,
    "slurm": bench_slurm,
    "workflow": bench_workflow,
}
OUTPUT = Path("results/benchmarks.parquet")
SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("benchmark", "metric", "rule")]
    + [(name, pa.float64()) for name in ("ours", "rival", "ratio", "target")]
    + [("unit", pa.string())]
    + [(name, pa.string()) for name in ("git", "torch", "device", "finished")]
)


def main() -> None:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], default=[])
    names = parser.parse_args().names or list(BENCHMARKS)
    kept = parquet.read(OUTPUT) if OUTPUT.exists() else SCHEMA.empty_table()
    if kept.column_names != SCHEMA.names:
        parser.error(f"{OUTPUT} has the columns of another version: move it away, and run all")
    rows = [
        {**row, **provenance(torch.device("cpu"))}
        for name in names
        for row in BENCHMARKS[name].run()
    ]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    measured = {row["benchmark"] for row in rows}
    fresh = [b not in measured for b in kept.column("benchmark").to_pylist()]
    kept = kept.filter(pa.array(fresh, pa.bool_()))
    parquet.write(pa.concat_tables([kept, table]), OUTPUT)
    show(rows)


def show(rows: list[dict]) -> None:
    """A line a row."""
    head = f"{'benchmark':<12} {'metric':<52} {'ours':>10} {'rival':>10} {'ratio':>7} {'target':>7}"
    print(head, file=sys.stdout)
    for row in rows:
        numbers = [row[k] for k in ("ours", "rival", "ratio", "target")]
        texts = ["–" if v is None else f"{v:.4g}" for v in numbers]
        widths = (10, 10, 7, 7)
        cells = " ".join(t.rjust(w) for t, w in zip(texts, widths, strict=True))
        print(f"{row['benchmark']:<12} {row['metric']:<52} {cells} {row['unit']}")


if __name__ == "__main__":
    main()
