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


def test_conditions_do_not_take_text_for_numbers_nor_one_flag_for_the_other():
    assert conditions.matches({"axis": True}, {"axis": "false"}) is False
    assert conditions.matches({"axis": 1}, {"axis": "1"}) is False
