"""Synthetic tables that figures are drawn from."""

import itertools
import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from tests.support.figures import LRS, SEEDS, WIDTHS


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture
def tables() -> dict[str, pd.DataFrame]:
    """Two parameterisations: the optimum stays at 0.5 under µP, and moves with width under NTP."""
    runs, history, probes = [], [], []
    for name in ("mup", "ntp"):
        for width in WIDTHS:
            best = 0.5 if name == "mup" else 0.5 * width / 16
            for lr in LRS:
                for seed in SEEDS:
                    key = f"{name}-{width}-{lr}-{seed}"
                    gone = name == "ntp" and width == 32 and lr == 0.125
                    loss = 1 + np.log2(lr / best) ** 2 / 10 + seed / 100
                    runs.append(
                        {
                            "grid": "sweep",
                            "key": key,
                            "parameterisation": name,
                            "optimizer": "sgd",
                            "shape.width": width,
                            "lr": lr,
                            "seed": seed,
                            "steps": 20,
                            "status": "diverged" if gone else "finished",
                            "final_loss": np.inf if gone else loss,
                        }
                    )
                    for step in (0, 10, 20):
                        history.append(
                            {"grid": "sweep", "key": key, "step": step, "train_loss": 2 - step / 20}
                        )
                    for step in (0, 4, 8, 12, 16, 20):
                        # The gap to width 32 is step^2/width at every seed.
                        grown = step**2 * (1 / width - 1 / 32)
                        probes.append(
                            {
                                "grid": "sweep",
                                "key": key,
                                "step": step,
                                "probe": "top",
                                "scaled_sharpness": 1.0 + step + grown,
                                "nodes": [0.01, 1.0],
                                "shares": [0.9, 0.1],
                            }
                        )
    frames = {"runs": runs, "history": history, "probes": probes}
    return {name: pd.DataFrame(rows) for name, rows in frames.items()}


@pytest.fixture
def searched() -> dict[str, pd.DataFrame]:
    """Two methods of four trials; the second finds less, and carries over to both targets."""
    trials = [
        {"grid": "modules", "key": f"{method}{trial}", "method": method, "generation": trial // 2,
         "trial": trial % 2, "seed": 0, "final_loss": loss,
         "proposal": json.dumps({"lr/query": 1.0 - trial, "lr/embedding": 0.5, "lr/depth0": -1.0,
                                 "lr/depth1": 1.0, "residual/attention": 0.25 * trial})}
        for method, losses in (("global", (2.0, 1.9, np.inf, 1.95)),
                               ("factored", (2.0, 2.6, 1.7, 1.8)))
        for trial, loss in enumerate(losses)
    ]  # fmt: skip
    places = [
        ("global", 1.0, 0.0),
        ("factored", 1.0, -0.2),
        *(("line", p, (p - 0.5) ** 2) for p in (0.0, 0.5, 1.0)),
    ]
    carried = [
        {
            "grid": "modules-transfer",
            "key": f"{method}{place}{target}{seed}",
            "method": method,
            "place": place,
            "target": target,
            "seed": seed,
            "final_loss": 2.0 + extra + 0.01 * seed,
        }
        for method, place, extra in places
        for target in ("same", "wider")
        for seed in range(3)
    ]
    empty = pd.DataFrame({"grid": pd.Series(dtype=str), "key": pd.Series(dtype=str)})
    return {"runs": pd.DataFrame(trials + carried), "history": empty, "probes": empty}


@pytest.fixture
def raced() -> dict[str, pd.DataFrame]:
    """Muon falls twice as quickly as AdamW, in runs of 20 and of 40 steps, and in two batches."""
    runs, history = [], []
    for name, rate, batch, steps, lr, seed in itertools.product(
        ("muon", "adamw"), (2.0,), (4, 16), (20, 40), (0.5, 1.0), SEEDS
    ):
        speed = rate if name == "muon" else 1.0
        reached = speed * (1 - 0.05 * lr) * 0.95 + 0.01 * seed
        if (name == "adamw" or batch == 16) and steps == 20:
            continue
        key = f"{name}-{batch}-{steps}-{lr}-{seed}"
        runs.append(
            {
                "grid": "race",
                "key": key,
                "parameterisation": "mup",
                "optimizer": name,
                "lr": lr,
                "seed": seed,
                "steps": steps,
                "batch_size": batch,
                "status": "finished",
                "final_loss": 4 - reached * steps / 40,
                "shape.width": 8,
            }
        )
        for step in range(0, steps + 1, 2):
            loss = 4 - speed * (1 - 0.05 * lr) * step / 40 - 0.01 * seed
            history.append({"grid": "race", "key": key, "step": step, "train_loss": loss})
    empty = pd.DataFrame({"grid": pd.Series(dtype=str), "key": pd.Series(dtype=str)})
    return {"runs": pd.DataFrame(runs), "history": pd.DataFrame(history), "probes": empty}
