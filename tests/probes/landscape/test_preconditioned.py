"""Preconditioned sharpness against the full Hessian, and the preconditioner of Adam."""

from __future__ import annotations

import math

import pytest
import torch
from tests.support.probes import dense, probed, spec

from hypertransfer.catalogue import lookup
from hypertransfer.training import build, data_sets
from hypertransfer.training.loop import train


def test_preconditioned_sharpness_against_the_full_hessian():
    run = spec(
        optimizer={"name": "adam", "betas": [0.8, 0.9]},
        lr=0.02,
        weights="fan_in",
        base={"width": 3, "depth": 1},
    )
    rows = probed(run, "preconditioned", samples=60, tolerance=1e-4)
    hessian, _, (scale, kept, names) = dense(run, 8, 60)
    p = torch.cat([kept[f"preconditioner/{name}"].reshape(-1) for name in names])
    root = (scale / p).sqrt()
    truth = float(torch.linalg.eigvalsh((root[:, None] * root * hessian).double())[-1])
    assert rows["preconditioned_sharpness"][0] is None
    assert rows["preconditioned_sharpness"][-1] == pytest.approx(truth, rel=1e-3)
    assert rows["stability"][-1] == pytest.approx(0.02 * truth * 0.2 / 3.6, rel=1e-3)


def test_the_preconditioner_is_what_adam_divides_by():
    """One more step from a checkpoint, by hand, is Adam's own."""
    run = spec(
        optimizer={"name": "adam", "betas": [0.0, 0.9], "eps": 1e-3},
        lr=0.02,
        steps=4,
        checkpoints=[3, 4],
    )
    table = lookup.table(run)
    kept = train(run, table).checkpoints
    network, rows = build.drawn_model(run, data_sets.samples(run), table)
    lr = {row.name: row.lr for row in rows}
    # With β₁ = 0 the update is lr·g/P, so |update|·P/lr is |g| ≤ P·√((1 − β₂^t)/(1 − β₂)).
    for name, _ in network.named_parameters():
        update = (kept[3][name] - kept[4][name]) / lr[name]
        p = kept[4][f"preconditioner/{name}"]
        bound = p * math.sqrt((1 - 0.9**4) / (1 - 0.9))
        assert bool(((update * p).abs() <= bound + 1e-6).all())
        assert float((update * p).abs().max()) > 0
