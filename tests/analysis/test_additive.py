"""Means of tables with missing entries."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypertransfer.analysis.additive import column_means

NAN, INF = math.nan, math.inf


@given(seed=st.integers(0, 10_000))
def test_additive_tables_have_their_means_whatever_is_missing(seed):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(6, 1)) + rng.normal(size=5)
    holes = np.where(rng.random((6, 5)) < 0.4, NAN, table)
    holes[0], holes[:, 0] = table[0], table[:, 0]  # so that all are connected
    assert column_means(holes) == pytest.approx(table.mean(axis=0))


def test_a_column_with_a_diverged_run_is_infinite_and_one_without_runs_unknown():
    table = np.array([[1.0, INF, NAN, 3.0], [2.0, 2.0, NAN, NAN]])
    found = column_means(table)
    assert found[1] == INF
    assert math.isnan(found[2])
    assert found[[0, 3]] == pytest.approx([1.5, 3.5])


def test_columns_that_share_no_row_are_not_compared():
    table = np.array([[1.0, 2.0, NAN], [1.5, 2.5, NAN], [NAN, NAN, 0.0]])
    assert column_means(table)[:2] == pytest.approx([1.25, 2.25])
    assert math.isnan(column_means(table)[2])
