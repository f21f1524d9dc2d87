"""Hutchinson's estimate against the trace of a matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.support.curvature import (
    Matrix,
    generator,
    with_spectrum,
)

from hypertransfer.curvature.trace_estimate import trace


def test_the_trace_is_unbiased():
    matrix = with_spectrum(list(np.linspace(-1, 3, 60)))
    mean, error = trace(matrix, 400, generator())
    assert mean == pytest.approx(60.0, abs=4 * error)
    assert error > 0
    diagonal = Matrix(torch.diag(torch.arange(5.0)))
    assert trace(diagonal, 2, generator()) == (10.0, 0.0)  # Rademacher is exact on a diagonal
