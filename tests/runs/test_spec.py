"""A run's spec as a value."""

from __future__ import annotations

from tests.support.specs import VALID

from hypertransfer.runs import parse


def test_columns_name_what_every_table_has():
    columns = parse.run_spec(VALID).columns()
    assert columns["model"] == "conv"
    assert columns["shape.width"] == 8
    assert columns["lr"] == 0.5
