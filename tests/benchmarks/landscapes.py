"""Losses of small networks over the learning rate, trained once, with the optimum of each.

A landscape is a dense sweep of one network: learning rates an eighth of an octave apart over seven
octaves, up to where training fails, with 16 seeds at each and 64 near the best one. Searches can
ask for any seed at any learning rate: far from the best one, where losses differ by more than seeds
do, the seeds that were not trained have the losses of those that were. `load` trains the runs that
`results/landscapes.parquet` lacks, by their keys in the run store, and reads the others.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hypertransfer.catalogue import lookup
from hypertransfer.planning.keys import Contexts
from hypertransfer.rounds.arm import loss_of
from hypertransfer.runs.spec import RunSpec
from hypertransfer.storage import parquet
from hypertransfer.studies.grid import Grid, runs
from hypertransfer.training.loop import train
from hypertransfer.training.settings import reproducible

STORED = Path("results/landscapes.parquet")
COLUMNS = pa.schema(
    [("key", pa.string()), ("status", pa.string())]
    + [(name, pa.float64()) for name in ("final_loss", "seconds")]
)
OCTAVES, PER_OCTAVE = 7, 8
FAR_SEEDS, SEEDS = 16, 64  # seeds at all learning rates, and near the best one
NEAR = 1.25  # octaves to each side of the least mean of the first seeds
BASE: Mapping[str, Any] = {  # the residual MLP of `super_consistency`, at two fifths of its length
    "model": "residual_mlp",
    "data": "digits",
    "base": {"width": 1, "depth": 1},
    "shape": {"width": 64, "depth": 2},
    "weights": "unit",
    "parameterisation": "mup",
    "optimizer": "sgd",
    "loss": "cross_entropy",
    "batch_size": 64,
    "steps": 60,
    "log_every": 5,
    "eval_every": 60,
}
COSINE = {"schedule": {"name": "cosine", "warmup": 0.1}}  # that of `completed_p`
ADAM = {"optimizer": "adam", "weights": "fan_in", "base": {"width": 16, "depth": 2}, **COSINE}
SP = {"parameterisation": "sp", "weights": "fan_in"}


def _shape(width: int, depth: int = 2) -> dict[str, Any]:
    return {"shape": {"width": width, "depth": depth}}


# For each landscape the changes of BASE, and log2 of the lowest learning rate.
LANDSCAPES: Mapping[str, tuple[Mapping[str, Any], int]] = {
    "SGD, µP, width 16, cosine": ({**_shape(16), **COSINE}, -5),
    "SGD, µP, width 128": (_shape(128), -5),
    "SGD, NTP, width 16": ({"parameterisation": "ntp", **_shape(16)}, -1),
    "SGD, NTP, width 64": ({"parameterisation": "ntp"}, -1),
    "SGD, SP, width 64, cosine": ({**SP, **COSINE}, -6),
    "SGD, µP, width 64, MSE, cosine": ({"loss": "mse", **COSINE}, -2),
    "Adam, SP, width 32, cosine": ({**ADAM, **SP, **_shape(32)}, -10),
    "Adam, SP, width 128, cosine": ({**ADAM, **SP, **_shape(128)}, -11),
    "Lion, SP, width 32, cosine": ({**ADAM, "optimizer": "lion", **SP, **_shape(32)}, -12),
    "SGD, Depth-µP, width 128, depth 4, cosine": (
        {"parameterisation": "depth_mup", **_shape(128, 4), **COSINE},
        -5,
    ),
}
DRAWS = 200  # of the bootstrap over seeds
DEGREES = (4, 5, 6)  # of polynomials
KNOWN = 0.05  # octaves: the largest error of an optimum that is known


@dataclass(frozen=True)
class Landscape:
    """A dense sweep of one network.

    Attributes:
        name: which network.
        log2: base-2 logarithms of the learning rates (rate,), ascending and evenly spaced.
        losses: final training losses (seed, rate); +inf where a run diverged.
        near: the learning rates at which every seed was trained.
    """

    name: str
    log2: np.ndarray
    losses: np.ndarray
    near: slice

    @cached_property
    def truth(self) -> tuple[float, float]:
        """The log2 of the best learning rate, and its error, from all seeds."""
        return truth(self.log2[self.near], self.losses[:, self.near])

    @property
    def is_known(self) -> bool:
        """Whether the error of the optimum is at most `KNOWN` octaves."""
        return self.truth[1] <= KNOWN


def truth(log2: np.ndarray, losses: np.ndarray) -> tuple[float, float]:
    """The minimum of a smooth curve through the mean log loss over all seeds, and its error.

    The curve is a polynomial of the first of `DEGREES`. The mean of the logarithms is that of
    `analysis.sweeps`, in which an offset of a seed is a factor.

    Args:
        log2: base-2 logarithms of the learning rates (rate,), ascending.
        losses: positive losses (seed, rate); +inf where a run diverged.

    Returns:
        The minimum in octaves; and the root of the sum of two squares: the standard deviation of
        the minimum over bootstrap samples of seeds, and half the range of the minima of polynomials
        of all `DEGREES`.
    """
    logs = np.log(losses)
    generator = np.random.default_rng(0)
    samples = generator.integers(len(logs), size=(DRAWS, len(logs)))
    drawn = [smooth_minimum(log2, logs[sample], DEGREES[0]) for sample in samples]
    places = [smooth_minimum(log2, logs, degree) for degree in DEGREES]
    return places[0], math.hypot(np.std(drawn), np.ptp(places) / 2)


def smooth_minimum(log2: np.ndarray, logs: np.ndarray, degree: int) -> float:
    """The minimum of a polynomial through the mean log loss over seeds, by least squares.

    Means are weighted by the inverse of the noise variance, whose logarithm is fitted by a
    parabola: noise rises steeply where training gets unstable. Means from the first infinite one
    above the least on are left out.
    """
    means = logs.mean(axis=0)
    best = int(means.argmin())
    failed = np.flatnonzero(np.isinf(means[best:]))
    end = best + failed[0] if failed.size else len(means)
    finite = np.isfinite(means) & (np.arange(len(means)) < end)
    x, y, held = log2[finite], means[finite], logs[:, finite]
    noise = (held - held.mean(axis=1, keepdims=True) - y + y.mean()).var(axis=0)
    centred = x - x.mean()
    rise = np.polyfit(centred, np.log(noise + 1e-9 + 1e-6 * noise.max()), 2)
    roots = np.exp(-np.polyval(rise, centred) / 2)
    curve = np.polynomial.Polynomial.fit(x, y, degree, w=roots / roots.mean())
    places = np.linspace(x[0], x[-1], 2001)
    return float(places[curve(places).argmin()])


def load(names: Sequence[str] = tuple(LANDSCAPES)) -> tuple[list[Landscape], int, float]:
    """The landscapes of these names, the number of their runs, and the seconds of training them."""
    reproducible()
    store = _Store()
    found = [_landscape(name, store) for name in names]
    rows = [store.rows[key] for key in store.used]
    return found, len(rows), sum(row["seconds"] for row in rows)


def _landscape(name: str, store: _Store) -> Landscape:
    changes, lowest = LANDSCAPES[name]
    powers = {"base": 2, "from": lowest, "to": lowest + OCTAVES, "step": 1 / PER_OCTAVE}
    axes = {"seed": {"range": SEEDS}, "lr": {"powers": powers}}
    rates = OCTAVES * PER_OCTAVE + 1
    specs = [run.spec for run in runs(Grid({**BASE, **changes}, axes))]
    by_seed = [specs[seed * rates : (seed + 1) * rates] for seed in range(SEEDS)]
    far = np.array([store.losses(row) for row in by_seed[:FAR_SEEDS]])
    best = int(np.log(far).mean(axis=0).argmin())
    reach = round(NEAR * PER_OCTAVE)
    near = slice(max(best - reach, 0), best + reach + 1)
    losses = np.resize(far, (SEEDS, rates))
    losses[FAR_SEEDS:, near] = [store.losses(row[near]) for row in by_seed[FAR_SEEDS:]]
    return Landscape(name, lowest + np.arange(rates) / PER_OCTAVE, losses, near)


class _Store:
    """The runs in `STORED` by key, to which missing ones are added."""

    def __init__(self) -> None:
        stored = parquet.read(STORED, COLUMNS.names).to_pylist() if STORED.exists() else []
        self.rows: dict[str, dict[str, Any]] = {row["key"]: row for row in stored}
        self.used: dict[str, None] = {}
        self._contexts = Contexts()

    def losses(self, specs: Sequence[RunSpec]) -> list[float]:
        """The final losses of runs, +inf where they diverged; those not stored are trained."""
        keys = [self._contexts.key(spec) for spec in specs]
        missing = {k: spec for k, spec in zip(keys, specs, strict=True) if k not in self.rows}
        self.rows |= {key: _row(key, spec) for key, spec in missing.items()}
        if missing:
            parquet.write(pa.Table.from_pylist(list(self.rows.values()), COLUMNS), STORED)
        self.used |= dict.fromkeys(keys)
        return [loss_of(self.rows[key]) for key in keys]


def _row(key: str, spec: RunSpec) -> dict[str, Any]:
    started = time.process_time()
    result = train(spec, lookup.table(spec))
    loss = math.nan if result.final_loss is None else result.final_loss
    seconds = time.process_time() - started
    return {"key": key, "status": result.status, "final_loss": loss, "seconds": seconds}
