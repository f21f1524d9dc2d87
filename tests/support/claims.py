"""Claims, and tables of runs on which the answers are known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from hypertransfer.claims import verdicts

INF = math.inf
WIDTHS = (16, 64, 256)
GRID = range(-6, 3)
SP = {"parameterisation": "sp"}


def make_runs(vertices, *, widths=WIDTHS, grid="width", log2_lrs=GRID, seeds=5, noise=0.02, **axes):
    """Runs whose loss is a parabola around each width's vertex in log2 lr, with seed noise."""
    rng = np.random.default_rng(0)
    rows = []
    for width, vertex in zip(widths, vertices, strict=True):
        for seed, wobble in enumerate(rng.normal(0, noise, seeds)):
            for x in log2_lrs:
                loss = 0.5 + 0.1 * (x - vertex - wobble) ** 2
                rows.append((width, 2.0**x, seed, loss if x - vertex < 3.5 else INF))
    runs = pd.DataFrame(rows, columns=["shape.width", "lr", "seed", "final_loss"])
    runs = runs.assign(grid=grid, eval_loss=runs["final_loss"] + 0.1, steps_done=100, **axes)
    runs["status"] = np.where(np.isinf(runs["final_loss"]), "diverged", "finished")
    tag = "-".join(map(str, axes.values()))
    return runs.assign(key=[f"{grid}-{tag}-{i}" for i in range(len(runs))])


def make_tables(**sp_options):
    """µP stays within 0.2 octaves; SP falls by 5 octaves over 16× in width."""
    mup = make_runs((0.1, 0.2, 0.3), parameterisation="mup")
    sp = make_runs((0.1, -2.4, -4.9), parameterisation="sp", **sp_options)
    return {"runs": pd.concat([mup, sp], ignore_index=True)}


def make_claim(**changes):
    claim = {
        "id": "mup-width",
        "sentence": "Under µP the best learning rate does not move with width.",
        "source": "Fig. 1",
        "kind": "ours",
        "confidence": "high",
        "bar_from": "ours",
        "measure": "optimum_shift",
        "where": {"parameterisation": "mup"},
        "bar": {"max": 1},
    }
    return {**claim, **changes}


def make_paths(quantity, function, table="probes", widths=WIDTHS, seeds=4, steps=range(0, 101, 5)):
    """Runs at one learning rate, and a quantity of (width, seed, step) along them."""
    runs = make_runs([0.0] * len(widths), widths=widths, log2_lrs=[0], seeds=seeds)
    rows = [
        (run.key, step, function(width, run.seed, step))
        for run, width in zip(runs.itertuples(), runs["shape.width"], strict=True)
        for step in steps
    ]
    long = pd.DataFrame(rows, columns=["key", "step", quantity]).assign(grid="width")
    return {"runs": runs, table: long.assign(probe="hessian") if table == "probes" else long}


def measured(name, tables, where=None, **options):
    claim = make_claim(measure=name, where=where or {}, options=options)
    return verdicts.check(claim, tables)
