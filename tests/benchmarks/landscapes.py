"""Losses of small networks over the learning rate, trained once, with the optimum of each.

A landscape is a dense sweep of one network: learning rates an eighth of an octave apart over seven
octaves, up to where training fails, and 16 seeds at each. `load` trains the runs that
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
from scipy.interpolate import make_smoothing_spline

from hypertransfer.catalogue import lookup
from hypertransfer.planning.keys import Contexts
from hypertransfer.rounds.arm import loss_of
from hypertransfer.storage import parquet
from hypertransfer.studies.grid import Grid, runs
from hypertransfer.training.loop import train
from hypertransfer.training.settings import reproducible

STORED = Path("results/landscapes.parquet")
COLUMNS = pa.schema(
    [("key", pa.string()), ("status", pa.string())]
    + [(name, pa.float64()) for name in ("final_loss", "seconds")]
)
OCTAVES, PER_OCTAVE, SEEDS = 7, 8, 16
BASE: Mapping[str, Any] = {  # the residual MLP of `super_consistency`, at two thirds of its length
    "model": "residual_mlp",
    "data": "digits",
    "base": {"width": 1, "depth": 1},
    "shape": {"width": 64, "depth": 2},
    "weights": "unit",
    "parameterisation": "mup",
    "optimizer": "sgd",
    "loss": "cross_entropy",
    "batch_size": 64,
    "steps": 100,
    "log_every": 5,
    "eval_every": 100,
}
ADAM = {"optimizer": "adam", "weights": "fan_in", "base": {"width": 16, "depth": 2}}
NO_SKIP = {"name": "residual_mlp", "skip": False}


def _shape(width: int, depth: int = 2) -> dict[str, Any]:
    return {"shape": {"width": width, "depth": depth}}


# For each landscape the changes of BASE, and log2 of the lowest learning rate.
LANDSCAPES: Mapping[str, tuple[Mapping[str, Any], int]] = {
    "µP, width 16, SGD": (_shape(16), -5),
    "µP, width 128, SGD": (_shape(128), -5),
    "NTP, width 64, SGD": ({"parameterisation": "ntp"}, -1),
    "SP, width 64, SGD": ({"parameterisation": "sp", "weights": "fan_in"}, -6),
    "µP, width 64, SGD, MSE": ({"loss": "mse"}, -2),
    "Depth-µP, depth 6, SGD": ({"parameterisation": "depth_mup", **_shape(32, 6)}, -5),
    "no skips, depth 6, SGD": ({"model": NO_SKIP, **_shape(32, 6)}, -6),
    "µP, width 32, Adam": ({**ADAM, **_shape(32)}, -10),
    "SP, width 32, Adam": ({**ADAM, "parameterisation": "sp", **_shape(32)}, -10),
    "SP, width 128, Adam": ({**ADAM, "parameterisation": "sp", **_shape(128)}, -11),
    "µP, width 32, Adam, MSE": ({**ADAM, "loss": "mse", **_shape(32)}, -10),
    "SP, width 32, Lion": (
        {**ADAM, "optimizer": "lion", "parameterisation": "sp", **_shape(32)},
        -12,
    ),
}
DRAWS = 200  # of the bootstrap over seeds
REACH = 2.0  # octaves to each side of the least mean within which the spline is fitted
KNOWN = 0.05  # octaves: the largest standard error of an optimum that is known


@dataclass(frozen=True)
class Landscape:
    """A dense sweep of one network.

    Attributes:
        name: which network.
        log2: base-2 logarithms of the learning rates (rate,), ascending.
        losses: final training losses (seed, rate); +inf where a run diverged.
    """

    name: str
    log2: np.ndarray
    losses: np.ndarray

    @cached_property
    def truth(self) -> tuple[float, float]:
        """The log2 of the best learning rate, and its standard error by a bootstrap over seeds."""
        return truth(self.log2, self.losses)

    @property
    def is_known(self) -> bool:
        """Whether the standard error of the optimum is at most `KNOWN` octaves."""
        return self.truth[1] <= KNOWN


def truth(log2: np.ndarray, losses: np.ndarray) -> tuple[float, float]:
    """The minimum of a smoothing spline of the mean log loss over all seeds, and its error.

    The mean of the logarithms is that of `analysis.sweeps`, in which an offset of a seed is a
    factor. Rates at which a seed diverged have no mean.

    Args:
        log2: base-2 logarithms of the learning rates (rate,), ascending and evenly spaced.
        losses: positive losses (seed, rate); +inf where a run diverged.

    Returns:
        The minimum in octaves, and the standard deviation of the minima of bootstrap samples of
        seeds.
    """
    logs = np.log(losses)
    generator = np.random.default_rng(0)
    samples = generator.integers(len(logs), size=(DRAWS, len(logs)))
    drawn = [spline_minimum(log2, logs[sample].mean(axis=0)) for sample in samples]
    return spline_minimum(log2, logs.mean(axis=0)), float(np.std(drawn))


def spline_minimum(log2: np.ndarray, means: np.ndarray) -> float:
    """The minimum of a cubic smoothing spline through finite means near the least of them.

    Generalised cross-validation chooses the smoothing. Means from the first infinite one above the
    least on are left out.
    """
    best = int(means.argmin())
    failed = np.flatnonzero(np.isinf(means[best:]))
    end = best + failed[0] if failed.size else len(means)
    near = (np.abs(log2 - log2[best]) <= REACH) & (np.arange(len(means)) < end) & np.isfinite(means)
    spline = make_smoothing_spline(log2[near], means[near])
    places = np.linspace(log2[near][0], log2[near][-1], 2001)
    return float(places[spline(places).argmin()])


def load(names: Sequence[str] = tuple(LANDSCAPES)) -> tuple[list[Landscape], float]:
    """The landscapes of these names, and the seconds that training all their runs took."""
    reproducible()
    known = _stored()
    found, seconds = [], 0.0
    for name in names:
        changes, lowest = LANDSCAPES[name]
        table = _trained({**BASE, **changes}, lowest, known)
        shape = (SEEDS, OCTAVES * PER_OCTAVE + 1)
        losses = np.array([loss_of(row) for row in table]).reshape(shape)
        log2 = lowest + np.arange(shape[1]) / PER_OCTAVE
        found.append(Landscape(name, log2, losses))
        seconds += sum(row["seconds"] for row in table)
    return found, seconds


def _stored() -> dict[str, dict[str, Any]]:
    if not STORED.exists():
        return {}
    return {row["key"]: row for row in parquet.read(STORED, COLUMNS.names).to_pylist()}


def _trained(
    base: Mapping[str, Any], lowest: int, known: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """The rows of all runs of a landscape, seed by seed; those that are not known are trained."""
    powers = {"base": 2, "from": lowest, "to": lowest + OCTAVES, "step": 1 / PER_OCTAVE}
    axes = {"seed": {"range": SEEDS}, "lr": {"powers": powers}}
    specs = [run.spec for run in runs(Grid(base, axes))]
    contexts = Contexts()
    keys = [contexts.key(spec) for spec in specs]
    missing = {key: spec for key, spec in zip(keys, specs, strict=True) if key not in known}
    for key, spec in missing.items():
        started = time.process_time()
        result = train(spec, lookup.table(spec))
        known[key] = {
            "key": key,
            "status": result.status,
            "final_loss": math.nan if result.final_loss is None else result.final_loss,
            "seconds": time.process_time() - started,
        }
    if missing:
        parquet.write(pa.Table.from_pylist(list(known.values()), COLUMNS), STORED)
    return [known[key] for key in keys]
