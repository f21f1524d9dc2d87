"""Hyperparameters of a network that a spec names."""

from __future__ import annotations

import pytest
from tests.support.synthetic import run

pytestmark = pytest.mark.usefixtures("synthetic")


def test_rows_are_what_the_table_says_at_this_shape():
    """Depth-µP with SGD at m_N = 3, m_L = 2: lr·3 outside the hidden weights, decay over 3."""
    rows = {row["name"]: row for row in run(steps=1).parameters}
    assert rows["input.weight"]["lr"] == rows["input.bias"]["lr"] == pytest.approx(0.15)
    assert rows["blocks.0.layers.1.weight"]["lr"] == pytest.approx(0.05)
    assert rows["blocks.0.layers.1.bias"]["lr"] == pytest.approx(0.15)
    assert rows["readout.weight"]["lr"] == pytest.approx(0.15)
    assert rows["readout.bias"]["lr"] == pytest.approx(0.05)
    assert rows["readout.weight"]["multiplier"] == pytest.approx(1 / 3)
    assert rows["input.weight"]["weight_decay"] == pytest.approx(0.01 / 3)
