"""The bound on unseen eigenvalues against the eigenvectors of dense matrices."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.curvature import generator, with_spectrum

from hypertransfer.curvature import unseen
from hypertransfer.curvature.lanczos import Subspace
from hypertransfer.curvature.unseen import Unseen

SPECTRUM = [2.0, 1.5, *np.linspace(-0.5, 1, 60)]


def grown(matrix, start: torch.Tensor, products: int, basis: int = 10**6) -> Subspace:
    """The Krylov space of the start, restarted from 6 Ritz vectors at each `basis` vectors."""
    space = Subspace(matrix, generator(), Unseen(matrix.dimension))
    space.add(start, size=1.0)
    for _ in range(products - 1):
        ritz = space.ritz(9)
        if space.size >= basis:
            space.restart(ritz, keep=6)
            ritz = space.ritz(9)
        space.expand(ritz, int(ritz.residual_norms.argmax()))
    return space


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(1, 25), st.integers(0, 10**6), st.sampled_from([10**6, 8, 12]))
def test_no_start_has_more_of_an_eigenvector_than_the_bound(products: int, seed: int, basis: int):
    """|uᵀb| ≤ w(λ) for every eigenvalue above all Ritz values, also after thick restarts."""
    matrix = with_spectrum(SPECTRUM, 1)
    start = torch.randn(len(SPECTRUM), generator=generator(seed), dtype=torch.float64)
    start = start / start.norm()
    values, vectors = torch.linalg.eigh(matrix.matrix)
    space = grown(matrix, start, products, basis)
    top = float(space.ritz(1).values[0])
    for value, vector in zip(values.tolist(), vectors.T, strict=True):
        if value > top + 1e-6:
            log_density = 0.5 * math.log(2 * len(SPECTRUM) / math.pi)
            risk = space.unseen.risk(value, space.projected, space._residual_norm())
            bound = math.exp(math.log(risk) - log_density) if risk < 1 else 1.0
            assert abs(float(vector @ start)) <= bound * (1 + 1e-6) + 1e-12


def test_an_eigenvector_that_the_start_lacks_is_not_excluded():
    """The rest is found exactly, so the risk is that of a start with little of the first."""
    matrix = with_spectrum(SPECTRUM, 1)
    _, vectors = torch.linalg.eigh(matrix.matrix)
    hidden = vectors[:, -1]
    start = torch.randn(len(SPECTRUM), generator=generator(3), dtype=torch.float64)
    start = start - (1 - 1e-6) * (start @ hidden) * hidden
    start = start / start.norm()
    space = grown(matrix, start, 10)
    assert float(space.ritz(1).values[0]) == pytest.approx(1.5, rel=0.02)
    risk = space.unseen.risk(2.0, space.projected, space._residual_norm())
    assert math.exp(-0.5 * math.log(2 * len(SPECTRUM) / math.pi)) * risk >= abs(start @ hidden)


def test_the_distance_is_where_the_risk_is_met():
    matrix = with_spectrum(SPECTRUM, 1)
    start = torch.randn(len(SPECTRUM), generator=generator(5), dtype=torch.float64)
    space = grown(matrix, start / start.norm(), 12)
    top, residual = float(space.ritz(1).values[0]), space._residual_norm()
    distance = space.unseen.distance(top, space.projected, residual)
    risk = space.unseen.risk(top * (1 + distance), space.projected, residual)
    assert risk <= unseen.RISK <= 1.3 * risk
    first = Subspace(matrix, generator(), Unseen(matrix.dimension))
    first.add(start / start.norm(), size=1.0)
    far = first.unseen.distance(1e-9, first.projected, first._residual_norm())
    assert far == math.inf
