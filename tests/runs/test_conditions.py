"""Conditions on rows of tables."""

import pytest

from hypertransfer.runs import conditions
from hypertransfer.storage import parquet


@pytest.mark.parametrize("value", [True, False, {"a": 1}])
def test_conditions_find_what_tables_hold_as_text(value):
    held = parquet.axis_column([value, "other"]).to_pylist()[0]
    assert conditions.matches({"axis": value}, {"axis": held}) is True
    assert conditions.matches({"axis": [value, 3]}, {"axis": held}) is True
    assert conditions.matches({"axis": value}, {"axis": "other"}) is False


@pytest.mark.parametrize(
    ("bounds", "value"),
    [
        ({"max": 0.3}, 0.1 + 0.2),
        ({"min": 0.7071067811865476}, 0.707106781187),  # 2^-0.5 with 12 digits
        ({"max": 0.7071067811865475}, 0.707106781187),
        ({"min": 0.31622776601683794, "max": 0.31622776601683794}, 0.316227766017),
    ],
)
def test_rounded_values_are_on_their_bounds(bounds, value):
    assert conditions.matches({"lr": bounds}, {"lr": value})


@pytest.mark.parametrize(
    ("bounds", "value"),
    [({"max": 0.3}, 0.300001), ({"min": 0.3}, 0.299999), ({"max": 2**31}, 2**31 + 1),
     ({"min": 0}, -1e-300)],
)  # fmt: skip
def test_values_beside_their_bounds_are_outside(bounds, value):
    assert not conditions.matches({"axis": bounds}, {"axis": value})


def test_conditions_do_not_take_text_for_numbers_nor_one_flag_for_the_other():
    assert conditions.matches({"axis": True}, {"axis": "false"}) is False
    assert conditions.matches({"axis": 1}, {"axis": "1"}) is False


def test_null_matches_null_also_where_a_table_holds_nan_for_it():
    for wanted in (None, [None, 1]):
        assert conditions.matches({"x": wanted}, {"x": None})
        assert conditions.matches({"x": wanted}, {"x": float("nan")})
        assert not conditions.matches({"x": wanted}, {"x": 2.0})
    assert not conditions.matches({"x": 1}, {"x": float("nan")})
