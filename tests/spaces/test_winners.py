"""The table of winners: one row for each task and numeric dimension."""

from __future__ import annotations

import pandas as pd
import pytest

from hypertransfer.spaces.table_columns import WINNERS
from hypertransfer.spaces.winners import winners

ABOUT = {
    "task": ["data", "width"],
    "group": "data",
    "loss": "loss",
    "dimensions": {
        "lr": {"low": 2**-10, "high": 1, "log": True},
        "momentum": {"low": 0, "high": 1},
        "schedule": {"choices": ["cosine", "linear"]},
    },
}


def test_winners_are_means_of_the_best_on_each_axis(tmp_path):
    rows = [
        {"data": "a", "width": 8, "lr": lr, "momentum": m, "schedule": "linear", "loss": loss}
        for lr, m, loss in ((2**-4, 0.2, 0.0), (2**-2, 0.6, 1.0), (1, 0.9, 2.0))
    ]
    rows.append({**rows[0], "data": "b", "width": 16})
    pd.DataFrame(rows).to_csv(tmp_path / "table.csv", index=False)
    suite = {"source": "table", "file": str(tmp_path / "table.csv"), "about": ABOUT, "winners": 2}
    table = winners({"mine": suite}, {"mine": []})
    assert table.column_names[: len(WINNERS)] == list(WINNERS)
    found = {(r["task"], r["dimension"]): r for r in table.to_pylist()}
    assert set(found) == {(t, d) for t in ("a, 8", "b, 16") for d in ("lr", "momentum")}
    assert found["a, 8", "lr"]["winner"] == pytest.approx(-3), "the mean of log2"
    assert found["a, 8", "momentum"]["winner"] == pytest.approx(0.4)
    assert found["b, 16", "lr"]["winner"] == pytest.approx(-4), "a task may have fewer rows"
    assert found["b, 16", "lr"]["width"] == 16
    assert found["b, 16", "lr"]["group"] == "b"
