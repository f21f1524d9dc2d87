"""The downstream probe: a linear probe that tells labels by features, not by groups."""

from __future__ import annotations

import logging
import math

import numpy as np
import pytest
import torch
from tests.optimizers.test_optimizers import SPEC

from hypertransfer.catalogue import complete, lookup
from hypertransfer.probes.checkpoint import measure
from hypertransfer.probes.tasks import downstream
from hypertransfer.training.loop import train


def test_a_linear_probe_tells_what_features_tell_and_no_more():
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b"], [60, 30])
    groups = np.arange(90) % 15
    told = rng.normal(size=(90, 5)) + 3 * (labels == "a")[:, None]
    assert downstream.accuracy(told, labels, groups) > 0.95
    found = downstream.accuracy(rng.normal(size=(90, 5)), labels, groups)
    assert 0.3 < found < 0.7


def test_a_probe_cannot_tell_by_the_president():
    """A label that is known of a president only is at chance where presidents are held out."""
    groups = np.repeat(np.arange(30), 4)
    labels = np.array(["a", "b"])[np.random.default_rng(1).integers(0, 2, 30)][groups]
    presidents = np.eye(30)[groups]
    assert downstream.accuracy(presidents, labels, groups) < 0.65


def test_every_column_is_filled_for_a_language_model():
    run = complete.run_spec({**SPEC, "checkpoints": [8]})
    table = lookup.table(run)
    settings = {"probe": "downstream", "samples": 16, "windows": 2, "checkpoints": [8]}
    kept = train(run, table).checkpoints
    rows = measure(run, table, kept, settings, torch.device("cpu"), logging.getLogger())
    (party,), (delivery,) = rows["party_accuracy"], rows["delivery_accuracy"]
    assert 0.2 < party < 0.9
    assert 0.2 < delivery < 0.9
    for name in ("program_loss", "messages_loss"):
        assert rows[name][0] == pytest.approx(math.log(256), rel=0.3)
