"""Tables as training jobs write them."""

from __future__ import annotations

import math

import pyarrow as pa

from hypertransfer.storage import parquet, schemas


def history(rows):
    """Rows of (step, train_loss, eval_loss) as columns."""
    return {
        **{name: [math.nan for _ in rows] for name in schemas.HISTORY.names},
        "step": [row[0] for row in rows],
        "train_loss": [row[1] for row in rows],
        "eval_loss": [row[2] for row in rows],
    }


def cell(grid, points, histories, status="finished", final_loss=0.5):
    """A cell's table, as a training job writes it."""
    keys = [f"{grid}-{index}" for index in range(len(points))]
    table = parquet.points_table(grid, keys, points)
    summary = {
        "status": status,
        "steps_done": 10,
        "final_loss": final_loss,
        "eval_loss": None,
        "eval_accuracy": None,
        "seconds": 1.0,
        "optimizer_seconds": 0.1,
        "curvature_seconds": 0.0,
        "flops": 10**12,
        "torch": "2",
        "device": "cpu",
    }
    for field in schemas.SUMMARY:
        table = table.append_column(
            field, pa.array([summary[field.name]] * len(points), field.type)
        )
    for field in schemas.HISTORY:
        lists = [parquet.columns(h, schemas.HISTORY)[field.name].to_pylist() for h in histories]
        table = table.append_column(f"history.{field.name}", pa.array(lists, pa.list_(field.type)))
    return table
