"""Runs of arms whose losses are known."""

from __future__ import annotations

import numpy as np
import pandas as pd

STEPS = np.arange(0, 101, 2)


def arm(name, losses, *, lrs=(0.25, 0.5, 1.0), seeds=3, status="finished", **columns):
    """Runs of one arm: `losses` one for each learning rate; the same for each seed."""
    rows = [
        {
            "optimizer": name,
            "lr": lr,
            "seed": seed,
            "final_loss": loss,
            "status": status,
            "key": f"{name}-{lr}-{seed}-{columns}",
            **columns,
        }
        for lr, loss in zip(lrs, losses, strict=True)
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows)


def tables(*arms, history=None):
    runs = pd.concat(arms, ignore_index=True)
    runs["status"] = np.where(np.isinf(runs["final_loss"]), "diverged", runs["status"])
    return {"runs": runs, **({"history": history} if history is not None else {})}


def history(runs, curve):
    """Training losses along all runs: `curve(optimizer, total, step)`."""
    rows = [
        {"key": run.key, "step": step, "train_loss": curve(run.optimizer, run.steps, step)}
        for run in runs.itertuples()
        for step in STEPS * run.steps // 100
    ]
    return pd.DataFrame(rows)


def raced(speed, **columns):
    """AdamW's loss falls as 3 − t; the other's `speed` times as quickly."""
    rate = {"muon": speed, "adamw": 1.0}
    arms = [
        arm(name, [3.0, 3 - rate[name] * 0.95], lrs=[0.5, 1.0], steps=100, **columns)
        for name in rate
    ]
    runs = pd.concat(arms, ignore_index=True)
    return {"runs": runs, "history": history(runs, lambda o, n, t: 3 - rate[o] * t / n)}
