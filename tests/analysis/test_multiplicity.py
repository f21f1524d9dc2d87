"""Holm's correction against the numbers of a worked example, and its laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypertransfer.analysis.multiplicity import holm

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_each_p_value_is_multiplied_by_the_number_of_those_that_are_not_smaller():
    # 4·0.005, 3·0.01, 2·0.03, and 0.04 may not be below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.02]) == pytest.approx([0.6, 0.04])
    assert holm([0.7, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(P_VALUES)
def test_the_order_stays_and_corrections_are_at_most_those_of_bonferroni(p_values):
    found = holm(p_values)
    for p, adjusted in zip(p_values, found, strict=True):
        assert p <= adjusted <= min(1.0, len(p_values) * p)
    assert [x for _, x in sorted(zip(p_values, found, strict=True))] == sorted(found)


@given(P_VALUES, st.floats(0.001, 0.999))
def test_what_is_significant_is_what_the_steps_of_holm_reject(p_values, error):
    rejected, left = set(), sorted(range(len(p_values)), key=lambda i: p_values[i])
    while left and len(left) * p_values[left[0]] <= error:
        rejected.add(left.pop(0))
    assert {i for i, p in enumerate(holm(p_values)) if p <= error} == rejected
