"""Differences of shifts between arms, on sweeps whose optima are known."""

from __future__ import annotations

import pandas as pd
import pytest
from tests.support.claims import make_runs, measured

from hypertransfer.claims.measure import ClaimError

ARMS = {"of": "sp", "over": "mup"}


def tables(mup, sp, **options):
    arms = (
        make_runs(vertices, parameterisation=name, **options)
        for name, vertices in (("mup", mup), ("sp", sp))
    )
    return {"runs": pd.concat(arms, ignore_index=True)}


def test_the_contrast_is_the_difference_of_the_shifts():
    found = measured("shift_contrast", tables((0.1, 0.2, 0.4), (0.1, -1, -1.7)), **ARMS).estimate
    assert found.value == pytest.approx(-1.8 - 0.3, abs=0.05)
    assert found.low <= found.value <= found.high
    other = measured("shift_contrast", tables((0.1, 0.2, 0.4), (0.1, -1, -1.7)), **ARMS)
    back = {"of": "mup", "over": "sp"}
    reverse = measured("shift_contrast", tables((0.1, 0.2, 0.4), (0.1, -1, -1.7)), **back)
    assert reverse.estimate.value == pytest.approx(-other.estimate.value)


def test_what_both_arms_share_cancels():
    """A shift of both arms is no contrast, and neither is the seeds' noise if it is the same."""
    found = measured("shift_contrast", tables((0, -1, -2), (0, -1, -2), noise=0.3), **ARMS).estimate
    assert (found.low, found.value, found.high) == pytest.approx((0, 0, 0), abs=1e-9)


def test_an_open_optimum_leaves_the_contrast_open():
    found = measured("shift_contrast", tables((0, 0, 0), (0, -3, -9)), **ARMS).estimate
    assert found.low == -float("inf")
    assert found.high < -4


def test_an_arm_with_one_size_cannot_be_compared():
    runs = tables((0, 0, 0), (0, -1, -2))["runs"]
    one = runs[(runs["parameterisation"] == "mup") | (runs["shape.width"] == 16)]
    with pytest.raises(ClaimError, match="need runs at two or more values"):
        measured("shift_contrast", {"runs": one}, **ARMS)
