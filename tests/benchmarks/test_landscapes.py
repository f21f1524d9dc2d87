"""The optimum of a dense sweep, and its error, on curves that are known; runs are trained once."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.benchmarks import landscapes

LOG2 = np.arange(57) / 8 - 3
SEEDS = 24


def losses(optimum: float, skew: float, noise: float, seed: int = 0) -> np.ndarray:
    """Losses of seeds that diverge an octave above the optimum.

    The logarithm tends to an exponential of slope `skew` above the optimum, and to a line below it.
    """
    generator, apart = np.random.default_rng(seed), LOG2 - optimum
    curve = (np.expm1(skew * apart) - skew * apart) / skew**2 if skew else apart**2 / 2
    logs = 0.3 * curve + 0.2 * generator.normal(size=(SEEDS, 1))
    logs = logs + noise * generator.normal(size=(SEEDS, 57))
    return np.where(apart > 1, math.inf, np.exp(logs))


def near(optimum: float) -> np.ndarray:
    """The learning rates at which `load` has all seeds."""
    return np.abs(LOG2 - optimum) <= landscapes.NEAR


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    monkeypatch.setattr(landscapes, "DRAWS", 30)


@pytest.mark.parametrize(("optimum", "skew"), [(0.0, 0), (0.4, 1), (1.3, 2)])
def test_without_noise_the_optimum_is_found_whatever_a_seed_brings_to_all_its_losses(optimum, skew):
    close = near(optimum)
    found, error = landscapes.truth(LOG2[close], losses(optimum, skew, 0)[:, close])
    assert found == pytest.approx(optimum, abs=0.03)
    assert error < 0.03


@pytest.mark.parametrize("skew", [0, 2])
def test_the_error_covers_the_optimum(skew):
    close = near(0.2)
    found = [
        landscapes.truth(LOG2[close], losses(0.2, skew, 0.15, seed)[:, close]) for seed in range(30)
    ]
    scores = [(place - 0.2) / error for place, error in found]
    assert 0.5 < np.sqrt(np.mean(np.square(scores))) < 1.6


def test_an_optimum_that_noise_hides_is_not_known():
    close = slice(*np.flatnonzero(near(0))[[0, -1]])
    flat = np.exp(0.3 * np.random.default_rng(0).normal(size=(SEEDS, 57)))
    assert not landscapes.Landscape("flat", LOG2, flat, close).is_known
    clear = landscapes.Landscape("clear", LOG2, losses(0, 1, 0.01), close)
    assert clear.is_known
    assert clear.truth == landscapes.truth(LOG2[close], clear.losses[:, close])


def test_runs_are_trained_once(tmp_path, monkeypatch):
    values = {"STORED": tmp_path / "l.parquet", "PER_OCTAVE": 1, "FAR_SEEDS": 2, "SEEDS": 3,
              "NEAR": 1, "BASE": {**landscapes.BASE, "steps": 5, "eval_every": 5}}  # fmt: skip
    for name, value in values.items():
        monkeypatch.setattr(landscapes, name, value)
    name = "SGD, µP, width 16, cosine"
    (first,), runs, seconds = landscapes.load([name])
    assert first.log2.tolist() == [-5, -4, -3, -2, -1, 0, 1, 2]
    best = int(np.log(first.losses[:2]).mean(axis=0).argmin())
    near = [abs(column - best) <= 1 for column in range(8)]
    assert [column in range(8)[first.near] for column in range(8)] == near
    assert (first.losses[2] == first.losses[0]).tolist() == [not one for one in near]
    assert runs == 16 + sum(near)
    monkeypatch.setattr(landscapes, "train", None)
    (again,), *kept = landscapes.load([name])
    assert np.array_equal(again.losses, first.losses)
    assert kept == [runs, seconds]
    assert seconds > 0
