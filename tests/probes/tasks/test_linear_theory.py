"""The recursion of two-layer linear networks against networks that are trained."""

from __future__ import annotations

import pytest
import torch
from tests.support.probes import linear, probed

from hypertransfer.probes.tasks.linear_theory import Quantities, Theory


@pytest.mark.parametrize("parameterisation", ["mup", "ntp"])
@pytest.mark.parametrize("width", [8, 300])
def test_the_network_follows_the_recursion_to_rounding(parameterisation, width):
    run = linear(width, parameterisation)
    theory = probed(run, "linear_theory")
    assert max(theory["theory_error"]) < 2e-6  # float32 against float64
    measured = probed(run, "gauss_newton", samples=64, tolerance=1e-4)
    assert theory["theory_gauss_newton"] == pytest.approx(measured["gauss_newton"], rel=2e-3)
    assert theory["theory_residual"] == pytest.approx(measured["residual"], rel=2e-3)
    assert theory["theory_residual"] == pytest.approx(
        [-x for x in measured["residual_low"]], rel=2e-3
    )


def test_the_width_enters_the_recursion_through_gamma_squared_over_n_alone():
    x, y = torch.randn(30, 5).double(), torch.randn(30).double()
    start = Quantities(torch.randn(5).double(), torch.eye(5).double(), torch.tensor(1.0).double())

    def after(width: int, gamma2: float) -> Quantities:
        theory, now = Theory(x, y, width, gamma2, 0.01), start
        for _ in range(30):
            now = theory.step(now)
        return now

    assert after(10, 20.0).distance(after(1000, 2000.0)) == 0
    assert after(10, 20.0).distance(after(1000, 20.0)) > 1e-3
