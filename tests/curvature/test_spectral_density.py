"""Stochastic Lanczos quadrature against the moments of matrices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.curvature import (
    generator,
    with_spectrum,
)

from hypertransfer.curvature.spectral_density import spectrum


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=5, max_size=30), st.integers(0, 5))
def test_the_density_has_the_moments_of_the_matrix(values, seed: int):
    """With as many steps as dimensions each start's quadrature is exact: zᵀA^kz/P for all k."""
    matrix = with_spectrum([v / 10 for v in values], seed)
    found = spectrum(matrix, vectors=3, steps=len(values), generator=generator(seed))
    chance = generator(seed)
    for power in range(5):
        chance = generator(seed)
        moments = []
        for _ in range(3):
            z = (2 * torch.randint(0, 2, (len(values),), generator=chance) - 1).double()
            moments.append(z @ torch.linalg.matrix_power(matrix.matrix, power) @ z / len(values))
        exact = float(torch.stack(moments).mean())
        size = 1 + 5.0**power
        assert float((found.weights * found.nodes**power).sum()) == pytest.approx(
            exact, abs=1e-7 * size
        )


def test_the_densitys_error_covers_the_truth():
    values = np.linspace(-1, 1, 400) ** 3
    matrix = with_spectrum(list(values))
    found = spectrum(matrix, vectors=20, steps=80, generator=generator())
    places = np.linspace(-0.9, 0.9, 19)
    below = [float(found.weights[found.nodes <= place].sum()) for place in places]
    truth = [(values <= place).mean() for place in places]
    assert max(abs(np.array(below) - truth)) < 4 * found.error + 0.01
    assert 0 < found.error < 0.1
