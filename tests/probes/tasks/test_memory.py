"""Bytes that training and generation keep."""

from __future__ import annotations

import pytest
from tests.support import probes
from tests.support.decoder_probes import probed, trained_decoder

from hypertransfer.catalogue.cards.optimizers import OPTIMIZERS

SMALL = {"model": "llama", "parameterisation": "mup", "shape": {"width": 32, "depth": 2}}
SCION = {"parameterisation": "spectral", "weights": "boundary"}


def found(**changes):
    table = probed(trained_decoder(**{**SMALL, **changes}), "memory", batch=3, tokens=10)
    return {name: values[0] for name, values in table.items()}


@pytest.mark.parametrize(
    ("changes", "copies"),
    [
        ({"optimizer": "adamw"}, 4),  # weights, gradients, two moments
        ({**SCION, "optimizer": "scion"}, 3),  # one average
        ({**SCION, "optimizer": {"name": "scion", "light": True}}, 2),  # kept in the gradient
    ],
)
def test_training_keeps_so_many_copies_of_the_weights(changes, copies):
    row = found(**changes)
    assert row["training_bytes"] == copies * row["weight_bytes"]


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_every_optimizer_can_be_measured(optimizer):
    lmo = OPTIMIZERS[optimizer].steepest
    table = probes.probed(
        probes.spec(
            optimizer=optimizer,
            loss="cross_entropy",
            steps=1,
            log_every=1,
            checkpoints=[0],
            **({"parameterisation": "spectral", "weights": "boundary", "lr": 0.01} if lmo else {}),
        ),
        "memory",
    )
    copies = table["training_bytes"][0] / table["weight_bytes"][0]
    # Sophia keeps the last estimate of the curvature beside two averages.
    exact = {"sgd": 2, "adam": 4, "adamw": 4, "lion": 3, "sophia": 5}
    assert copies == exact.get(optimizer, copies)
    assert 2 <= copies <= 5


def test_an_optimizer_that_takes_a_closure_can_be_measured():
    table = probes.probed(
        probes.spec(
            optimizer="pytorch_optimizer:EmoNavi",
            parameterisation="sp",
            lr=0.01,
            steps=1,
            log_every=1,
            checkpoints=[0],
        ),
        "memory",
    )
    assert table["training_bytes"][0] > 2 * table["weight_bytes"][0]


def test_muon_keeps_one_average_of_hidden_weights_and_two_moments_of_others():
    row = found(optimizer="muon", parameterisation="mup_muon")
    attention, feed_forward = 4 * 32**2, 3 * 3 * 32**2
    hidden = 4 * 2 * (attention + feed_forward)
    assert row["training_bytes"] == 4 * row["weight_bytes"] - hidden


def test_generation_keeps_weights_and_caches():
    row = found()
    assert row["generation_bytes"] - row["weight_bytes"] == 3 * 10 * 4 * 2 * (2 * 32)


def test_weights_are_counted_at_every_checkpoint_and_without_caches_in_other_networks():
    table = probes.probed(probes.spec(), "memory")
    hidden, inputs, outputs = 2 * 6 * 6, 64 * 6, 6 * 10
    assert table["weight_bytes"] == [4 * (hidden + inputs + outputs)] * 3
    assert table["generation_bytes"] == table["weight_bytes"]
    assert table["training_bytes"] == [2 * table["weight_bytes"][0]] * 3  # SGD has no state
