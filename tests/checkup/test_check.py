"""Findings over sizes: fewer sizes than all, and what a bias would hide."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hypertransfer.checkup.check import over_sizes, over_width
from hypertransfer.checkup.judging import FAIL, PASS, WARN
from hypertransfer.checkup.quantities import Measured, Setup
from hypertransfer.parameterisation.algebra import Role

HIDDEN = {"m": Role.HIDDEN}


def found(values, seeds=3):
    """The finding of an update that has these values at the widths 16, 32, 64 and 128."""
    by_size = {16 * 2**k: [value] * seeds for k, value in enumerate(values)}
    (finding,) = over_width({Measured("m", "update", 1): by_size}, HIDDEN)
    return finding


def test_a_fault_is_a_power_of_all_sizes():
    assert found([1, 2**-0.5, 2**-1, 2**-1.5]).status == FAIL
    assert found([1, 1, 1, 1]).status == PASS


def test_the_smallest_size_alone_is_no_fault():
    finding = found([3, 1.5, 1.3, 1.15], seeds=6)
    assert finding.slope.high < -0.25
    assert finding.larger.low > -0.25
    assert finding.status == WARN


NOISE = (1.01, 1.0, 0.99)


def of_powers(powers, quantity="update"):
    """The finding of a quantity with these powers between one width and the next."""
    logs = [sum(powers[:k]) for k in range(len(powers) + 1)]
    by_size = {16 * 2**k: [2**log * one for one in NOISE] for k, log in enumerate(logs)}
    (finding,) = over_width({Measured("m", quantity, 1): by_size}, HIDDEN)
    return finding


@pytest.mark.parametrize(
    "powers",
    [
        [-0.40, -0.33, -0.24],
        [-0.35, -0.34, -0.24],
        [-0.44, -0.41, -0.34],
        [-0.33, -0.40, -0.25],
    ],
)
def test_an_update_that_falls_by_less_than_a_power_is_no_failure(powers):
    """Those of layers behind norms, which were measured from a width of 16 on."""
    finding = of_powers(powers)
    assert max(finding.slope.high, finding.larger.high) < -0.25
    assert finding.status == WARN


@pytest.mark.parametrize(
    "powers",
    [
        [-0.5, -0.5, -0.5],
        [-0.9, -0.83, -0.74],  # flattens to a power of -½, which a fault has
        [-1.0, -1.0, -1.0],
        [0.6, 0.5, 0.4],
        [0.5, 0.5, 0.5],
    ],
)
def test_a_power_fails_whatever_is_beside_it(powers):
    assert of_powers(powers).status == FAIL


def test_what_flattens_at_the_start_is_a_fault_that_a_bias_hides():
    assert of_powers([-0.40, -0.33, -0.24], "gain").status == FAIL


@pytest.mark.parametrize(("seeds", "is_told"), [(1, False), (2, True)])
def test_too_few_values_tell_nothing_of_the_larger_sizes(seeds, is_told):
    finding = found([1, 2**-0.5, 2**-1, 2**-1.5], seeds)
    assert (finding.larger is not None) == is_told
    assert finding.status == FAIL


def test_a_bias_does_not_hide_a_matrix_that_hardly_learns():
    """The rate of the matrix falls as one over the width, as if its inputs grew."""
    batch = torch.randn(8, 10, generator=torch.Generator().manual_seed(0))

    def make(size, seed):
        network = nn.Linear(10, size)
        weight, bias = {"params": [network.weight], "lr": 0.16 / size}, {"params": [network.bias]}
        return Setup(network, torch.optim.Adam([weight, bias], lr=0.16))

    def loss(network, batch):
        return (network(batch) - 1).square().mean()

    values = over_sizes(make, [16, 32, 64, 128], 2, loss, [batch], {1})
    updates = {f.quantity: f for f in over_width(values, {"": Role.WIDENING}) if f.step == 1}
    assert updates["update"].status == FAIL
    assert updates["update"].slope.value == pytest.approx(-1.0, abs=0.1)
    assert updates["bias update"].status == PASS
