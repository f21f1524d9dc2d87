"""Values of axes as columns of tables hold them, and as names."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.specs import VALID

from hypertransfer.runs.table_values import in_table, name_of
from hypertransfer.storage import parquet
from hypertransfer.studies.grid import Grid, runs
from hypertransfer.studies.placed_run import Run
from hypertransfer.studies.planned import Planned

NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
OTHERS = st.text(max_size=3) | st.booleans() | st.lists(st.integers(), max_size=2)


@given(st.lists(NUMBERS, min_size=1) | st.lists(OTHERS, min_size=1))
def test_values_of_one_kind_are_known_before_the_column_is_written(values):
    assert parquet.axis_column(values).to_pylist() == list(map(in_table, values))


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (1, "1"), (0.5, "0.5"), (1e-5, "1e-05"), (2.0, "2"), (1_000_001, "1000001"),
        (1e6, "1000000"), (1e20, "1e+20"), ("1.0", "1.0"), (True, "true"), ([1, 2], "[1,2]"),
        (np.int64(3), "3"), (np.float64(0.25), "0.25"),
    ],
)  # fmt: skip
def test_names_of_values(value, name):
    assert name_of(value) == name


def test_names_are_those_of_values_read_from_a_table():
    for values in ([1, 2], [0.5, 2], ["a", "1"], [True, False]):
        column = pd.Series(parquet.axis_column(values).to_pylist())
        assert list(map(name_of, column)) == list(map(name_of, values))


def test_planned_runs_hold_numbers_beside_texts_as_the_table_does():
    values = ["auto", None, 0.1, 1]
    spec = runs(Grid(VALID, {"seed": [0]}))[0].spec
    planned = Planned({"g": [Run({"decay": value, "seed": 0}, spec) for value in values]})
    assert [run.row["decay"] for run in planned.selected({})] == ["auto", None, "0.1", "1"]
    assert [run.run.point["decay"] for run in planned.selected({"decay": "0.1"})] == [0.1]
    assert parquet.axis_column(values).to_pylist() == ["auto", None, "0.1", "1"]
    assert planned.columns_of_runs["g"]["decay"] == {"auto", None, "0.1", "1"}
